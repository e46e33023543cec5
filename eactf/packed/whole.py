"""`write_packed` writes a data set that lies in memory to a packed file in one call."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eactf.packed.records import SPLITS, Dataset, Samples
from eactf.packed.values import text_width, vote_type
from eactf.packed.writer import PackedWriter

__all__ = ["write_packed"]

_BATCH_BYTES = 8 * 2**20


def write_packed(path: str | Path, dataset: Dataset, *, overwrite: bool = False) -> None:
    """Write `dataset` to `path` in the packed form (see the package's docstring)."""
    splits = {name: dataset.splits[name] for name in SPLITS if name in dataset.splits}
    present = list(splits.values())
    has_digests = all(samples.digests is not None for samples in present)
    label_sets = sorted({name for samples in present for name in samples.labels})
    with PackedWriter(
        path,
        counts={name: len(samples) for name, samples in splits.items()},
        image_shape=dataset.image_shape,
        class_names=dataset.class_names,
        source=dataset.source,
        notes=dataset.notes,
        label_sets=label_sets,
        values=sorted({name for samples in present for name in samples.values}),
        has_clean=any(samples.clean is not None for samples in present),
        vote_columns=dataset.vote_columns,
        vote_dtype=vote_type([samples.votes for samples in present]),
        has_targets=any(samples.targets is not None for samples in present),
        has_names=any(samples.names is not None for samples in present),
        has_digests=has_digests,
        columns=_column_widths(present),
        overwrite=overwrite,
    ) as writer:
        batch = max(1, _BATCH_BYTES // max(1, int(np.prod(dataset.image_shape))))
        for name, samples in splits.items():
            for start in range(0, len(samples), batch):
                _append(writer, samples, slice(start, start + batch), name, has_digests)


def _append(
    writer: PackedWriter, samples: Samples, rows: slice, split: str, has_digests: bool
) -> None:
    def pick(array: np.ndarray | None) -> np.ndarray | None:
        return None if array is None else array[rows]

    writer.append(
        samples.images[rows],
        samples.ids[rows],
        samples.given[rows],
        split,
        clean=pick(samples.clean),
        targets=pick(samples.targets),
        labels={name: array[rows] for name, array in samples.labels.items()},
        values={name: array[rows] for name, array in samples.values.items()},
        votes=pick(samples.votes),
        names=pick(samples.names),
        digests=pick(samples.digests) if has_digests else None,
        columns={name: array[rows] for name, array in samples.columns.items()},
    )


def _column_widths(splits: Sequence[Samples]) -> dict[str, int]:
    widths: dict[str, int] = {}
    for samples in splits:
        for name, texts in samples.columns.items():
            widths[name] = max(widths.get(name, 1), text_width(texts))
    return widths

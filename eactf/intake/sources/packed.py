"""This module lists a packed data set, to check it, measure its noise or pack it again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.intake.listing import ArrayImages, Listing
from eactf.intake.sources.joined_images import JoinedImages
from eactf.intake.sources.options import SourceOptions
from eactf.packed import open_packed
from eactf.packed.layout import FORMAT
from eactf.packed.opening import HDF5
from eactf.packed.records import SPLITS, Dataset, Samples

__all__ = ["is_packed", "list_dataset", "list_packed"]


def is_packed(path: Path) -> bool:
    """Whether an HDF5 file says that eactf packed it."""
    with HDF5.open(path) as file:
        try:
            return file.has_attribute("format") and file.text("format") == FORMAT
        except DataError:  # an attribute of that name, but no text
            return False


def list_packed(path: Path, options: SourceOptions) -> Listing:
    """List the samples of a packed file, split after split; its images stay on the disk.

    What only some splits have is -1, NaN, zero or empty in the others.
    """
    options.refuse("a packed data set")
    return list_dataset(open_packed(path), path)


def list_dataset(dataset: Dataset, source: Path, kind: str = "packed") -> Listing:
    """List the samples of an open data set, as `list_packed`; `source` is what it is called."""
    present = [name for name in SPLITS if name in dataset.splits]
    parts = [dataset.splits[name] for name in present]
    splits = [
        np.full(len(part), SPLITS.index(n), np.uint8)
        for n, part in zip(present, parts, strict=True)
    ]
    label_sets = sorted({name for part in parts for name in part.labels})
    values = sorted({name for part in parts for name in part.values})
    columns = sorted({name for part in parts for name in part.columns})

    def join(pick: Callable[[Samples], np.ndarray | None], missing: object) -> np.ndarray | None:
        return _join([pick(part) for part in parts], parts, missing)

    return Listing(
        source=source,
        kind=kind,
        class_names=dataset.class_names,
        names=_names(present, parts),
        splits=np.concatenate(splits),
        given=np.concatenate([part.given for part in parts]),
        images=JoinedImages([ArrayImages(part.images, part.digests) for part in parts]),
        ids=np.concatenate([part.ids for part in parts]),
        clean=join(lambda part: part.clean, -1),
        labels=_by_name(label_sets, lambda name: join(lambda part: part.labels.get(name), -1)),
        values=_by_name(values, lambda name: join(lambda part: part.values.get(name), np.nan)),
        votes=join(lambda part: part.votes, 0),
        vote_columns=dataset.vote_columns,
        targets=join(lambda part: part.targets, 0),
        columns=_by_name(columns, lambda name: join(lambda part: part.columns.get(name), "")),
        notes={**dataset.notes, "packed_from": dataset.source},
    )


def _join(
    arrays: Sequence[np.ndarray | None], parts: Sequence[Samples], missing: object
) -> np.ndarray | None:
    """The arrays of all parts joined, `missing` where one lacks it; None where all lack it."""
    known = [array for array in arrays if array is not None]
    if not known:
        return None
    filled = [
        np.full((len(part), *known[0].shape[1:]), missing, known[0].dtype)
        if array is None
        else array
        for array, part in zip(arrays, parts, strict=True)
    ]
    return np.concatenate(filled)


def _by_name(
    names: Sequence[str], join: Callable[[str], np.ndarray | None]
) -> dict[str, np.ndarray]:
    joined = {name: join(name) for name in names}
    return {name: array for name, array in joined.items() if array is not None}


def _names(splits: Sequence[str], parts: Sequence[Samples]) -> np.ndarray:
    """The samples' names; `train[12]` for one without, and put before a name that is not unique."""
    places = [
        f"{split}[{row}]"
        for split, part in zip(splits, parts, strict=True)
        for row in range(len(part))
    ]
    names = _join([part.names for part in parts], parts, "")
    if names is None:
        return np.array(places)
    counts = Counter(names.tolist())
    return np.array(
        [
            place if not name else name if counts[name] == 1 else f"{place} {name}"
            for place, name in zip(places, names.tolist(), strict=True)
        ]
    )

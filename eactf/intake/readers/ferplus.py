"""`pack_ferplus` packs FERPlus: FER2013's faces with the votes of ten annotators on each.

The images are by Goodfellow et al., "Challenges in representation learning", 2013 (Kaggle). The
votes are by Barsoum et al., "Training deep networks for facial expression recognition with
crowd-sourced label distribution", ICMI 2016 (github.com/microsoft/FERPlus).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eactf.errors import DataError
from eactf.intake.readers.fer2013_csv import SIDE, USAGES, FaceRow, parse_pixels
from eactf.intake.readers.ferplus_csv import VoteTable, read_images, read_votes
from eactf.intake.votes import EMOTIONS, VOTE_COLUMNS, VoteResult, resolve_votes
from eactf.packed import PackedWriter
from eactf.packed.records import SPLITS

__all__ = ["FER2013_TO_FERPLUS", "PackReport", "SplitReport", "pack_ferplus"]

FER2013_TO_FERPLUS = (4, 5, 6, 1, 3, 2, 0)
"""FER2013's angry, disgust, fear, happy, sad, surprise, neutral as indices into `EMOTIONS`."""

NO_IMAGE = "no image name"
"""Why an image was dropped whose name is empty: FERPlus's authors removed it."""

_BATCH = 1024
_TOGETHER = "row i of one file is row i of the other; use both as published"


@dataclass(frozen=True)
class SplitReport:
    """One split of a packed FERPlus.

    `rows` were in the files, `kept` were packed, `dropped` were not, by reason; `classes` are the
    kept by class; `ties` of the kept had several emotions with the top count; for `agree` of the
    kept FER2013's own label is the consensus.
    """

    rows: int
    kept: int
    dropped: Mapping[str, int]
    classes: Mapping[str, int]
    ties: int
    agree: int


@dataclass(frozen=True)
class PackReport:
    """What packing FERPlus kept and dropped, and why."""

    path: str
    rule: str
    class_names: tuple[str, ...]
    rows: int
    kept: int
    splits: Mapping[str, SplitReport]

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers, as JSON has them."""
        return asdict(self)


def pack_ferplus(
    images_csv: str | Path,
    votes_csv: str | Path,
    out: str | Path,
    *,
    rule: str = "argmax",
    classes: int = 8,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> PackReport:
    """Pack FERPlus from Kaggle's and Microsoft's CSV files into `out`; memory stays flat.

    `rule` is one of `votes.RULES`; `classes=7` leaves out contempt. An image's id is its row in the
    files, from 0. FER2013's own label is kept as the label set `fer2013`. `progress(done, rows)` is
    called now and then. Raises `DataError` that names file, line and column.
    """
    table = read_votes(Path(votes_csv))
    result = _without_nameless(table, resolve_votes(table.votes, rule, classes=classes))
    class_names = EMOTIONS[:classes]
    kept = {name: int(result.keep[table.split == i].sum()) for i, name in enumerate(SPLITS)}
    if not any(kept.values()):
        raise DataError(f"{votes_csv}: the vote rule {rule} keeps none of its {len(table)} images")
    agree = np.zeros(len(table), dtype=bool)
    with PackedWriter(
        out,
        counts=kept,
        image_shape=(SIDE, SIDE, 1),
        class_names=class_names,
        source=f"FERPlus ({rule} of the votes, {classes} classes)",
        notes={"vote_rule": rule, "rows": len(table), "dropped": result.dropped},
        label_sets=("fer2013",),
        vote_columns=VOTE_COLUMNS,
        has_targets=result.targets is not None,
        has_names=True,
        overwrite=overwrite,
    ) as writer:
        for batch in _batches(Path(images_csv), table, result, progress):
            rows = np.array([row for row, _, _ in batch])
            fer2013 = np.array([FER2013_TO_FERPLUS[image.emotion] for _, image, _ in batch])
            agree[rows] = fer2013 == result.label[rows]
            writer.append(
                np.stack([pixels for _, _, pixels in batch]),
                rows,
                result.label[rows],
                SPLITS[table.split[rows[0]]],
                targets=None if result.targets is None else result.targets[rows],
                labels={"fer2013": fer2013},
                votes=table.votes[rows],
                names=table.names[rows],
            )
        report = _report(str(out), rule, class_names, table, result, agree)
        writer.notes["agreement_with_fer2013"] = {
            name: round(split.agree / split.kept, 4)
            for name, split in report.splits.items()
            if split.kept
        }
    return report


def _without_nameless(table: VoteTable, result: VoteResult) -> VoteResult:
    nameless = table.names == ""
    reason = np.where(nameless, NO_IMAGE, result.reason)
    return VoteResult(result.label, result.keep & ~nameless, reason, result.tie, result.targets)


def _batches(
    images_csv: Path,
    table: VoteTable,
    result: VoteResult,
    progress: Callable[[int, int], None] | None,
) -> Iterator[list[tuple[int, FaceRow, np.ndarray]]]:
    """Lists of (row, its CSV row, its image), all of one split."""
    waiting: dict[int, list[tuple[int, FaceRow, np.ndarray]]] = {i: [] for i in range(len(SPLITS))}
    for row, image in _paired(images_csv, table):
        if result.keep[row]:
            batch = waiting[image.split]
            batch.append((row, image, parse_pixels(images_csv, image)))
            if len(batch) == _BATCH:
                yield batch
                waiting[image.split] = []
        if progress is not None and (row % 256 == 255 or row + 1 == len(table)):
            progress(row + 1, len(table))
    yield from (batch for batch in waiting.values() if batch)


def _paired(images_csv: Path, table: VoteTable) -> Iterator[tuple[int, FaceRow]]:
    """Row number and row of the image file, each checked against the votes of that row."""
    count = 0
    with closing(read_images(images_csv)) as images:
        for row, image in enumerate(images):
            count = row + 1
            if row >= len(table):
                continue  # go on counting, for the message
            if image.split != table.split[row]:
                expected, received = USAGES[table.split[row]], USAGES[image.split]
                raise DataError(
                    f"{images_csv}, line {image.line}, Usage: expected {expected} as row {row} of"
                    f" {table.path} says, received {received}",
                    hint=_TOGETHER,
                )
            yield row, image
    if count != len(table):
        raise DataError(
            f"{images_csv} has {count} rows of images, {table.path} has {len(table)} rows of votes",
            hint=_TOGETHER,
        )


def _report(
    path: str,
    rule: str,
    class_names: tuple[str, ...],
    table: VoteTable,
    result: VoteResult,
    agree: np.ndarray,
) -> PackReport:
    splits = {}
    for index, name in enumerate(SPLITS):
        here = table.split == index
        part = VoteResult(
            result.label[here], result.keep[here], result.reason[here], result.tie[here]
        )
        counts = np.bincount(part.label[part.keep], minlength=len(class_names))
        splits[name] = SplitReport(
            rows=int(here.sum()),
            kept=part.kept,
            dropped=part.dropped,
            classes=dict(zip(class_names, counts.tolist(), strict=True)),
            ties=part.ties,
            agree=int(agree[here].sum()),
        )
    return PackReport(path, rule, class_names, len(table), result.kept, splits)

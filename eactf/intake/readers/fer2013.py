"""This module lists FER2013 with the labels it came with (Goodfellow et al., 2013, on Kaggle).

The same faces with the votes of ten annotators are FERPlus (`ferplus`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.intake.findings import Finding, Severity
from eactf.intake.listing import ArrayImages, Listing
from eactf.intake.readers.card import Card, check_counts
from eactf.intake.readers.fer2013_csv import (
    PUBLISHED,
    SIDE,
    FaceRow,
    has_labels,
    is_pixel_table,
    parse_pixels,
    read_faces,
)
from eactf.intake.readers.folders import first_of
from eactf.packed.records import SPLITS
from eactf.suggestions import command_line

__all__ = ["CARD", "DATASETS", "list_fer2013"]

CARD = Card(
    name="fer2013",
    title="FER2013 with its own labels",
    classes=("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"),
    class_total=7,
    counts={"train": 28_709, "validation": 3_589, "test": 3_589},
    class_counts={
        "train": (3_995, 436, 4_097, 7_215, 4_830, 3_171, 4_965),
        "validation": (467, 56, 496, 895, 653, 415, 607),
        "test": (491, 55, 528, 879, 594, 416, 626),
    },
    needs="one CSV file",
    get="fer2013.csv or icml_face_data.csv from Kaggle's facial expression recognition challenge of"
    " 2013 (an account and its rules to be accepted)",
    layout=(
        "fer2013.csv or icml_face_data.csv: emotion,pixels,Usage in any order",
        "or train.csv: emotion,pixels, which is training data alone",
    ),
    licence="gathered from the web for research; the images have no licence text",
    terms="research",
    takes="FILE",
    quirks=(
        "classes in FER2013's own order: 0 anger, 1 disgust, 2 fear, 3 happiness, 4 sadness,"
        " 5 surprise, 6 neutral",
        "Usage Training is train, PublicTest validation, PrivateTest test",
        "test.csv has pixels alone: eactf predict RUN test.csv classifies them",
        "many of its labels are wrong; with ten people's votes the same faces are ferplus",
        "classes are very unequal: disgust has 436 of the 28,709 training images",
        "train, validation and test share pixel-identical faces: see eactf data check",
    ),
    citation="Goodfellow et al., Challenges in representation learning, ICONIP 2013",
)

_FILES = ("fer2013.csv", "icml_face_data.csv", "train.csv", "fer2013/fer2013.csv")


def list_fer2013(path: Path) -> Listing:
    """List the faces of FER2013's CSV file, or of the one that lies in the folder `path`.

    Ids are rows of the file, counted from 0. Raises `DataError` with file, line and column for what
    does not fit, and for a file that has pixels but no labels.
    """
    table = first_of(CARD, path, _FILES) if path.is_dir() else path
    if is_pixel_table(table) and not has_labels(table):
        raise DataError(
            f"{table} has faces but no labels: there is no column emotion",
            hint=f"a trained run classifies them: {command_line('eactf', 'predict', 'RUN', table)}",
        )
    rows = list(read_faces(table))
    if not rows:
        raise DataError(f"{table} has a header but no rows", hint=PUBLISHED)
    splits = np.array([row.split for row in rows], np.uint8)
    given = np.array([row.emotion for row in rows], np.int64)
    return Listing(
        source=path,
        kind=CARD.name,
        class_names=CARD.classes,
        names=np.array([f"{table.stem}[{row}]" for row in range(len(rows))]),
        splits=splits,
        given=given,
        images=ArrayImages(_images(table, rows)),
        ids=np.arange(len(rows)),
        findings=(*_counts(splits, given), *_not_read(path, table)),
        notes={"dataset": CARD.title, "licence": CARD.licence},
    )


def _images(table: Path, rows: Sequence[FaceRow]) -> np.ndarray:
    images = np.empty((len(rows), SIDE, SIDE, 1), np.uint8)
    for index, row in enumerate(rows):
        images[index] = parse_pixels(table, row)
    return images


def _counts(splits: np.ndarray, given: np.ndarray) -> tuple[Finding, ...]:
    """Counts that differ from the published ones, of the splits that the file has."""
    here = {SPLITS[split] for split in np.unique(splits)}
    counts = {name: count for name, count in CARD.counts.items() if name in here}
    return check_counts(CARD, CARD.classes, splits, given, counts=counts)


def _not_read(path: Path, table: Path) -> tuple[Finding, ...]:
    """The other tables of faces in a folder: one of them is read."""
    if not path.is_dir():
        return ()
    others = sorted(file.name for file in path.glob("*.csv") if is_pixel_table(file))
    others = [name for name in others if name != table.name]
    if not others:
        return ()
    what = f"{table.name} is read alone; {', '.join(others)} beside it is not"
    fix = "pass the file that is meant"
    return (Finding("table-not-read", Severity.NOTE, what, fix, tuple(others)),)


DATASETS = {"fer2013": (CARD, list_fer2013)}

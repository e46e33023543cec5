"""Classifying faces that lie as numbers in a CSV file, as FER2013's `test.csv` has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from eactf.errors import DataError
from eactf.evaluation.storage import Prediction, StoredClassifier
from eactf.intake.decode import as_array
from eactf.intake.readers.fer2013_csv import is_pixel_table, parse_pixels, read_faces

__all__ = ["predict_tables", "tables_apart"]


def tables_apart(paths: Iterable[Path]) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Of the paths to classify the tables of faces, and all others."""
    paths = tuple(paths)
    tables = tuple(path for path in paths if is_pixel_table(path))
    return tables, tuple(path for path in paths if path not in tables)


def predict_tables(
    stored: StoredClassifier, tables: Iterable[Path], *, batch_size: int
) -> tuple[list[tuple[Path, Prediction]], dict[Path, str]]:
    """What is predicted of every face in the tables, under the name `test.csv[0]`.

    Rows are counted from 0. Faces are brought to the size and the channels that the classifier
    takes. Rows that cannot be read come second, with the reason. Raises `DataError` for a file that
    is no such table as a whole.
    """
    faces: list[tuple[Path, Prediction]] = []
    bad: dict[Path, str] = {}
    names: list[Path] = []
    batch: list[np.ndarray] = []

    def classify() -> None:
        if batch:
            faces.extend(zip(names, stored.classify(np.stack(batch)), strict=True))
        names.clear()
        batch.clear()

    _, height, width, channels = stored.model.input_shape
    for name, pixels in _faces(tables, bad):
        image = Image.fromarray(pixels[..., 0])
        names.append(name)
        batch.append(as_array(image, height=height, width=width, channels=channels))
        if len(batch) == batch_size:
            classify()
    classify()
    return faces, bad


def _faces(tables: Iterable[Path], bad: dict[Path, str]) -> Iterator[tuple[Path, np.ndarray]]:
    """The faces of all tables with their names; those that cannot be read go into `bad`."""
    for table in tables:
        for number, row in enumerate(read_faces(table, labels=False)):
            name = Path(f"{table}[{number}]")
            try:
                pixels = parse_pixels(table, row)
            except DataError as reason:
                bad[name] = reason.message
                continue
            yield name, pixels

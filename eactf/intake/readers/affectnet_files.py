"""This module reads AffectNet's labels row by row, from its CSV lists or its annotation files."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path

from eactf.errors import DataError
from eactf.foreign import reason_of
from eactf.intake.sources.continuous import number
from eactf.intake.sources.npz import read_npy

__all__ = ["Row", "read_annotations", "read_list"]

_COLUMNS = (
    *("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height"),
    *("facial_landmarks", "expression", "valence", "arousal"),
)
_LABELS = range(11)
_NONE = -2  # no valence or arousal


@dataclass(frozen=True)
class Row:
    """One labelled image: its path, split (an index into `SPLITS`) and label, 0 to 10.

    `box` is the face's left, top, width and height in pixels, None where none is given; `valence`
    and `arousal` are NaN where none is given, which AffectNet writes as -2.
    """

    path: str
    split: int
    label: int
    box: tuple[int, int, int, int] | None = None
    valence: float = nan
    arousal: float = nan


def read_list(path: Path, split: int) -> Iterator[Row]:
    """The rows of `training.csv` or `validation.csv`, with or without the published header.

    Raises `DataError` with the line for what does not fit.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            columns: Sequence[str] = _COLUMNS
            for number, cells in enumerate(csv.reader(file), start=1):
                if number == 1 and _COLUMNS[0] in cells:
                    columns = _check_header(path, cells)
                elif cells:
                    yield _row(path, number, columns, cells, split)
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a CSV text file: {reason_of(error)}") from error


def read_annotations(folder: Path, name: str, split: int) -> Iterator[Row]:
    """The images of `name` (`train_set`, `val_set`), in the order of their numbers.

    Each image's label is read from `annotations/<number>_exp.npy`, valence and arousal, where they
    are there, from `<number>_val.npy` and `<number>_aro.npy`.
    """
    images = folder / name / "images"
    if not images.is_dir():
        return
    files = (file.name for file in images.iterdir() if not file.name.startswith("."))
    for file in sorted(files, key=lambda file: (len(file), file)):
        begin = f"{folder / name / 'annotations' / Path(file).stem}"
        label = _label(f"{begin}_exp.npy", _annotated(Path(f"{begin}_exp.npy")))
        valence, arousal = (_measured(Path(f"{begin}_{kind}.npy")) for kind in ("val", "aro"))
        yield Row(f"{name}/images/{file}", split, label, valence=valence, arousal=arousal)


def _check_header(path: Path, cells: list[str]) -> list[str]:
    needed = [name for name in _COLUMNS if name not in ("facial_landmarks", "valence", "arousal")]
    missing = [name for name in needed if name not in cells]
    if missing:
        raise DataError(f"{path}, line 1: there is no column {missing[0]}")
    return cells


def _row(path: Path, line: int, columns: Sequence[str], cells: list[str], split: int) -> Row:
    if len(cells) != len(columns):
        raise DataError(
            f"{path}, line {line}: expected {len(columns)} cells, received {len(cells)}"
        )
    row = dict(zip(columns, cells, strict=True))
    return Row(
        path=row["subDirectory_filePath"].strip().replace("\\", "/"),
        split=split,
        label=_label(f"{path}, line {line}, expression", row["expression"]),
        box=_box(row),
        valence=_value(f"{path}, line {line}, valence", row.get("valence", "")),
        arousal=_value(f"{path}, line {line}, arousal", row.get("arousal", "")),
    )


def _label(where: str, text: str) -> int:
    text = text.strip().removesuffix(".0")
    if not (text.isascii() and text.isdigit() and len(text) < 3 and int(text) in _LABELS):
        raise DataError(f"{where}: expected 0 to 10, received {text[:20]!r}")
    return int(text)


def _value(where: str, text: str) -> float:
    value = number(text.strip())
    if value is None:
        raise DataError(
            f"{where}: expected a number from -1 to 1, or -2 where there is none, received"
            f" {text[:20]!r}",
            hint="use the files as published",
        )
    return nan if value == _NONE else value


def _box(row: dict[str, str]) -> tuple[int, int, int, int] | None:
    """The face box; None where it is not given (images without a face)."""
    try:
        x, y, width, height = (int(float(row[name])) for name in _COLUMNS[1:5])
    except ValueError:
        return None
    return (x, y, width, height) if width > 0 and height > 0 else None


def _measured(path: Path) -> float:
    return _value(str(path), _annotated(path)) if path.is_file() else nan


def _annotated(path: Path) -> str:
    """The one value of an annotation file, as a text."""
    if not path.is_file():
        raise DataError(f"{path} is missing", hint="every image has an annotation of its number")
    values = read_npy(path).reshape(-1).tolist()
    if len(values) != 1:
        raise DataError(f"{path}: expected one label, received {len(values)}")
    return values[0].decode(errors="replace") if isinstance(values[0], bytes) else str(values[0])

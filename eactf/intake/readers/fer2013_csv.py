"""This module reads FER2013's CSV file; a row is a class, a face as 2,304 numbers, and a split.

The file is public in four forms: `fer2013.csv` (`emotion,pixels,Usage`), Kaggle's
`icml_face_data.csv` (the same with blanks before the names of the columns), and `train.csv`
(`emotion,pixels`) with `test.csv` (`pixels` alone) of the challenge itself.
"""

from __future__ import annotations

import csv
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.foreign import reason_of

__all__ = [
    "PUBLISHED",
    "SIDE",
    "USAGES",
    "FaceRow",
    "has_labels",
    "is_pixel_table",
    "parse_pixels",
    "read_faces",
    "read_rows",
    "split_of",
    "whole_number",
    "wrong_cell",
]

SIDE = 48
"""FER2013's images are 48 x 48."""

USAGES = ("Training", "PublicTest", "PrivateTest")
"""FER2013's names of its splits, in the order of `SPLITS`."""

PUBLISHED = "use the file as published, neither sorted, filtered nor edited"

_HEADER = ("emotion", "pixels", "Usage")
_PACKED_FORMS = {b"\x1f\x8b": "gzip", b"PK": "zip", b"\x89H": "HDF5"}
_PIXEL = {str(value): value for value in range(256)}
_LONGEST_LINE = 1 << 16


@dataclass(frozen=True)
class FaceRow:
    """A row of the file: its line, FER2013's class, the pixels as text, the index of its split.

    `emotion` is 0 to 6, -1 where the file has no classes; the split is training where the file has
    no splits.
    """

    line: int
    emotion: int
    pixels: str
    split: int


def is_pixel_table(path: Path) -> bool:
    """Whether a file is a table of faces as numbers, by its name and its first two lines.

    A manifest may have a column `pixels` as well, which counts them.
    """
    if path.suffix.lower() != ".csv" or not path.is_file() or "pixels" not in _header(path):
        return False
    with path.open("rb") as file:
        file.readline(_LONGEST_LINE)
        has_face = file.readline(_LONGEST_LINE).count(b" ") > SIDE * SIDE // 2
    return has_face or _header(path) <= {name.lower() for name in _HEADER}


def has_labels(path: Path) -> bool:
    """Whether a table of pixels says the classes too."""
    return "emotion" in _header(path)


def read_faces(
    path: Path, *, whole: bool = False, labels: bool = True, swapped: Sequence[str] = ()
) -> Generator[FaceRow]:
    """Go through a table of pixels, one row in memory at a time.

    With `whole` it must have all columns of `fer2013.csv`, else `pixels` is enough. Without
    `labels` classes and splits are passed over. `swapped` is as in `read_rows`. Raises `DataError`
    that names file, line and column.
    """
    there = _header(path) if labels and path.is_file() else set()
    columns = [name for name in _HEADER if whole or name == "pixels" or name.lower() in there]
    with closing(read_rows(path, columns, "Kaggle's fer2013.csv", swapped=swapped)) as rows:
        for line, cells in rows:
            row = dict(zip(columns, cells, strict=True))
            emotion, usage = row.get("emotion"), row.get("Usage")
            yield FaceRow(
                line=line,
                emotion=-1 if emotion is None else whole_number(path, line, "emotion", emotion, 6),
                pixels=row["pixels"],
                split=0 if usage is None else split_of(path, line, usage),
            )


def parse_pixels(path: Path, row: FaceRow) -> np.ndarray:
    """The image of a row, `(48, 48, 1)` uint8."""
    tokens = row.pixels.split()
    if len(tokens) != SIDE * SIDE:
        expected = f"{SIDE * SIDE} numbers ({SIDE} x {SIDE})"
        raise wrong_cell(path, row.line, "pixels", expected, str(len(tokens)))
    try:
        values = bytes(map(_PIXEL.__getitem__, tokens))
    except KeyError as error:
        received = repr(error.args[0][:40])
        raise wrong_cell(path, row.line, "pixels", "whole numbers 0 to 255", received) from None
    return np.frombuffer(values, dtype=np.uint8).reshape(SIDE, SIDE, 1)


def read_rows(
    path: Path, columns: Sequence[str], what: str, *, swapped: Sequence[str] = ()
) -> Generator[tuple[int, list[str]]]:
    """Line number and the cells under `columns`, in that order, of each row of a CSV file.

    `what` names the file in messages. `swapped` is the header of another file that it may have been
    taken for. Case and blanks of the names do not matter.
    """
    _check_is_text(path, what)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            found = [cell.strip() for cell in next(reader, [])]
            where = _positions(path, columns, found, what, swapped)
            for row in reader:
                if not row:
                    continue
                if len(row) != len(found):
                    expected = f"{len(found)} cells"
                    raise wrong_cell(path, reader.line_num, "row", expected, str(len(row)))
                yield reader.line_num, [row[index] for index in where]
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} is not a CSV text file: {reason_of(error)}", hint=PUBLISHED
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {reason_of(error)}") from error


def split_of(path: Path, line: int, usage: str) -> int:
    """The index in `SPLITS` of what the column `Usage` says."""
    try:
        return USAGES.index(usage.strip())
    except ValueError:
        raise wrong_cell(path, line, "Usage", " or ".join(USAGES), repr(usage[:40])) from None


def whole_number(path: Path, line: int, column: str, cell: str, most: int) -> int:
    """A cell as a whole number, 0 to `most`."""
    text = cell.strip()
    if text.isascii() and text.isdigit() and len(text) <= 6 and int(text) <= most:
        return int(text)
    raise wrong_cell(path, line, column, f"a whole number 0 to {most}", repr(cell[:40]))


def wrong_cell(path: Path, line: int, column: str, expected: str, received: str) -> DataError:
    """The error for a cell that does not fit."""
    return DataError(
        f"{path}, line {line}, {column}: expected {expected}, received {received}",
        hint=PUBLISHED,
    )


def _header(path: Path) -> set[str]:
    """The names of the columns in small letters; none where the file is no text."""
    with path.open("rb") as file:
        first = file.readline(_LONGEST_LINE)
    cells = first.decode("utf-8-sig", errors="replace").split(",")
    return {cell.strip().strip('"').strip().lower() for cell in cells}


def _check_is_text(path: Path, what: str) -> None:
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "does not exist"
        raise UsageError(f"{path} {found}: expected {what}", hint="check the path")
    with path.open("rb") as file:
        start = file.read(2)
    if start in _PACKED_FORMS:
        raise DataError(
            f"{path} is a {_PACKED_FORMS[start]} file: expected {what} as text",
            hint="unpack it first and pass the CSV file inside",
        )


def _positions(
    path: Path, columns: Sequence[str], found: Sequence[str], what: str, swapped: Sequence[str]
) -> list[int]:
    names = [name.lower() for name in found]
    missing = [name for name in columns if name.lower() not in names]
    if not missing:
        return [names.index(name.lower()) for name in columns]
    is_other = swapped and {name.lower() for name in swapped} <= set(names)
    shown = ",".join(found)[:120] or "an empty line"
    raise DataError(
        f"{path}, line 1: expected the header {','.join(columns)} of {what}, received {shown}",
        hint="are --images and --votes swapped?" if is_other else f"missing: {', '.join(missing)}",
    )

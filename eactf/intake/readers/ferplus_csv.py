"""The two published CSV files of FERPlus, read row by row.

Kaggle's `fer2013.csv` (`emotion,pixels,Usage`) has the images, Microsoft's `fer2013new.csv`
(`Usage,Image name,neutral,...,unknown,NF`) the votes; row `i` of one is row `i` of the other.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.intake.votes import VOTE_COLUMNS

__all__ = ["SIDE", "USAGES", "ImageRow", "VoteTable", "parse_pixels", "read_images", "read_votes"]

SIDE = 48
"""FER2013's images are 48 x 48."""

USAGES = ("Training", "PublicTest", "PrivateTest")
"""FER2013's names of its splits, in the order of `SPLITS`."""

_IMAGE_HEADER = ("emotion", "pixels", "Usage")
_VOTE_HEADER = ("Usage", "Image name", *VOTE_COLUMNS)
_PUBLISHED = "use the file as published, neither sorted, filtered nor edited"
_PACKED_FORMS = {b"\x1f\x8b": "gzip", b"PK": "zip", b"\x89H": "HDF5"}
_PIXEL = {str(value): value for value in range(256)}


@dataclass(frozen=True)
class VoteTable:
    """`fer2013new.csv`; row `i` of every array is its row `i`.

    `split` is `(n,)` uint8, an index into `SPLITS`; `names` the image names, "" where FERPlus
    removed the image; `votes` is `(n, 10)` uint8.
    """

    path: Path
    split: np.ndarray
    names: np.ndarray
    votes: np.ndarray

    def __len__(self) -> int:
        return len(self.split)


@dataclass(frozen=True)
class ImageRow:
    """A row of `fer2013.csv`: its line in the file, FER2013's class (0 to 6), pixels as text."""

    line: int
    emotion: int
    pixels: str
    split: int


def read_votes(path: Path) -> VoteTable:
    """Read Microsoft's `fer2013new.csv`; `DataError` names file, line and column."""
    splits, names, votes = [], [], []
    for line, row in _rows(path, _VOTE_HEADER, "FERPlus's fer2013new.csv"):
        splits.append(_split(path, line, row[0]))
        names.append(row[1].strip())
        counts = zip(VOTE_COLUMNS, row[2:], strict=True)
        votes.append([_whole(path, line, column, cell, 255) for column, cell in counts])
    if not votes:
        raise DataError(f"{path} has a header but no rows", hint=_PUBLISHED)
    return VoteTable(
        path, np.array(splits, np.uint8), np.array(names), np.array(votes, dtype=np.uint8)
    )


def read_images(path: Path) -> Iterator[ImageRow]:
    """Go through Kaggle's `fer2013.csv`, one row in memory at a time."""
    for line, (emotion, pixels, usage) in _rows(path, _IMAGE_HEADER, "Kaggle's fer2013.csv"):
        label = _whole(path, line, "emotion", emotion, 6)
        yield ImageRow(line, label, pixels, _split(path, line, usage))


def parse_pixels(path: Path, row: ImageRow) -> np.ndarray:
    """The image of a row, `(48, 48, 1)` uint8."""
    tokens = row.pixels.split()
    if len(tokens) != SIDE * SIDE:
        raise _wrong(
            path, row.line, "pixels", f"{SIDE * SIDE} numbers ({SIDE} x {SIDE})", str(len(tokens))
        )
    try:
        values = bytes(map(_PIXEL.__getitem__, tokens))
    except KeyError as error:
        raise _wrong(
            path, row.line, "pixels", "whole numbers 0 to 255", repr(error.args[0])
        ) from None
    return np.frombuffer(values, dtype=np.uint8).reshape(SIDE, SIDE, 1)


def _rows(path: Path, header: Sequence[str], what: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and the cells under `header`, in its order, of each row of a CSV file."""
    _check_is_text(path, what)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            found = [cell.strip() for cell in next(reader, [])]
            where = _columns(path, header, found, what)
            for row in reader:
                if not row:
                    continue
                if len(row) != len(found):
                    raise _wrong(path, reader.line_num, "row", f"{len(found)} cells", str(len(row)))
                yield reader.line_num, [row[index] for index in where]
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a CSV text file: {error}", hint=_PUBLISHED) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error


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


def _columns(path: Path, header: Sequence[str], found: Sequence[str], what: str) -> list[int]:
    missing = [name for name in header if name not in found]
    if not missing:
        return [found.index(name) for name in header]
    other = _VOTE_HEADER if header == _IMAGE_HEADER else _IMAGE_HEADER
    swapped = set(other) <= set(found)
    shown = ",".join(found)[:120] or "an empty line"
    raise DataError(
        f"{path}, line 1: expected the header {','.join(header)} of {what}, received {shown}",
        hint="are --images and --votes swapped?" if swapped else f"missing: {', '.join(missing)}",
    )


def _split(path: Path, line: int, usage: str) -> int:
    try:
        return USAGES.index(usage.strip())
    except ValueError:
        raise _wrong(path, line, "Usage", " or ".join(USAGES), repr(usage[:40])) from None


def _whole(path: Path, line: int, column: str, cell: str, most: int) -> int:
    text = cell.strip()
    if text.isascii() and text.isdigit() and len(text) <= 6 and int(text) <= most:
        return int(text)
    raise _wrong(path, line, column, f"a whole number 0 to {most}", repr(cell[:40]))


def _wrong(path: Path, line: int, column: str, expected: str, received: str) -> DataError:
    return DataError(
        f"{path}, line {line}, {column}: expected {expected}, received {received}",
        hint=_PUBLISHED,
    )

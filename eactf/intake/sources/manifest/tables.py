"""This module reads tables of text: CSV of any dialect, TSV, and plain lists of image and label.

Rows come one at a time, so that a large file never lies in memory whole.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TextIO

from eactf.errors import DataError
from eactf.foreign import reason_of
from eactf.intake.decode import IMAGE_SUFFIXES
from eactf.intake.sources.splits import split_named

__all__ = ["Row", "Table", "example_header", "names_an_image", "open_table"]

Row = tuple[int, list[str]]
"""A row's line in the file (the last one, where it runs over several) and its cells."""

_DELIMITERS = ",;\t|"
_USUAL = {".csv": ",", ".tsv": "\t"}
_SUFFIXES = "|".join(suffix[1:] for suffix in sorted(IMAGE_SUFFIXES))
_IMAGE_AND_CELLS = re.compile(rf"(\S.*?\.(?:{_SUFFIXES}))((?:\s+\S+)+)", re.IGNORECASE)
_HEADER_CELLS = re.compile(r"[\s,;|]+")
_EXCEL_SEPARATOR = re.compile(r"sep=(.)", re.IGNORECASE)
_HEADER = "expected a header line, for example: path,label"
_UTF8 = "save it as UTF-8 (in Excel: 'CSV UTF-8')"
_NO_TEXT = {
    b"\x1f\x8b": ("is a gzip file", "unpack it and pass the file inside"),
    b"PK\x03\x04": ("is a zip file or an Excel sheet", "unpack it, or save the sheet as CSV"),
    b"\x89HDF": ("is an HDF5 file", "give it the suffix .h5"),
    b"\xff\xfe": ("is UTF-16 text", _UTF8),
    b"\xfe\xff": ("is UTF-16 text", _UTF8),
}


@dataclass(frozen=True)
class Table:
    """A text table whose form is known.

    `header` is None where the first line is data already. `delimiter` is None for a list with
    blanks between its cells.
    """

    path: Path
    delimiter: str | None
    header: tuple[str, ...] | None
    width: int

    def rows(self) -> Generator[Row]:
        """The rows below the header, `width` cells each.

        Short rows are filled up with empty cells; those of a list have to be whole. Raises
        `DataError` with file and line. The file is open until the last row, or `close`.
        """
        with closing(_read(self.path, self.delimiter)) as rows:
            for line, cells in islice(rows, self.header is not None, None):
                self._check(line, cells)
                yield line, (cells + [""] * (self.width - len(cells)))[: self.width]

    def _check(self, line: int, cells: list[str]) -> None:
        if self.delimiter is None and len(cells) != self.width:
            raise DataError(
                f"{self.path}, line {line}: expected {self.width} words with blanks between"
                f" them, as in the first line, received {len(cells)}: {' '.join(cells)[:120]}",
                hint="write a CSV file instead, with the header path,label",
            )
        if any(cells[self.width :]):
            raise DataError(
                f"{self.path}, line {line}: expected {self.width} cells,"
                f" received {len(cells)}: {' | '.join(cells)[:120]}",
                hint="put a cell that holds the delimiter itself between double quotes",
            )

    def sample(self, most: int) -> list[list[str]]:
        """The cells of the first rows, `most` of them."""
        with closing(self.rows()) as rows:
            return [cells for _, cells in islice(rows, most)]


def open_table(path: Path, *, has_header: bool = False) -> Table:
    """Tell the form of a text table by its first lines.

    The first line is a header unless one of its cells names an image file; with `has_header` it
    always is. Raises `DataError` for a file that is no UTF-8 text, or is empty.
    """
    first, second = _first_lines(path)
    delimiter = None if _heads_a_list(first, second) else _delimiter(path, first)
    if delimiter is None:
        return _open_list(path, first, second, has_header)
    with closing(_read(path, delimiter)) as rows:
        _, cells = next(rows)
    is_header = has_header or not any(map(names_an_image, cells))
    return Table(path, delimiter, tuple(cells) if is_header else None, len(cells))


def names_an_image(cell: str) -> bool:
    """Whether a text ends as the name of an image file does."""
    return cell.lower().endswith(tuple(IMAGE_SUFFIXES))


def _read(path: Path, delimiter: str | None) -> Generator[Row]:
    """All rows with a filled cell, the header too; blanks around cells are taken off."""
    line = 1
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = _listed(path, file) if delimiter is None else _parsed(file, delimiter)
            for line, cells in rows:
                cells = [cell.strip() for cell in cells]
                if any(cells) and not (line == 1 and _EXCEL_SEPARATOR.match(cells[0] + " ")):
                    yield line, cells
    except csv.Error as error:
        raise DataError(
            f"{path}, after line {line}: {reason_of(error)}",
            hint="is a closing double quote missing?",
        ) from error
    except UnicodeDecodeError:
        raise DataError(f"{path}, line {_undecodable(path)}: not UTF-8 text", hint=_UTF8) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def _parsed(file: TextIO, delimiter: str) -> Iterator[Row]:
    reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
    for row in reader:
        yield reader.line_num, row


def _listed(path: Path, file: TextIO) -> Iterator[Row]:
    """The lines of a list; the header's cells may have other signs between them."""
    for line, text in enumerate(file, start=1):
        if text := text.strip():
            yield line, _list_cells(text) if line > 1 else _first_cells(text)


def _open_list(path: Path, first: str, second: str, has_header: bool) -> Table:
    """The form of a list with blanks between its cells."""
    cells, below = _first_cells(first), _list_cells(second)
    if not has_header and _IMAGE_AND_CELLS.fullmatch(first):
        return Table(path, None, None, len(cells))
    if len(cells) > 1 and len(cells) == len(below):
        return Table(path, None, tuple(cells), len(cells))
    if len(below) > 1 and not _IMAGE_AND_CELLS.fullmatch(first):
        raise DataError(
            f"{path}, line 1: received {first[:80]!r} above rows of {len(below)} cells",
            hint=f"expected a header of {len(below)} names, for example:"
            f" {example_header(_list_cells(second), ' ')}",
        )
    raise DataError(f"{path}, line 1: received {first[:80]!r}", hint=_HEADER)


def example_header(cells: Sequence[str], delimiter: str) -> str:
    """A first line that gives a table's columns names by a row of it.

    >>> example_header(["a.png", "0", "train", "7"], ",")
    'path,label,split,column4'
    """
    names = []
    for number, cell in enumerate(cells, start=1):
        role = "path" if names_an_image(cell) else "split" if split_named(cell) is not None else ""
        role = role or "label"
        names.append(role if role not in names else f"column{number}")
    return delimiter.join(names)


def _first_cells(text: str) -> list[str]:
    """The cells of a list's first line, a row or a header."""
    match = _IMAGE_AND_CELLS.fullmatch(text)
    return _list_cells(text) if match else [cell for cell in _HEADER_CELLS.split(text) if cell]


def _list_cells(text: str) -> list[str]:
    """A line of a list: an image, whose name may hold blanks, and words; or words alone."""
    match = _IMAGE_AND_CELLS.fullmatch(text)
    return [match[1], *match[2].split()] if match else text.split()


def _first_lines(path: Path) -> tuple[str, str]:
    """The first two lines that are not blank, an Excel separator line among them."""
    with path.open("rb") as file:
        start = file.read(8192)
    for magic, (found, hint) in _NO_TEXT.items():
        if start.startswith(magic):
            raise DataError(f"{path} {found}: expected a table as UTF-8 text", hint=hint)
    if b"\0" in start:
        raise DataError(f"{path} is no text file: expected a table as UTF-8 text", hint=_UTF8)
    text = start.decode("utf-8-sig", errors="replace")
    lines = [stripped for line in text.splitlines() if (stripped := line.strip())]
    if not lines:
        raise DataError(f"{path} is empty", hint=_HEADER)
    return lines[0], lines[1] if len(lines) > 1 else ""


def _heads_a_list(first: str, second: str) -> bool:
    """Whether a header with commas stands over rows with blanks between their cells."""
    return (
        any(mark in first for mark in _DELIMITERS)
        and not any(mark in second for mark in _DELIMITERS)
        and len(_list_cells(second)) == len(_first_cells(first)) > 1
        and not any(map(names_an_image, _first_cells(first)))
    )


def _delimiter(path: Path, first: str) -> str | None:
    """The delimiter that gives the first line most cells; None where none parts it.

    A single column is taken as CSV, unless blanks part it.
    """
    if excel := _EXCEL_SEPARATOR.fullmatch(first):
        return excel.group(1)
    cells = {mark: len(next(csv.reader([first], delimiter=mark))) for mark in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda mark: (cells[mark], mark == _USUAL.get(path.suffix.lower())))
    if cells[best] > 1:
        return best
    return None if re.search(r"\s", first) else ","


def _undecodable(path: Path) -> int:
    """The first line that is not UTF-8."""
    with path.open("rb") as file:
        for line, content in enumerate(file, start=1):
            try:
                content.decode()
            except UnicodeDecodeError:
                return line
    return 1

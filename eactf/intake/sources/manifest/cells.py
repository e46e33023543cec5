"""`read_cells` reads all cells of a manifest once and keeps them by column."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from eactf.errors import DataError
from eactf.intake.findings import Finding, Severity
from eactf.intake.sources.manifest.columns import Roles
from eactf.intake.sources.manifest.tables import Table
from eactf.intake.sources.missing import is_missing

__all__ = ["Cells", "read_cells"]

_LONGEST = 1_024  # bytes of a cell that is kept; as long as a name may be
_SHARED = 10_000  # different texts of a column that are looked up, so that equal ones are one


@dataclass(frozen=True)
class Cells:
    """The columns of a manifest by position; row `i` of each is the same sample.

    `lines` are the lines in the file, `numbers` count its rows from 0. Rows that name no image are
    not here.
    """

    lines: list[int]
    numbers: list[int]
    columns: dict[int, list[str]]
    findings: tuple[Finding, ...]


def read_cells(table: Table, roles: Roles) -> Cells:
    """Read all columns that have a name; `DataError` where no row names an image.

    A column without a role that holds long texts is left out, for it would have to be kept whole.
    """
    columns: dict[int, list[str]] = {i: [] for i in roles.positions()}
    shared: dict[int, dict[str, str]] = {i: {} for i in columns}
    lines, numbers, pathless, long = [], [], [], []
    with closing(table.rows()) as rows:
        for number, (line, row) in enumerate(rows):
            _check_path(table, line, row[roles.path])
            if is_missing(row[roles.path]):
                pathless.append(line)
                continue
            lines.append(line)
            numbers.append(number)
            for i in list(columns):
                cell = row[i]
                if (
                    len(cell) > _LONGEST // 4
                    and len(cell.encode()) > _LONGEST
                    and i in roles.others
                ):
                    long.append(roles.names[i])
                    del columns[i]
                    continue
                same = shared[i]
                columns[i].append(same.setdefault(cell, cell) if len(same) < _SHARED else cell)
    if not lines:
        raise DataError(f"{table.path}: no row names an image", hint="expected rows: path,label")
    return Cells(lines, numbers, columns, tuple(_findings(table, pathless, long)))


def _check_path(table: Table, line: int, cell: str) -> None:
    if "\n" in cell or "\r" in cell:
        raise DataError(
            f"{table.path}, up to line {line}: the path runs over several lines",
            hint="is a closing double quote missing?",
        )
    if len(cell) > _LONGEST // 4 and len(cell.encode()) > _LONGEST:
        raise DataError(
            f"{table.path}, line {line}: expected a path of at most {_LONGEST:,} bytes, received"
            f" {len(cell.encode()):,}: {cell[:40]}...",
            hint="is a line end or a delimiter missing?",
        )


def _findings(table: Table, pathless: list[int], long: list[str]) -> Iterator[Finding]:
    if pathless:
        yield Finding(
            "rows-without-path",
            Severity.WARNING,
            f"{table.path.name}: rows without a path, left out: {len(pathless)}",
            "fill in the paths, or remove the rows",
            tuple(f"line {line}" for line in pathless),
        )
    if long:
        yield Finding(
            "column-left-out",
            Severity.NOTE,
            f"{table.path.name}: columns with texts of over {_LONGEST} bytes are not kept:"
            f" {', '.join(long)}",
            "nothing to do",
            tuple(long),
        )

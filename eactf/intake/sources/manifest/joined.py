"""This module reads tables of one split each (`train.csv`, `test.csv`) as if they were one."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from eactf.errors import DataError
from eactf.intake.sources.manifest.tables import Row, Table, open_table
from eactf.intake.sources.splits import split_in_stem
from eactf.packed.records import SPLITS

__all__ = ["JoinedTable", "Line", "join_tables", "split_tables_in"]

_SUFFIXES = (".csv", ".tsv", ".txt")


class Line(int):
    """The number of a line that also knows which file it is in: it reads "3 of val.csv"."""

    file: str
    split: int

    @classmethod
    def of(cls, number: int, file: str, split: int) -> Line:
        """Line `number` of the table `file`, which holds the split of that index."""
        line = cls(number)
        line.file, line.split = file, split
        return line

    def __str__(self) -> str:
        return f"{int(self)} of {self.file}"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)


@dataclass(frozen=True)
class JoinedTable(Table):
    """Several tables one below the other; `path` is their folder, `parts` give the split of each.

    Columns are joined by their names. A column that one of the tables lacks is empty there.
    """

    parts: tuple[tuple[int, Table], ...] = ()

    def rows(self) -> Generator[Row]:
        """The rows of all tables in turn; each line is a `Line`."""
        for split, table in self.parts:
            places = self._places(table)
            for number, cells in table.rows():
                row = [""] * self.width
                for place, cell in zip(places, cells, strict=True):
                    row[place] = cell
                yield Line.of(number, table.path.name, split), row

    def sample(self, most: int) -> list[list[str]]:
        """The cells of the first rows of the first table: each may count its ids anew."""
        first = replace(self, parts=self.parts[:1])
        with closing(first.rows()) as rows:
            return [cells for _, cells in islice(rows, most)]

    def lacking(self) -> dict[str, list[str]]:
        """For each table that lacks columns of the others, their names."""
        found = {}
        for _, table in self.parts:
            here = set(self._places(table))
            names = self.header or [f"column {i + 1}" for i in range(self.width)]
            if missing := [name for i, name in enumerate(names) if i not in here and name]:
                found[table.path.name] = missing
        return found

    def _places(self, table: Table) -> list[int]:
        """Where each column of one of the tables stands in this one."""
        if self.header is None or table.header is None:
            return list(range(table.width))
        places = {_plain(name): i for i, name in reversed(list(enumerate(self.header)))}
        return [places[_plain(name)] for name in table.header]


def split_tables_in(folder: Path) -> list[Path]:
    """The tables directly in `folder` that hold one split each, training first.

    They are named alike but for the name of the split, and they are two or more, one a split. Of
    several such sets the one with the most splits is taken, CSV before plain lists.
    """
    sets: dict[tuple[str, str], dict[int, Path]] = {}
    for path in _entries(folder):
        found = split_in_stem(path.stem)
        suffix = path.suffix.lower()
        if found is None or suffix not in _SUFFIXES or path.name.startswith("."):
            continue
        if path.is_file():
            split, pattern = found
            sets.setdefault((pattern, suffix), {}).setdefault(split, path)
    several = {key: by_split for key, by_split in sets.items() if len(by_split) > 1}
    if not several:
        return []
    order = {suffix: place for place, suffix in enumerate(_SUFFIXES)}
    key = min(several, key=lambda key: (-len(several[key]), order[key[1]], len(key[0]), key))
    return [several[key][split] for split in sorted(several[key])]


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # told by whoever reads the folder
        return []


def join_tables(folder: Path, paths: Sequence[Path], *, has_header: bool) -> JoinedTable:
    """Open the tables of the splits as one; `DataError` where only some of them have a header."""
    parts = []
    for path in paths:
        split, _ = split_in_stem(path.stem) or (SPLITS.index("train"), "")
        parts.append((split, open_table(path, has_header=has_header)))
    tables = [table for _, table in parts]
    bare = [table.path.name for table in tables if table.header is None]
    if bare and len(bare) < len(tables):
        named = next(table.path.name for table in tables if table.header is not None)
        raise DataError(
            f"{folder}: {named} has a header line and {bare[0]} has none",
            hint="write a first line that names the columns in each, for example: path,label",
        )
    if bare:
        width = max(table.width for table in tables)
        return JoinedTable(folder, tables[0].delimiter, None, width, tuple(parts))
    header = tuple(_joined_names(tables))
    return JoinedTable(folder, tables[0].delimiter, header, len(header), tuple(parts))


def _joined_names(tables: Sequence[Table]) -> list[str]:
    names: list[str] = []
    known: set[str] = set()
    for place, table in enumerate(tables):
        for name in table.header or ():
            if place == 0 or _plain(name) not in known:
                names.append(name)
                known.add(_plain(name))
    return names


def _plain(name: str) -> str:
    return name.strip().casefold()

"""Where a report goes: the page, and the folder of its figures beside it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from eactf.errors import UsageError
from eactf.files import write_bytes, write_text
from eactf.report.page.blocks import Cards, Figure, Section
from eactf.suggestions import command_line

__all__ = ["Place"]

_INDEX = "index.csv"
_HEADER = ["figure", "title"]


class Place:
    """The files of a report: `page`, and in the folder `figures` those of its figures.

    `figures` is called so beside `report.html`, and beside a page of another name, such as
    `mine.html`, `mine-figures`.
    """

    def __init__(self, page: Path) -> None:
        self.page = page
        stem = page.stem
        self.figures = page.with_name("figures" if stem == "report" else f"{stem}-figures")

    def refuse(self, *, overwrite: bool) -> None:
        """Raise `UsageError` where the report cannot be written, or would replace something.

        With `overwrite` an earlier report may be replaced; a folder that no report made is not.
        """
        if not self.page.parent.is_dir():
            raise UsageError(
                f"{self.page} is in a folder that is not there", hint="make the folder first"
            )
        taken = [path for path in (self.page, self.figures) if path.exists()]
        if taken and not overwrite:
            raise UsageError(
                f"{taken[0]} exists and is not overwritten",
                hint="give -o another name, or replace the report: --overwrite",
            )
        if self.page.is_dir() or (self.figures.exists() and not self._is_ours()):
            strange = self.page if self.page.is_dir() else self.figures
            raise UsageError(
                f"{strange} is not of a report, and is not replaced",
                hint=f"give another name: {command_line('-o', self.page.with_name('mine.html'))}",
            )

    def write(self, html: str, sections: Sequence[Section]) -> None:
        """Write the figures, then the page, each file whole or not at all.

        Of an earlier report the figures that are no longer there are removed.
        """
        figures = list(_figures(sections))
        before = self._names()
        self.figures.mkdir(exist_ok=True)
        # First what is to come: after a crash the folder is still known as ours.
        names = [figure.name for figure in figures]
        self._write_index(figures, kept=[name for name in before if name not in names])
        for figure in figures:
            write_text(self.figures / f"{figure.name}.svg", figure.svg)
            write_bytes(self.figures / f"{figure.name}.png", figure.png)
            write_bytes(self.figures / f"{figure.name}.csv", _csv(figure))
        for name in before:
            if name not in names:
                self._remove(name)
        self._write_index(figures)
        write_bytes(self.page, html.encode(errors="backslashreplace"))

    def _is_ours(self) -> bool:
        return self.figures.is_dir() and (self.figures / _INDEX).is_file()

    def _names(self) -> list[str]:
        """The figures of the report that was here before."""
        if not self._is_ours():
            return []
        with (self.figures / _INDEX).open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        return [row[0] for row in rows[1:] if row and _is_plain(row[0])]

    def _write_index(self, figures: Sequence[Figure], kept: Sequence[str] = ()) -> None:
        rows = [[figure.name, figure.title] for figure in figures]
        content = _text([_HEADER, *rows, *([name, ""] for name in kept)])
        write_bytes(self.figures / _INDEX, content)

    def _remove(self, name: str) -> None:
        for kind in ("svg", "png", "csv"):
            (self.figures / f"{name}.{kind}").unlink(missing_ok=True)


def _figures(sections: Sequence[Section]) -> Iterable[Figure]:
    for section in sections:
        for block in section.blocks:
            if isinstance(block, Figure):
                yield block
            elif isinstance(block, Cards) and block.figure is not None:
                yield block.figure


def _is_plain(name: str) -> bool:
    return bool(name) and all(char.isalnum() or char in "-_" for char in name)


def _csv(figure: Figure) -> bytes:
    rows = [["" if cell is None else cell for cell in row] for row in figure.numbers.rows]
    return _text([figure.numbers.columns, *rows])


def _text(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode(errors="backslashreplace")

"""The tables and curves of `reproduce`, filled with the runs of a comparison."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eactf.errors import DataError
from eactf.report.cells import read_run
from eactf.report.page.blocks import Block, Figure, Section, Table
from eactf.report.page.drawing import line_style, run_colour, sheet
from eactf.report.page.subject import Subject
from eactf.report.paper_tables import Budget, PaperTable, Place, list_tables
from eactf.report.table import Spread
from eactf.training.run_list import read_plainly

__all__ = ["Filled", "filled_tables", "paper"]

_BUDGETS: tuple[Budget, ...] = ("paper", "small")


@dataclass(frozen=True)
class Filled:
    """A paper's table as far as a comparison has run it, on one data set with one budget."""

    name: str
    table: PaperTable
    budget: Budget
    data: str
    cells: Mapping[Place, Spread]

    @property
    def is_sweep(self) -> bool:
        """Whether its columns are the steps of one setting, which the paper shows as a curve."""
        return self.name.startswith("figure")


def paper(subject: Subject) -> Section | None:
    """The papers' tables, with their numbers, and their sweeps, as curves."""
    found = [filled for folder in subject.comparisons for filled in filled_tables(folder)]
    if not found:
        return None
    paragraph = (
        "Accuracy in percent, the mean of the last epochs; in brackets the standard deviation "
        "over the seeds. Beside it the number that the paper printed. Runs of the small budget "
        "are not the paper's protocol: compare the order of the rows, not the numbers."
    )
    blocks: list[Block] = [_curve(filled) for filled in found if filled.is_sweep]
    blocks += [_table(filled) for filled in found]
    return Section("paper", "The paper's tables and sweeps", [paragraph], blocks)


def filled_tables(folder: Path) -> list[Filled]:
    """What the runs of a comparison's folder fill of the shipped tables.

    A run belongs to a place of a table where it is called as `reproduce` calls it, and is of the
    recipe and with all of the settings of that place.
    """
    runs = list(_runs(folder))
    found = []
    for name, table in list_tables().items():
        for budget in _BUDGETS:
            groups: dict[str, dict[Place, list[float]]] = {}
            for place in table.places():
                wanted, end = set(table.settings(place, budget)), f", {place.column}, {place.row}"
                for run in runs:
                    data = run.row.removesuffix(end)
                    if data == run.row or run.recipe != table.recipe(budget, data):
                        continue
                    if wanted <= run.settings:
                        cells = groups.setdefault(data, {})
                        cells.setdefault(place, []).append(run.accuracy)
            for data_set, cells in groups.items():
                spreads = {place: Spread.of(values) for place, values in cells.items()}
                known = {place: one for place, one in spreads.items() if one is not None}
                found.append(Filled(name, table, budget, data_set, known))
    return found


@dataclass(frozen=True)
class _Run:
    """A finished run of a comparison, as its index has it."""

    row: str
    recipe: str
    settings: frozenset[str]
    accuracy: float


def _runs(folder: Path) -> Iterator[_Run]:
    """The finished runs of a comparison."""
    for name, entry in read_plainly(folder, "index.json").items():
        if not isinstance(entry, dict) or not entry.keys() >= {"row", "arguments"}:
            continue
        try:
            result: Mapping[str, Any] = read_run(folder / name)
        except DataError:
            continue  # of one that failed there is nothing to tell here
        arguments = [str(word) for word in entry["arguments"]]
        options = list(itertools.pairwise(arguments))
        yield _Run(
            str(entry["row"]),
            next((value for option, value in options if option == "--recipe"), ""),
            frozenset(value for option, value in options if option == "--set"),
            float(result["mean_of_last_epochs"]["accuracy"]),
        )


def _names(filled: Filled) -> tuple[list[str], list[str]]:
    """The rows and columns that have a cell, in the table's order."""
    rows = [row for row in filled.table.rows if any(place.row == row for place in filled.cells)]
    columns = [
        column
        for column in filled.table.columns
        if any(place.column == column for place in filled.cells)
    ]
    return rows, columns


def _table(filled: Filled) -> Table:
    rows, columns = _names(filled)
    with_paper = filled.data in filled.table.paper
    heads = [""]
    for column in columns:
        heads += [column, "paper"] if with_paper else [column]
    lines = []
    for row in rows:
        line = [row]
        for column in columns:
            place = Place(row, column)
            own = filled.cells.get(place)
            line.append("-" if own is None else own.percent())
            if with_paper:
                published = filled.table.published(filled.data, place)
                line.append("-" if published is None else f"{100 * published:.2f}")
        lines.append(line)
    return Table(_heading(filled), heads, lines)


def _heading(filled: Filled) -> str:
    return f"{filled.table.title} ({filled.name}): {filled.data}, {filled.budget} budget"


def _curve(filled: Filled) -> Figure:
    rows, columns = _names(filled)
    lines = {row: [filled.cells.get(Place(row, column)) for column in columns] for row in rows}
    with sheet() as drawn:
        for number, (row, spreads) in enumerate(lines.items()):
            known = [(place, one) for place, one in enumerate(spreads) if one is not None]
            drawn.axes.errorbar(
                [place for place, _ in known],
                [100 * one.mean for _, one in known],
                [100 * (one.deviation or 0.0) for _, one in known],
                color=run_colour(number),
                linestyle=line_style(number),
                marker="o",
                markersize=4,
                capsize=2,
                label=row,
            )
        drawn.axes.set_xticks(range(len(columns)), columns, rotation=0 if len(columns) < 9 else 45)
        drawn.axes.set(xlabel=_setting(filled.table), ylabel="accuracy, percent")
        drawn.axes.legend(loc="best")
        return drawn.finish(
            f"sweep-{filled.name}-{_plain(filled.data)}-{filled.budget}",
            _heading(filled),
            caption=f"After {filled.table.source}, which prints no numbers.",
            alt=f"{_heading(filled)}: "
            + "; ".join(_told(row, columns, lines[row]) for row in rows),
            columns=["row", "column", "accuracy", "standard deviation", "runs"],
            rows=[
                [row, column, one.mean, one.deviation, one.n]
                for row in rows
                for column, one in zip(columns, lines[row], strict=True)
                if one is not None
            ],
        )


def _setting(table: PaperTable) -> str:
    """What the columns change."""
    return ", ".join(dict.fromkeys(key for keys in table.columns.values() for key in keys))


def _plain(name: str) -> str:
    return "".join(char if char.isascii() and char.isalnum() else "-" for char in name)


def _told(row: str, columns: Sequence[str], spreads: Sequence[Spread | None]) -> str:
    known = {column: one for column, one in zip(columns, spreads, strict=True) if one is not None}
    best = max(known, key=lambda column: known[column].mean)
    return f"{row} is best at {best}, with {known[best].percent()} percent"

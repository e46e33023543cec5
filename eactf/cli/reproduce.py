"""`eactf reproduce` runs a paper's table, cell by cell, on the user's own copy of its data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from eactf import console
from eactf.cli.compare import (
    Wanted,
    check_outputs,
    save_tables,
    show_table,
    table_options,
    tell_table,
)
from eactf.cli.options import FILE_PATH
from eactf.errors import UsageError
from eactf.suggestions import command_line
from eactf.wording import counted

if TYPE_CHECKING:
    from eactf.report.cells import Cell
    from eactf.report.comparison import Outcome
    from eactf.report.reproduction import TableData, Work
    from eactf.report.rows import Row

__all__ = ["reproduce"]


@click.command()
@click.argument("table", required=False)
@click.option(
    "--data",
    "files",
    multiple=True,
    metavar="FILE|NAME=FILE",
    help="A packed file, or drawn-faces; repeatable, a data set each.",
)
@click.option(
    "--budget",
    type=click.Choice(["paper", "small"]),
    default="paper",
    show_default=True,
    help="paper: its network, size and epochs, meant for a GPU; small: two CPU cores.",
)
@click.option("--row", "rows", multiple=True, help="Only this row; repeatable.")
@click.option("--column", "columns", multiple=True, help="Only this column; repeatable.")
@click.option(
    "--weights", type=FILE_PATH, help="Backbone to start from, of 'eactf weights import'."
)
@click.option(
    "--curves", type=FILE_PATH, help="Write every epoch of every run to this CSV file too."
)
@click.option("--plan", is_flag=True, help="Print the commands of all cells; run nothing.")
@table_options
def reproduce(
    table: str | None,
    files: tuple[str, ...],
    budget: Literal["paper", "small"],
    rows: tuple[str, ...],
    columns: tuple[str, ...],
    weights: Path | None,
    curves: Path | None,
    plan: bool,
    wanted: Wanted,
) -> None:
    """Run a paper's table and set its numbers beside yours; without TABLE, list the tables.

    \b
    eactf reproduce
    eactf reproduce table1 --data raf.h5 --data ferplus.h5 --weights face.weights.h5 --seeds 3
    eactf reproduce table1 --data ferplus.h5 --budget small
    eactf reproduce table3 --data drawn-faces --budget small --plan
    eactf reproduce report --data raf.h5 --data affectnet.h5
    eactf reproduce multitask --data drawn-faces --budget small --curves curves.csv
    """
    from eactf.report.paper_tables import find_table
    from eactf.report.reproduction import Work, chosen_names, recognise, table_cells

    if table is None:
        _list_tables()
        return
    check_outputs(wanted, curves)
    found = find_table(table)
    if weights is not None and budget == "small":
        raise UsageError(
            "--weights goes with --budget paper",
            hint="the small budget has a small network of its own, from random weights",
        )
    work = Work(
        found,
        budget,
        chosen_names("--row", rows, found.rows),
        chosen_names("--column", columns, found.columns),
        wanted.seeds,
        wanted.settings,
        weights,
    )
    if not files:
        raise UsageError(
            f"{table} needs --data FILE",
            hint=f"{_wanted(work)}; pack it: eactf data pack --help; any packed file of yours, or "
            "drawn-faces, does as well",
        )
    data = [recognise(text) for text in files]
    _refuse_twice(data)
    cells = {item: table_cells(work, item) for item in data}
    _introduce(work, table, data)
    if plan:
        _tell_plan([cell for group in cells.values() for cell in group], wanted.folder)
        return
    _run(work, cells, wanted, curves)


def _run(
    work: Work, cells: dict[TableData, list[Cell]], wanted: Wanted, curves: Path | None
) -> None:
    from eactf.files import write_text
    from eactf.report.comparison import run_cells
    from eactf.report.curves import curves_csv
    from eactf.report.reproduction import grid
    from eactf.report.table import ComparisonTable, markdown_table

    optimistic = wanted.best_on_test
    outcomes = run_cells([cell for group in cells.values() for cell in group], wanted.folder)
    texts: list[str] = []
    rows: list[Row] = []
    for data, group in cells.items():
        table = tell_table(_of(outcomes, group), optimistic=optimistic)
        heads, lines = grid(work, data, table)
        console.say(f"\n{data.name}, {work.budget} budget", markup=False)
        console.table(heads, lines)
        console.say("percent, mean of the last epochs (standard deviation over the seeds)")
        show_table(table.without_prefix(f"{data.name}, "))
        _show_settled(work, data, _of(outcomes, group))
        texts += [f"### {data.name}\n\n{markdown_table(heads, lines)}", table.markdown()]
        rows += table.rows
    save_tables(ComparisonTable(tuple(rows), optimistic).csv(), "\n".join(texts), wanted)
    if curves is not None:
        write_text(curves, curves_csv(outcomes))
        console.say(f"written: {curves}", markup=False)


def _show_settled(work: Work, data: TableData, outcomes: Sequence[Outcome]) -> None:
    """Where the figures came to that the paper says should settle, mean of the last epochs."""
    from eactf.report.curves import settled

    names = work.table.settles
    if not names:
        return
    last = max((_last_epochs(outcome) for outcome in outcomes), default=1)
    found = settled(outcomes, list(names), last)
    if not found:
        return
    console.say(f"\nlosses, mean of the last {counted(last, 'epoch')}")
    heads = [f"{name} (paper: about {value:g})" for name, value in names.items()]
    console.table(
        ["", *heads],
        [
            [row.removeprefix(f"{data.name}, "), *(_figure(own.get(name)) for name in names)]
            for row, own in found.items()
        ],
    )


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _last_epochs(outcome: Outcome) -> int:
    return int(outcome.result["mean_of_last_epochs"]["epochs"]) if outcome.result else 1


def _of(outcomes: Sequence[Outcome], cells: Sequence[Cell]) -> list[Outcome]:
    own = {id(cell) for cell in cells}
    return [outcome for outcome in outcomes if id(outcome.cell) in own]


def _list_tables() -> None:
    from eactf.report.paper_tables import list_tables

    lines = []
    for name, table in list_tables().items():
        size = len(list(table.places()))
        data = ", ".join(table.data_sets)
        console.emit("table", name=name, title=table.title, source=table.source, cells=size)
        lines.append([name, table.title, data, str(size)])
    console.table(["table", "of", "the paper's data", "cells each"], lines)
    console.say("\nsee what would run: eactf reproduce NAME --data FILE --plan")


def _wanted(work: Work) -> str:
    return f"the paper's data: {', '.join(work.table.data_sets)}"


def _refuse_twice(data: Sequence[TableData]) -> None:
    names = [item.name for item in data]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        hint = "once is enough" if twice[0] == "drawn-faces" else "or name them: --data NAME=FILE"
        raise UsageError(f"--data: {twice[0]} is there twice", hint=hint)


def _introduce(work: Work, name: str, data: Sequence[TableData]) -> None:
    """Say what the table is, and in what these runs differ from the paper's."""
    table = work.table
    console.say(f"{name}  {table.title}", markup=False)
    console.say(f"  source     {table.source}", markup=False)
    for item in data:
        if table.paper and item.name not in table.paper:
            console.warn(f"the paper has no numbers for {item.name}; {_wanted(work)}")
    if work.budget == "small":
        console.warn(
            "the small budget is not the paper's protocol: compare the order of the rows, not "
            "the numbers"
        )
    elif table.pretrained and work.weights is None:
        console.warn(
            "the paper's networks were pre-trained on faces, these start from random weights: give "
            "--weights FILE, or compare with supplement-table1"
        )


def _tell_plan(cells: Sequence[Cell], folder: Path) -> None:
    """The commands, into the folders in which the finished runs are looked for."""
    from eactf.report.cells import unfinished_run

    for cell in cells:
        left = unfinished_run(cell, folder)
        place = ("--run-dir", folder / cell.key)
        words = (*cell.arguments, *place) if left is None else ("--resume", left)
        command = command_line("eactf", "train", *words)
        console.emit("cell", row=cell.row, seed=cell.seed, paper=cell.paper, command=command)
        console.say(f"\n# {cell.row}, seed {cell.seed}\n{command}", markup=False)
    console.say(f"\n{counted(len(cells), 'run')}; what one costs: add --dry-run to its command")

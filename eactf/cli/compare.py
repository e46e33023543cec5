"""`eactf compare` puts recipes over several seeds, or finished runs, into one table."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eactf import console
from eactf.cli.options import FILE_PATH, json_option
from eactf.errors import UsageError
from eactf.suggestions import did_you_mean

if TYPE_CHECKING:
    from eactf.report.cells import Cell
    from eactf.report.comparison import Outcome
    from eactf.report.table import ComparisonTable

__all__ = [
    "Wanted",
    "check_outputs",
    "compare",
    "save_tables",
    "show_table",
    "table_options",
    "tell_table",
]


@dataclass(frozen=True)
class Wanted:
    """What `compare` and `reproduce` are both told: how to run, and which tables to make of it."""

    seeds: int
    overrides: tuple[str, ...]
    folder: Path
    csv_file: Path | None
    markdown: Path | None
    overwrite: bool
    best_on_test: bool

    @property
    def settings(self) -> tuple[str, ...]:
        """The `key=value` texts for every recipe."""
        return self.overrides + (("report.best_on_test=true",) if self.best_on_test else ())


def table_options(command: Any) -> Any:
    """Give a command the options of `Wanted`, as its argument `wanted`."""

    @functools.wraps(command)
    def with_wanted(**given: Any) -> Any:
        own = {field.name: given.pop(field.name) for field in fields(Wanted)}
        return command(**given, wanted=Wanted(**own))

    options = [
        click.option("--seeds", default=1, show_default=True, type=click.IntRange(1, 100)),
        click.option(
            "--set",
            "overrides",
            multiple=True,
            metavar="KEY=VALUE",
            help="Change a key; repeatable.",
        ),
        click.option(
            "--folder",
            type=FILE_PATH,
            default=Path("comparisons"),
            show_default=True,
            help="Where the runs are kept; finished ones are not run again.",
        ),
        click.option("--csv", "csv_file", type=FILE_PATH, help="Write the figures to this file."),
        click.option("--markdown", type=FILE_PATH, help="Write the table to this file."),
        click.option("--overwrite", is_flag=True, help="Replace these files if they exist."),
        click.option(
            "--best-on-test",
            is_flag=True,
            help="Also the epoch best on the judged split itself: optimistic.",
        ),
    ]
    for option in reversed(options):
        with_wanted = option(with_wanted)
    return json_option(with_wanted)


@click.command()
@click.argument("subjects", nargs=-1, required=True, metavar="RECIPE|RUN...")
@click.option("--data", type=FILE_PATH, help="The data for every recipe: packed, or images.")
@click.option("--methods", metavar="A,B,C", help="Run every recipe with each of these methods.")
@click.option(
    "--vary",
    multiple=True,
    metavar="KEY=A,B,C",
    help="Run them with each of these values of a key, too; repeatable.",
)
@table_options
def compare(
    subjects: tuple[str, ...],
    data: Path | None,
    methods: str | None,
    vary: tuple[str, ...],
    wanted: Wanted,
) -> None:
    """Compare recipes over several seeds, or runs that are finished.

    \b
    eactf compare quickstart --methods cross_entropy,scn,rul,eac --seeds 3
    eactf compare mine.yaml ferplus-human-small --data ferplus.h5 --seeds 3
    eactf compare mine.yaml --vary data.balance=none,sqrt --vary method.prior_adjustment=0,1
    eactf compare runs/mine runs/mine-seed1 runs/mine-eac
    """
    from eactf.report.comparison import run_cells
    from eactf.report.finished import finished_rows
    from eactf.report.table import tabulate

    check_outputs(wanted)
    folders, optimistic = _runs(subjects), wanted.best_on_test
    if folders:
        given = {"data": data, "methods": methods, "vary": vary, "set": wanted.overrides}
        _refuse_beside_runs(**given, seeds=wanted.seeds > 1)
        table = tabulate(finished_rows(folders, optimistic=optimistic), optimistic=optimistic)
    else:
        cells = _cells(subjects, _method_names(methods), _variants(vary), wanted, data)
        table = tell_table(run_cells(cells, wanted.folder), optimistic=optimistic)
    show_table(table)
    save_tables(table.csv(), table.markdown(), wanted)


def tell_table(outcomes: Sequence[Outcome], *, optimistic: bool) -> ComparisonTable:
    """The table of what became of the cells, a row a name in the order they came."""
    from eactf.report.rows import Runs
    from eactf.report.table import tabulate

    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.cell.row, []).append(outcome)
    runs = [
        Runs(
            name,
            [outcome.result for outcome in group if outcome.result is not None],
            failed=sum(outcome.result is None for outcome in group),
            network=group[0].cell.network,
            paper=group[0].cell.paper,
            paper_top5=group[0].cell.paper_top5,
        )
        for name, group in groups.items()
    ]
    return tabulate(runs, optimistic=optimistic)


def show_table(table: ComparisonTable) -> None:
    """Print the table, and the recall of each class where a screen holds them."""
    for row in table.as_dicts():
        console.emit("row", **row)
    console.say()
    console.table(table.columns(), table.cells())
    for note in table.notes():
        console.say(note, markup=False)
    if table.recall_cells():
        console.say()
        console.table(table.recall_columns(), table.recall_cells())


def check_outputs(wanted: Wanted, *others: Path | None) -> None:
    """`UsageError` for files that cannot be written, before hours are spent on their contents."""
    for path in (wanted.csv_file, wanted.markdown, *others):
        if path is None:
            continue
        if not path.parent.is_dir():
            raise UsageError(f"there is no folder {path.parent} to write {path} into")
        if path.is_dir() or (path.exists() and not wanted.overwrite):
            raise UsageError(
                f"{path} exists and is not overwritten", hint="another name, or --overwrite"
            )


def save_tables(csv: str, markdown: str, wanted: Wanted) -> None:
    """Write the files that were asked for: the figures, and the tables in Markdown."""
    from eactf.files import write_text

    for path, content in ((wanted.csv_file, csv), (wanted.markdown, markdown)):
        if path is not None:
            write_text(path, content)
            console.say(f"written: {path}", markup=False)


def _runs(subjects: Sequence[str]) -> list[Path]:
    """The folders of runs among what is to be compared: all of it, or none."""
    from eactf.report.finished import is_run

    folders = [Path(subject) for subject in subjects if is_run(Path(subject))]
    if folders and len(folders) < len(subjects):
        raise UsageError(
            f"{folders[0]} is a run, not all the others are",
            hint="give recipes, or the folders of finished runs",
        )
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise UsageError("a run is named twice", hint="name each once")
    return folders


def _refuse_beside_runs(**given: object) -> None:
    named = [f"--{name}" for name, value in given.items() if value]
    if named:
        raise UsageError(
            f"{named[0]} has no effect on runs that are finished",
            hint="leave it out, or give recipes to run",
        )


def _method_names(text: str | None) -> list[str]:
    """The names that `--methods` lists; one empty name, the recipe's own method, without it."""
    if text is None:
        return [""]
    from eactf.method_names import METHODS

    names = [name.strip() for name in text.split(",")]
    if "" in names or len(set(names)) < len(names):
        raise UsageError(
            f"--methods {text}: a name is {'missing' if '' in names else 'there twice'}",
            hint="expected names with commas between: --methods cross_entropy,eac",
        )
    unknown = [name for name in names if name not in METHODS]
    if unknown:
        question = did_you_mean(unknown[0], METHODS)
        raise UsageError(
            f"--methods: there is no method '{unknown[0]}'",
            hint=f"{question} there are {', '.join(METHODS)}".lstrip(),
        )
    return names


def _variants(vary: Sequence[str]) -> list[tuple[str, ...]]:
    """Every combination of the values that `--vary` lists, as `key=value` texts."""
    choices = []
    for text in vary:
        key, sign, values = text.partition("=")
        listed = [value.strip() for value in values.split(",")]
        if not sign or not key.strip() or "" in listed or len(set(listed)) < len(listed):
            raise UsageError(
                f"--vary {text}: expected a key and different values with commas between",
                hint="such as: --vary data.balance=none,sqrt,class",
            )
        choices.append([f"{key.strip()}={value}" for value in listed])
    return list(itertools.product(*choices))


def _cells(
    subjects: Sequence[str],
    methods: Sequence[str],
    variants: Sequence[tuple[str, ...]],
    wanted: Wanted,
    data: Path | None,
) -> list[Cell]:
    from eactf.report.cells import make_cell

    if len(set(subjects)) < len(subjects):
        raise UsageError("a recipe is named twice", hint="name each once; --seeds repeats it")
    cells = []
    for subject in subjects:
        for method, variant in itertools.product(methods, variants):
            named = [f"method.name={method}"] if method else []
            chosen = [*wanted.settings, *named, *variant]
            row = _row_name(subject, method, variant, alone=len(subjects) == 1)
            cells += [
                make_cell(row, subject, seed, overrides=chosen, data=data)
                for seed in range(wanted.seeds)
            ]
    return cells


def _row_name(subject: str, method: str, variant: Sequence[str], *, alone: bool) -> str:
    """What is not the same in all rows: the recipe, the method, the values that vary."""
    settings = [setting.rpartition(".")[2] for setting in variant]
    parts = [*([] if alone else [subject]), *([method] if method else []), *settings]
    return ", ".join(parts) or subject

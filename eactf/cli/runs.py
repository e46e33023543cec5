"""`eactf runs` lists the runs of a folder, and how to go on with those that stopped."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eactf import console
from eactf.cli.options import FILE_PATH, json_option
from eactf.errors import UsageError
from eactf.wording import enumerated, time_ago

if TYPE_CHECKING:
    from eactf.training.run_list import ListedRun

__all__ = ["runs"]

_DEFAULT = Path("runs")


@click.command()
@click.argument("folder", type=FILE_PATH, default=_DEFAULT, metavar="[FOLDER]")
@json_option
def runs(folder: Path) -> None:
    """List the runs in FOLDER (by default runs/), and how to go on with those that stopped.

    \b
    eactf runs
    eactf runs comparisons
    """
    from eactf.training.run_list import list_runs

    if not folder.is_dir() and folder != _DEFAULT:
        told = "is a file" if folder.exists() else "is not there"
        raise UsageError(f"{folder} {told}", hint="give a folder that holds runs, or none: runs/")
    found, others = list_runs(folder)
    for run in found:
        console.emit("run", **{**asdict(run), "folder": str(run.folder)})
    if not found:
        console.say(f"there are no runs in {folder} yet; begin one:", markup=False)
        console.say("  eactf train --recipe quickstart")
    else:
        _show(found)
    if others:
        console.say(f"\nno runs: {enumerated(others)}", markup=False)


def _show(found: Sequence[ListedRun]) -> None:
    console.table(
        ["run", "state", "epoch", "accuracy", "recall", "updated"],
        [_cells(run) for run in found],
    )
    if any(run.state == "finished" for run in found):
        console.say("\nfinished: mean of the last epochs, judged split; others: on validation")
    elif any(run.accuracy is not None for run in found):
        console.say("\naccuracy and macro recall are on validation, of the last epoch")
    commands = [run.command for run in found if run.command is not None]
    if commands:
        console.say("\ngo on with one that stopped:")
    for command in commands:
        console.say(f"  {command}", markup=False)
    remarks = [f"{run.name} ({run.state}): {run.remark}" for run in found if run.remark]
    for remark in ["", *remarks] if remarks else []:
        console.say(remark, markup=False)


def _cells(run: ListedRun) -> list[str]:
    return [
        run.name,
        run.state,
        "-" if run.epoch is None else f"{run.epoch}/{run.epochs or '?'}",
        "-" if run.accuracy is None else f"{run.accuracy:.1%}",
        "-" if run.macro_recall is None else f"{run.macro_recall:.1%}",
        "-" if run.updated is None else time_ago(time.time() - run.updated),
    ]

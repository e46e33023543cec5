"""Running the cells of a comparison, each in a process of its own; finished ones are kept."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eactf import console
from eactf.errors import EactfError, Interrupted
from eactf.files import write_text
from eactf.report.cells import Cell, finished_run, next_folder, read_run

__all__ = ["Outcome", "run_cells"]


@dataclass(frozen=True)
class Outcome:
    """What became of a cell: its run's result, or why it has none."""

    cell: Cell
    folder: Path
    result: dict[str, Any] | None
    failure: str = ""


def run_cells(
    cells: Sequence[Cell], folder: Path, *, train: Callable[[Cell, Path], str] | None = None
) -> list[Outcome]:
    """Run every cell that has no finished run under `folder`, in order, and gather all results.

    One that fails is noted and the others go on; `index.json` in `folder` says which run is which.
    `train(cell, run_folder)` runs one and gives why it failed, "" where it did not; by default
    `eactf train` in a process of its own. Raises `Interrupted` when the user stops, the running
    cell's folder being left as training leaves it.
    """
    train = _train if train is None else train
    folder.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    for number, cell in enumerate(cells, start=1):
        outcomes.append(_outcome(cell, folder, f"{number}/{len(cells)}", train))
        _write_index(folder, outcomes)
    return outcomes


def _outcome(cell: Cell, folder: Path, place: str, train: Callable[[Cell, Path], str]) -> Outcome:
    finished = finished_run(cell, folder)
    if finished is not None:
        console.say(f"{place}  {cell.row}, seed {cell.seed}: finished before", markup=False)
        return Outcome(cell, finished, read_run(finished))
    run_folder = next_folder(cell, folder)
    console.say(f"{place}  {cell.row}, seed {cell.seed}: running", markup=False)
    failure = train(cell, run_folder)
    if failure:
        console.warn(f"{cell.row}, seed {cell.seed} failed: {failure}")
        return Outcome(cell, run_folder, None, failure)
    result = read_run(run_folder)
    accuracy = result["mean_of_last_epochs"]["accuracy"]
    console.say(f"{place}  {cell.row}, seed {cell.seed}: {accuracy:.2%}", markup=False)
    return Outcome(cell, run_folder, result)


def _train(cell: Cell, run_folder: Path) -> str:
    command = [sys.executable, "-m", "eactf", "train", *cell.arguments, "--json"]
    command += ["--run-dir", str(run_folder)]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    try:
        said = child.communicate()[1]
    except KeyboardInterrupt:
        # The terminal has interrupted the child as well: it saves what it has, then ends.
        child.wait()
        raise Interrupted(
            f"interrupted in {cell.row}, seed {cell.seed}; the finished cells are kept, "
            "the same command goes on with this one"
        ) from None
    if child.returncode == Interrupted.exit_code:
        raise Interrupted(f"interrupted in {cell.row}, seed {cell.seed}")
    if child.returncode == EactfError.exit_code or child.returncode not in (0, 3, 4):
        raise EactfError(f"{cell.row}, seed {cell.seed}: {_message(said)}")
    return _message(said) if child.returncode else ""


def _message(said: str) -> str:
    """The last thing a process of ours said on standard error."""
    lines = [line for line in said.splitlines() if line.strip()]
    for line in reversed(lines):
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict) and told.get("event") == "error":
            return str(told["message"]).split("\n", 1)[0]
    return lines[-1] if lines else "it said nothing"


def _write_index(folder: Path, outcomes: Sequence[Outcome]) -> None:
    index = {
        outcome.folder.name: {
            "row": outcome.cell.row,
            "seed": outcome.cell.seed,
            "arguments": outcome.cell.arguments,
            "failure": outcome.failure,
        }
        for outcome in outcomes
    }
    write_text(folder / "index.json", json.dumps(index, indent=2) + "\n")

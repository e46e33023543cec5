"""This module runs the cells of a comparison, goes on with broken ones and keeps finished ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eactf import console
from eactf.errors import DataError, Interrupted, TrainingError, UnsafeFileError, UsageError
from eactf.evaluation.words import accuracy_of_images, lowest_with_classes
from eactf.files import write_text
from eactf.report.cell_process import train_cell
from eactf.report.cells import Cell, finished_run, next_folder, read_run, unfinished_run
from eactf.training.interrupts import OUT_OF_TIME

__all__ = ["Outcome", "run_cells"]

Train = Callable[[Cell, Path], tuple[int, str]]

_INDEX = "index.json"
_ERRORS = {kind.exit_code: kind for kind in (UsageError, DataError, UnsafeFileError)}
_REFUSED = (*_ERRORS, TrainingError.exit_code)
"""Exit codes with which a run that stopped may be refused before it is taken up."""


@dataclass(frozen=True)
class Outcome:
    """What became of a cell: its run's result, or why it has none."""

    cell: Cell
    folder: Path
    result: dict[str, Any] | None
    failure: str = ""
    exit_code: int = 0


def run_cells(
    cells: Sequence[Cell],
    folder: Path,
    *,
    train: Train | None = None,
) -> list[Outcome]:
    """Run every cell that has no finished run under `folder`, in order, and gather all results.

    A run that stopped is taken up. One that fails is noted and the others go on; `index.json` in
    `folder` says which run is which. `train(cell, run_folder)` runs one, or goes on with it where
    there is that folder, and gives its exit code and why it failed; by default `eactf train` in a
    process of its own. Raises `Interrupted` when the user stops, the running cell's
    folder being left as training leaves it, the error of the runs when every one failed, and
    `UsageError` for a `folder` that is a file or holds another program's `index.json`.
    """
    train = train_cell if train is None else train
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"--folder {folder} is a file", hint="give a folder, new or old")
    _read_index(folder)
    folder.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    for number, cell in enumerate(cells, start=1):
        outcomes.append(_outcome(cell, folder, f"{number}/{len(cells)}", train))
        _write_index(folder, outcomes)
    _raise_if_all_failed(outcomes)
    return outcomes


def _outcome(cell: Cell, folder: Path, place: str, train: Train) -> Outcome:
    finished = finished_run(cell, folder)
    if finished is not None:
        console.say(f"{place}  {cell.row}, seed {cell.seed}: finished before", markup=False)
        return Outcome(cell, finished, read_run(finished))
    run_folder, code, failure = _run(cell, folder, place, train)
    if code == OUT_OF_TIME:
        failure = failure.partition("\n")[0]  # not how to go on with this one alone
        console.warn(f"{cell.row}, seed {cell.seed}: {failure}")
    elif code:
        console.warn(f"{cell.row}, seed {cell.seed} failed: {failure}")
    if code:
        return Outcome(cell, run_folder, None, failure, code)
    result = read_run(run_folder)
    told = f"{_figures(result)}, trained in {result['seconds'] / 60:.1f} min"
    console.say(f"{place}  {cell.row}, seed {cell.seed}: {told}", markup=False)
    return Outcome(cell, run_folder, result)


def _run(cell: Cell, folder: Path, place: str, train: Train) -> tuple[Path, int, str]:
    """Go on with the cell's run that stopped, or begin one: its folder, exit code and failure."""
    left = unfinished_run(cell, folder)
    if left is not None:
        console.say(f"{place}  {cell.row}, seed {cell.seed}: going on with {left}", markup=False)
        before = _status(left)
        code, failure = train(cell, left)
        if code not in _REFUSED or _status(left) != before:
            return left, code, failure
        console.warn(f"{left} cannot be gone on with, a new run is begun: {failure}")
    run_folder = next_folder(cell, folder)
    console.say(f"{place}  {cell.row}, seed {cell.seed}: running in {run_folder}", markup=False)
    return run_folder, *train(cell, run_folder)


def _status(folder: Path) -> bytes | None:
    """What a run says of its state, which changes once it is taken up."""
    path = folder / "status.json"
    return path.read_bytes() if path.is_file() else None


def _figures(result: Mapping[str, Any]) -> str:
    """Accuracy and recalls of a run in one line; a result may be from before all were counted."""
    mean, count = result["mean_of_last_epochs"], result["last_epoch"].get("count")
    accuracy = mean["accuracy"]
    words = f"{accuracy:.2%}" if count is None else accuracy_of_images(accuracy, count)
    if "macro_recall" in mean:
        words += f", macro recall {mean['macro_recall']:.2%}"
    if "lowest_recall" in mean:
        lowest = lowest_with_classes(mean["lowest_recall"], mean["lowest_recall_classes"])
        words += f", lowest recall {lowest}"
    return words


def _raise_if_all_failed(outcomes: Sequence[Outcome]) -> None:
    codes = {outcome.exit_code for outcome in outcomes}
    if not outcomes or 0 in codes:
        return
    last = outcomes[-1].failure
    if codes == {OUT_OF_TIME}:
        raise Interrupted(
            last if len(outcomes) == 1 else f"every run was stopped; the last: {last}",
            hint="the same command goes on with them",
            exit_code=OUT_OF_TIME,
        )
    code = codes.pop() if len(codes) == 1 else TrainingError.exit_code
    kind = _ERRORS.get(code, TrainingError)
    raise kind(last if len(outcomes) == 1 else f"every run failed; the last: {last}")


def _write_index(folder: Path, outcomes: Sequence[Outcome]) -> None:
    """`index.json`: which run is which, those of earlier comparisons in the folder included."""
    index = {
        outcome.folder.name: {
            "row": outcome.cell.row,
            "seed": outcome.cell.seed,
            "arguments": outcome.cell.arguments,
            "failure": outcome.failure,
        }
        for outcome in outcomes
    }
    write_text(folder / _INDEX, json.dumps({**_read_index(folder), **index}, indent=2) + "\n")


def _read_index(folder: Path) -> dict[str, Any]:
    """The index as it stands; `UsageError` where a file of that name is something else."""
    path = folder / _INDEX
    if not path.is_file():
        return {}
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        ours = all("row" in entry and "seed" in entry for entry in index.values())
    except (ValueError, AttributeError, TypeError):
        ours = False
    if not ours:
        raise UsageError(
            f"{path} is not of a comparison, and is not replaced",
            hint="give another folder: --folder comparisons",
        )
    return dict(index)

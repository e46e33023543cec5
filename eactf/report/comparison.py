"""This module runs the cells of a comparison in processes of their own and keeps finished ones."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eactf import console
from eactf.errors import DataError, Interrupted, TrainingError, UnsafeFileError, UsageError
from eactf.evaluation.words import accuracy_of_images, lowest_with_classes
from eactf.files import write_text
from eactf.report.cells import Cell, finished_run, next_folder, read_run

__all__ = ["Outcome", "run_cells"]

Train = Callable[[Cell, Path], tuple[int, str]]

_INDEX = "index.json"
_ERRORS = {kind.exit_code: kind for kind in (UsageError, DataError, UnsafeFileError)}


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

    One that fails is noted and the others go on; `index.json` in `folder` says which run is which.
    `train(cell, run_folder)` runs one and gives its exit code and why it failed; by default `eactf
    train` in a process of its own. Raises `Interrupted` when the user stops, the running cell's
    folder being left as training leaves it, the error of the runs when every one failed, and
    `UsageError` for a `folder` that is a file or holds another program's `index.json`.
    """
    train = _train if train is None else train
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
    run_folder = next_folder(cell, folder)
    console.say(f"{place}  {cell.row}, seed {cell.seed}: running in {run_folder}", markup=False)
    code, failure = train(cell, run_folder)
    if code:
        console.warn(f"{cell.row}, seed {cell.seed} failed: {failure}")
        return Outcome(cell, run_folder, None, failure, code)
    result = read_run(run_folder)
    told = f"{_figures(result)}, trained in {result['seconds'] / 60:.1f} min"
    console.say(f"{place}  {cell.row}, seed {cell.seed}: {told}", markup=False)
    return Outcome(cell, run_folder, result)


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
    code = codes.pop() if len(codes) == 1 else TrainingError.exit_code
    kind = _ERRORS.get(code, TrainingError)
    last = outcomes[-1].failure
    raise kind(last if len(outcomes) == 1 else f"every run failed; the last: {last}")


def _train(cell: Cell, run_folder: Path) -> tuple[int, str]:
    command = [sys.executable, "-m", "eactf", "train", *cell.arguments, "--json"]
    command += ["--run-dir", str(run_folder)]
    # In a session of its own: a Ctrl-C reaches us alone, and is handed on once.
    child = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    stopped, said = False, ""
    with _sigterm_as_interrupt():
        try:
            said = child.communicate()[1]
        except KeyboardInterrupt:
            stopped = True
            _stop(child)
    if stopped or child.returncode == Interrupted.exit_code:
        raise Interrupted(
            f"interrupted in {cell.row}, seed {cell.seed}; the finished cells are kept, "
            "the same command goes on with this one"
        )
    code = child.returncode
    return code, _message(said, code) if code else ""


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """While a cell runs, SIGTERM is what Ctrl-C is: the cell must not be left running alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _stop(child: subprocess.Popen[str]) -> None:
    """Ask the child to end, and wait: it saves what it has. A second Ctrl-C ends it at once."""
    child.send_signal(signal.SIGINT)
    try:
        child.communicate()
    except KeyboardInterrupt:
        child.kill()
        child.communicate()


def _message(said: str, code: int) -> str:
    """The last thing a process of ours said on standard error, with its next step."""
    lines = [line for line in said.splitlines() if line.strip()]
    for line in reversed(lines):
        try:
            told = json.loads(line)
        except ValueError:
            continue
        if isinstance(told, dict) and told.get("event") == "error":
            return str(told["message"])
    return lines[-1] if lines else f"it ended with exit code {code} and said nothing"


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

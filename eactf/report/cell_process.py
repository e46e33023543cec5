"""A cell is trained in a process of its own, which is told to stop where we are."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from eactf.errors import Interrupted
from eactf.report.cells import Cell
from eactf.stopping import Stopped, stops_as_interrupts

__all__ = ["train_cell"]

_STOPPED = {
    code: 128 + number
    for number in (1, 2, 15)  # SIGHUP, SIGINT, SIGTERM; Windows does not name them all
    for code in (128 + number, -number)
}
"""Exit codes of a run that somebody stopped, and the shell's for each."""

_PATIENCE = 10.0
"""Seconds that a run has to leave at once."""


def train_cell(cell: Cell, run_folder: Path) -> tuple[int, str]:
    """Train a cell into `run_folder`, or go on with the run that is there: exit code and failure.

    Raises `Interrupted` where we are asked to stop, or somebody stopped the run itself: it has
    saved what it has.
    """
    command = [sys.executable, "-m", "eactf", "train", *_arguments(cell, run_folder), "--json"]
    # In a session of its own: a Ctrl-C reaches us alone, and is handed on once.
    child = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    stopped, said = 0, ""
    with stops_as_interrupts():
        try:
            said = child.communicate()[1]
        except KeyboardInterrupt as stop:
            stopped = stop.exit_code if isinstance(stop, Stopped) else Interrupted.exit_code
            _stop(child)
    code = child.returncode
    if stopped or code in _STOPPED:
        raise Interrupted(
            f"interrupted in {cell.row}, seed {cell.seed}; the finished cells are kept, "
            "the same command goes on with this one",
            exit_code=stopped or _STOPPED[code],
        )
    return code, _message(said, code) if code else ""


def _arguments(cell: Cell, run_folder: Path) -> list[str]:
    if not run_folder.exists():
        return [*cell.arguments, "--run-dir", str(run_folder)]
    return [
        *("--resume", str(run_folder)),
        *(word for setting in cell.going_on for word in ("--set", setting)),
    ]


def _stop(child: subprocess.Popen[str]) -> None:
    """Ask the child to end, and wait: it saves what it has. A second Ctrl-C ends it at once."""
    child.send_signal(signal.SIGINT)
    try:
        child.communicate()
    except KeyboardInterrupt:
        _end_at_once(child)


def _end_at_once(child: subprocess.Popen[str]) -> None:
    """Ask a second time: the child leaves at once, but says in its folder that it did."""
    child.send_signal(signal.SIGINT)
    try:
        child.communicate(timeout=_PATIENCE)
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
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

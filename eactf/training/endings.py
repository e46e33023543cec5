"""How a run that is broken off is told, and what its folder then says of it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from eactf.errors import EactfError, Interrupted, TrainingError
from eactf.stopping import Stopped
from eactf.suggestions import command_line
from eactf.training.folder import CannotWriteError, RunFolder
from eactf.training.workers import WorkerGoneError

__all__ = ["tell_how_to_go_on", "write_ending"]

_PASSING = (CannotWriteError, WorkerGoneError)
"""What is no fault of the steps: once it is mended, the run can be gone on with."""


def tell_how_to_go_on(folder: RunFolder, failure: BaseException) -> None:
    """Add the command that takes the run up again to what the user is told."""
    again = command_line("eactf", "train", "--resume", str(folder.path))
    if isinstance(failure, Interrupted):
        failure.message += f"; saved in {folder.path}" * (not failure.at_once)
        failure.hint = f"go on with it: {again}"
    elif isinstance(failure, _PASSING):
        failure.hint = f"{failure.hint}\n  then go on: {again}"


def write_ending(folder: RunFolder, failure: BaseException) -> None:
    """Write into `status.json` that the run was interrupted or failed, and why."""
    stopped = isinstance(failure, (Interrupted, KeyboardInterrupt))
    code = 130 if stopped else 1
    if isinstance(failure, (EactfError, Stopped)):
        code = failure.exit_code
    with suppress(EactfError, OSError):  # a full disk: the failure itself is what is to be told
        facts: dict[str, Any] = {"reason": str(failure), "exit_code": code}
        if _would_repeat(failure):
            facts["repeats"] = True
        folder.write_status("interrupted" if stopped else "failed", **facts)


def _would_repeat(failure: BaseException) -> bool:
    """Whether the same steps would lead there again: a loss that is no number, no full disk."""
    return isinstance(failure, TrainingError) and not isinstance(failure, _PASSING)

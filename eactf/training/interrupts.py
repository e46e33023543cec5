"""Asking a run to stop: by Ctrl-C, by a queue's SIGTERM, by a closed terminal, by a set time."""

from __future__ import annotations

import signal
import time
from types import FrameType
from typing import Any

from eactf.errors import Interrupted
from eactf.stopping import leave, own_terminals

__all__ = ["OUT_OF_TIME", "Interrupts"]

OUT_OF_TIME = 75
"""Exit code of a run that `train.stop_after` ended; what the system calls a temporary failure."""

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_MARGIN = 10.0
"""Seconds that saving may take, for a run that is to end in time."""


class Interrupts:
    """Takes notice of a wish to stop; the run looks after each step whether there is one.

    Used as a context. The first signal is taken down, and the running step may finish; a second
    one raises `Interrupted` at once; a third acts as if nobody listened. The exit code is 128 and
    the signal's number. `seconds`, where given, are those until the run is to have ended.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self._end = None if seconds is None else time.monotonic() + seconds - _MARGIN
        self._asked: int | None = None
        self._before: dict[int, Any] = {}
        self._terminals: list[int] = []

    def __enter__(self) -> Interrupts:
        self._terminals = own_terminals()
        for name in _NAMES:
            number = getattr(signal, name, None)
            if number is None or (name == "SIGHUP" and signal.getsignal(number) == signal.SIG_IGN):
                continue  # Windows has no SIGHUP; nohup has it ignored
            try:
                self._before[number] = signal.signal(number, self._ask)
            except ValueError:
                return self  # not the main thread: whoever runs us there handles interrupts
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)

    @property
    def exit_code(self) -> int:
        """The exit code of a run that stops now as it was asked to; 0 where nobody asked."""
        if self._asked is not None:
            return 128 + self._asked
        return OUT_OF_TIME if self._end is not None and time.monotonic() > self._end else 0

    def stop_if_asked(self, where: str, code: int | None = None) -> None:
        """Raise `Interrupted` where somebody asked for it, or the time is over.

        `where` is as in "in epoch 3, after step 12"; `code` is the exit code that all workers of a
        run agreed on, on several machines.
        """
        code = self.exit_code if code is None else code
        if code == OUT_OF_TIME:
            raise Interrupted(
                f"stopped {where}: the time of train.stop_after is over", exit_code=code
            )
        if code:
            raise Interrupted(f"interrupted {where}", exit_code=code)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if number == getattr(signal, "SIGHUP", None):
            leave(self._terminals)
        if self._asked is None:
            self._asked = number
            return
        for other, handler in self._before.items():
            signal.signal(other, handler or signal.SIG_DFL)
        raise Interrupted("interrupted twice", exit_code=128 + number, at_once=True)

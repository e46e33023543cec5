"""Who asks the program to stop otherwise than by Ctrl-C is understood alike.

SIGTERM (a queue, `kill`) and SIGHUP (a closed terminal) would end the process where it stands. As
an interrupt they unwind it, and what was half done is taken away on the way out.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Stopped", "leave_the_terminal", "stops_as_interrupts"]

_NAMES = ("SIGTERM", "SIGHUP")


class Stopped(KeyboardInterrupt):
    """A signal asked the program to stop; `exit_code` is the shell's for it."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


@contextmanager
def stops_as_interrupts() -> Iterator[None]:
    """Raise `Stopped` in the main thread for each SIGTERM and SIGHUP; does nothing in another."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _raise)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _raise(number: int, frame: FrameType | None) -> None:
    if number == getattr(signal, "SIGHUP", None):
        leave_the_terminal()
    raise Stopped(number)


def leave_the_terminal() -> None:
    """Write to nowhere from now on: the terminal is gone, and to write to it would fail."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        try:
            if stream is not None and stream.isatty():
                os.dup2(nowhere, stream.fileno())
        except (OSError, ValueError):
            continue
    os.close(nowhere)

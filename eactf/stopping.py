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

__all__ = ["Stopped", "leave", "own_terminals", "stops_as_interrupts"]

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
    terminals = own_terminals()

    def stop(number: int, frame: FrameType | None) -> None:
        if number == getattr(signal, "SIGHUP", None):
            leave(terminals)
        raise Stopped(number)

    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, handler in before.items():
        if handler != signal.SIG_IGN:  # as nohup has it
            signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def own_terminals() -> list[int]:
    """The descriptors of this process's own streams that are a terminal.

    To be asked for beforehand: a terminal that has been closed does not say that it was one.
    """
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return [stream.fileno() for stream in streams if stream is not None and stream.isatty()]


def leave(terminals: list[int]) -> None:
    """Write to nowhere from now on: the terminal is gone, and to write to it would fail."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in terminals:
        os.dup2(nowhere, descriptor)
    os.close(nowhere)

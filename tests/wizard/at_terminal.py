"""Runs the command line at a pseudo-terminal, each time in a process forked from a warm one.

A new interpreter would import for a second before its first question; a dozen tests do not wait
for that here.
"""

from __future__ import annotations

import fcntl
import io
import multiprocessing
import os
import struct
import sys
import termios
from pathlib import Path

import pexpect.fdpexpect

__all__ = ["Terminal"]

CTRL_C, CTRL_D = "\x03", "\x04"
_PROMPT = r"\n(\x1b\[\?2004h)?   (\[[^\]\r\n]*\] )?$"
_SETTLED_SECONDS = 0.05

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["eactf.wizard.session", "eactf.cli.wizard", "readline"])


class Terminal:
    """`eactf` with some arguments in a folder, and the person in front of it."""

    def __init__(self, arguments: list[str], folder: Path, columns: int) -> None:
        self.master, slave = os.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
        self.process = _CONTEXT.Process(
            target=_run, args=(os.ttyname(slave), arguments, str(folder), _environment())
        )
        self.process.start()
        self.screen = pexpect.fdpexpect.fdspawn(self.master, encoding="utf-8", timeout=60)
        self.screen.logfile_read = io.StringIO()
        # Kept open until the process has opened it: a terminal that nobody holds is at its end.
        self.screen.expect_exact("ready\r\n")
        os.close(slave)

    @property
    def shown(self) -> str:
        """Everything printed and typed so far."""
        return str(self.screen.logfile_read.getvalue()).partition("ready\r\n")[2]

    def see(self, text: str) -> None:
        """Wait until a text is on the screen."""
        self.screen.expect_exact(text)

    def type(self, *lines: str) -> None:
        """Answer prompts, each with a line, as they come."""
        for line in lines:
            self._wait_for_prompt()
            self.screen.send(f"{line}\n")

    def press(self, key: str) -> None:
        """Press a key at the next prompt."""
        self._wait_for_prompt()
        self.screen.send(key)

    def _wait_for_prompt(self) -> None:
        """Wait until a prompt is the last thing on the screen, and stays the last.

        Output comes in pieces, and a piece may end within the indentation of an ordinary line. An
        answer typed then would be thrown away with what a person types ahead.
        """
        while True:
            self.screen.expect(f"(?={_PROMPT})")
            try:
                more = self.screen.read_nonblocking(10_000, timeout=_SETTLED_SECONDS)
            except pexpect.TIMEOUT:
                break
            self.screen.buffer += more
        self.screen.expect(_PROMPT)

    def end(self) -> int:
        """Read to the end; the exit code."""
        self.screen.expect(pexpect.EOF)
        self.process.join(60)
        return int(self.process.exitcode)

    def close(self) -> None:
        """End the process, if it still runs, and give the terminal back."""
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        self.process.close()
        self.screen.close()


def _environment() -> dict[str, str]:
    """This process's variables without a size of the terminal, which is to be the terminal's own.

    pytest-xdist tells its workers the size of the terminal that it was started at.
    """
    return {name: v for name, v in os.environ.items() if name not in ("COLUMNS", "LINES")}


def _run(terminal: str, arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """In the new process: make the terminal its own, then be `eactf`."""
    os.setsid()
    device = os.open(terminal, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(device, descriptor)
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w", buffering=1)
    sys.stderr = os.fdopen(2, "w", buffering=1)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    from eactf.cli import main

    sys.stdout.write("ready\n")
    sys.argv = ["eactf", *arguments]
    main()

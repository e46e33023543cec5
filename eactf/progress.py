"""This module shows that work goes on: a bar where it can be counted, a line where it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from eactf import console

__all__ = ["counting", "waiting"]


@contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """A function `(done, total)` that moves a bar; None where there is no terminal."""
    if not console.is_terminal():
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), Remaining())
    with Progress(*columns, console=console.out(), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def waiting(what: str) -> Iterator[Callable[[str], None]]:
    """Says on a terminal what is being waited for, and for how long already.

    The function that it gives adds a few words to that.
    """
    if not console.is_terminal():
        yield lambda words: None
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console.out(), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda words: bar.update(task, description=f"{what}, {words}")

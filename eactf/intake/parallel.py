"""`in_order` works on many rows in threads and gives the results in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TypeVar

__all__ = ["batch_size", "in_order", "usable_cores"]

T = TypeVar("T")

_AHEAD = 2
"""How many batches may wait for each thread, which bounds what is held in memory."""


def usable_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def batch_size(count: int, most: int, workers: int | None = None) -> int:
    """How many rows to hand to a thread at a time: at most `most`, and some for every thread."""
    return max(1, min(most, count // (4 * (workers or usable_cores()))))


def in_order(
    work: Callable[[int], T], count: int, *, workers: int | None = None, batch: int = 16
) -> Generator[tuple[range, list[T]], None, None]:
    """Yield each range of `batch` rows, up to row `count` - 1, with what `work` makes of each.

    `workers` threads, None for as many as there are cores. When the iterator is closed, threads
    end with the row they are at; close it by `contextlib.closing`, so that this happens at once.
    """
    threads = workers or usable_cores()
    stop = Event()
    waiting: deque[tuple[range, Future[list[T]]]] = deque()

    def do(rows: range) -> list[T]:
        return [work(row) for row in rows if not stop.is_set()]

    with ThreadPoolExecutor(threads, thread_name_prefix="eactf") as pool:
        try:
            for start in range(0, count, batch):
                rows = range(start, min(start + batch, count))
                waiting.append((rows, pool.submit(do, rows)))
                if len(waiting) > threads * _AHEAD:
                    rows, future = waiting.popleft()
                    yield rows, future.result()
            while waiting:
                rows, future = waiting.popleft()
                yield rows, future.result()
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)

"""The state of a run goes to the disk while training goes on."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from copy import deepcopy
from typing import Any

from eactf import __version__
from eactf.training.checkpoints import Checkpoint, write_checkpoint
from eactf.training.folder import RunFolder, writing
from eactf.training.run_state import RunState

__all__ = ["Saver"]


class Saver:
    """Takes the state of the moment at once and writes it in a thread of its own.

    One checkpoint is under way at a time: the next one waits for it, and raises what went wrong
    with it. Of several workers all take the state, for parts of it are sums over them, and one
    `writes`.
    """

    def __init__(
        self, method: Any, folder: RunFolder, state: RunState, *, writes: bool = True
    ) -> None:
        self.method = method
        self.folder = folder
        self.state = state
        self.writes = writes
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._under_way: Future[None] | None = None

    def save(self, *names: str) -> None:
        """Write the state of the moment as the checkpoints `names`, of which the last counts.

        Raises `CannotWriteError` where the one before could not be written.
        """
        self.wait()
        facts = deepcopy({"eactf": __version__, "run": self.state.as_facts()})
        checkpoint = Checkpoint(self.method.state(), facts)
        if self.writes:
            self._under_way = self._thread.submit(self._write, checkpoint, names)

    def wait(self) -> None:
        """Wait until all is on the disk; `CannotWriteError` where it could not be written."""
        if self._under_way is not None:
            under_way, self._under_way = self._under_way, None
            under_way.result()

    def _write(self, checkpoint: Checkpoint, names: tuple[str, ...]) -> None:
        *others, last = (self.folder.checkpoint(name) for name in names)
        with writing(last):
            write_checkpoint(last, checkpoint, also=others)

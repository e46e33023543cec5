"""These callbacks watch a run: learning rate, broken losses, interrupts, checkpoints, the log."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import keras
import numpy as np

from eactf.errors import Interrupted, TrainingError
from eactf.recipe import Recipe
from eactf.training.checkpoints import save_checkpoint
from eactf.training.folder import RunFolder
from eactf.training.schedule import learning_rate

__all__ = ["Checkpoints", "EpochLog", "Schedule", "StepGuard", "has_collapsed"]


class Schedule(keras.callbacks.Callback):
    """Sets each epoch's learning rate, a pure function of the epoch."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.model.optimizer.learning_rate = learning_rate(self.recipe, epoch)


class StepGuard(keras.callbacks.Callback):
    """Stops after a step whose loss is not a number, or when the user asks to stop.

    Used as a context: within it the first interrupt lets the running step finish and raises
    `Interrupted` behind it; a second one takes effect at once. Raises `TrainingError` with epoch
    and step, both counted from 1. Validation is watched as well: the last step of an epoch may
    have broken the weights, which its own loss does not show.
    """

    def __init__(self) -> None:
        super().__init__()
        self.epoch = 0
        self.step = 0
        self._asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StepGuard:
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._before[number] = signal.signal(number, self._ask)
            except ValueError:
                # Not the main thread: whoever runs us there handles interrupts.
                return self
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        # Asked for while the epoch before was judged and saved.
        self._stop_if_asked()
        self.epoch = epoch + 1

    def on_train_end(self, logs: Any = None) -> None:
        self._stop_if_asked()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.step = batch + 1
        self._check("loss", logs)
        self._stop_if_asked()

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self._check("validation loss", logs)
        self._stop_if_asked()

    def _check(self, what: str, logs: Mapping[str, Any] | None) -> None:
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            raise TrainingError(
                f"the {what} is {loss} in epoch {self.epoch}, step {self.step}",
                hint="lower optimizer.learning_rate, or set train.precision=float32; the "
                "checkpoint of the last whole epoch, where there is one, is kept",
            )

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        # A second signal acts as if we were not here.
        signal.signal(number, self._before[number] or signal.SIG_DFL)

    def _stop_if_asked(self) -> None:
        if self._asked:
            raise Interrupted(f"interrupted in epoch {self.epoch}, after step {self.step}")


class Checkpoints(keras.callbacks.Callback):
    """Keeps the last epoch's state and that of the epoch best on validation."""

    def __init__(self, folder: RunFolder, monitor: str = "val_accuracy") -> None:
        super().__init__()
        self.folder = folder
        self.monitor = monitor
        self.best = -math.inf
        self.best_epoch = 0

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        value = float((logs or {})[self.monitor])
        if value > self.best:
            self.best, self.best_epoch = value, epoch + 1
            self._save("best", epoch)
        self._save("last", epoch)

    def path(self, which: str) -> Path:
        """The weights file of `last` or `best`."""
        return self.folder.file(f"checkpoints/{which}.weights.h5")

    def _save(self, which: str, epoch: int) -> None:
        facts = {"epoch": epoch + 1, "best_epoch": self.best_epoch, self.monitor: self.best}
        save_checkpoint(self.model, self.path(which), facts)


class EpochLog(keras.callbacks.Callback):
    """Writes each epoch to the run's folder and hands it to the progress display."""

    def __init__(self, folder: RunFolder, show: Callable[[Mapping[str, Any]], None]) -> None:
        super().__init__()
        self.folder = folder
        self.show = show
        self.rows: list[dict[str, Any]] = []

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        row = {"epoch": epoch + 1, "learning_rate": float(self.model.optimizer.learning_rate)}
        row |= {name: float(value) for name, value in (logs or {}).items()}
        self.rows.append(row)
        self.folder.add_epoch(row)
        self.folder.write_status("running", epoch=epoch + 1, epochs=self.params["epochs"])
        self.show(row)

    def column(self, name: str) -> list[float]:
        """One logged value of every epoch so far."""
        return [row[name] for row in self.rows if name in row]


def has_collapsed(
    accuracies: Sequence[float], spreads: Sequence[float], largest_share: float
) -> bool:
    """Whether an EAC run's consistency won before features formed.

    `accuracies` and `spreads` are the training accuracy and the map spread of every epoch,
    `largest_share` the share of the largest class among the labels. Collapsed: over the last
    three epochs the network predicts no better than the largest class (within 2 points), and its
    maps have not grown past one and a half times the first epoch's spread. In measured runs maps
    that learnt grew to three times that and more; those of collapsed runs stayed or went flat.
    """
    if len(spreads) < 3 or len(accuracies) < 3:
        return False
    grown = max(spreads[-3:]) > 1.5 * spreads[0]
    return bool(not grown and np.mean(accuracies[-3:]) < largest_share + 0.02)

"""These callbacks watch a run: learning rate, broken losses, checkpoints, judging, the log.

What they find goes into the run's `RunState`, so that it is in every checkpoint.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from eactf.errors import TrainingError
from eactf.methods.unscaled import unscaled
from eactf.recipe import Recipe
from eactf.training.folder import RunFolder
from eactf.training.interrupts import Interrupts
from eactf.training.records import epoch_record, judged_row, write_division
from eactf.training.run_state import RunState
from eactf.training.schedule import beta_1, learning_rate
from eactf.training.session import Session
from eactf.training.workers import ALONE, Workers

__all__ = [
    "EpochLog",
    "Keeper",
    "LastEpochs",
    "Schedule",
    "StepCount",
    "StepGuard",
    "has_collapsed",
]


_BROKEN = 4096
"""What a worker whose loss is no number tells the others; above every exit code."""

_STEPS_BETWEEN_QUESTIONS = 16
"""On several machines the workers ask each other so often whether it is time to save."""


class Schedule(keras.callbacks.Callback):
    """Sets each epoch's learning rate and Adam's beta_1, pure functions of the epoch."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        for optimizer in self.model.optimizers:
            optimizer.learning_rate = learning_rate(self.recipe, epoch)
        if self.recipe.optimizer.name == "adam":
            self._set_beta_1(beta_1(self.recipe, epoch))

    def _set_beta_1(self, wanted: float) -> None:
        # Where losses are scaled the optimizer that steps is the inner one.
        optimizers = [unscaled(one) for one in self.model.optimizers]
        if any(one.beta_1 != wanted for one in optimizers):
            for one in optimizers:
                one.beta_1 = wanted
            self.model.make_train_function(force=True)  # a step's graph has the number in it


class StepCount(keras.callbacks.Callback):
    """Keeps count of the steps in the run's state; the first of the callbacks.

    `steps_in` says how many an epoch has, by its number from 0.
    """

    def __init__(self, state: RunState, steps_in: Callable[[int], int]) -> None:
        super().__init__()
        self.state = state
        self.steps_in = steps_in
        self.steps = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.steps = self.steps_in(epoch)

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        self.state.step += 1
        if self.state.step == self.steps:
            if self.model.on_several_machines():
                logs = self.model.running_values(logs or {})  # so far they are this worker's
            self.state.logs = {name: float(value) for name, value in (logs or {}).items()}

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self.state.logs = {name: float(value) for name, value in (logs or {}).items()}
        self.state.validated = True


class StepGuard(keras.callbacks.Callback):
    """Stops after a step whose loss is not a number, or where an interrupt asks for it.

    Raises `TrainingError` with epoch and step, both counted from 1, and `Interrupted`. Validation
    is watched as well: the last step of an epoch may have broken the weights, which its own loss
    does not show.
    """

    def __init__(
        self, state: RunState, epochs: int, interrupts: Interrupts, workers: Workers = ALONE
    ) -> None:
        super().__init__()
        self.state = state
        self.epochs = epochs
        self.interrupts = interrupts
        self.workers = workers

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._stop_if_asked()  # asked for while the epoch before was written

    def on_train_end(self, logs: Any = None) -> None:
        self._stop_if_asked()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._stop_if_asked("loss", logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self._stop_if_asked("validation loss", logs)

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        self._stop_if_asked()

    def _stop_if_asked(self, what: str = "loss", logs: Mapping[str, Any] | None = None) -> None:
        """Stop on all workers where one of them has a reason to."""
        loss = float((logs or {}).get("loss", 0.0))
        broken = not math.isfinite(loss)
        code = self.workers.agree(_BROKEN if broken else self.interrupts.exit_code)
        if code == _BROKEN:
            loss = loss if broken else math.nan
            raise TrainingError(
                f"the {what} is {loss} in epoch {self.state.epoch + 1}, step {self.state.step}",
                hint="lower optimizer.learning_rate, or set train.precision=float32; the "
                "checkpoint of the last whole epoch, where there is one, is kept",
            )

        judging = self.state.epoch >= self.epochs
        place = f"in epoch {self.state.epoch + 1}, after step {self.state.step}"
        self.interrupts.stop_if_asked("while the run was judged" if judging else place, code)


class LastEpochs(keras.callbacks.Callback):
    """Judges the judged split with the network of each of the last epochs, and says nothing.

    With `report.best_on_test` the figures of every epoch are kept as well, for that one alone;
    with `report.every_epoch` all of them are written down.
    """

    def __init__(
        self, session: Session, folder: RunFolder, state: RunState, guard: StepGuard
    ) -> None:
        super().__init__()
        self.session = session
        self.folder = folder
        self.state = state
        self.guard = guard

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        recipe = self.session.recipe
        is_last = epoch >= recipe.train.epochs - recipe.report.last_epochs
        if not (is_last or recipe.report.best_on_test or recipe.report.every_epoch):
            return
        scored, *alone = self.session.judge_all(self.session.judged, callbacks=[self.guard])
        names = self.session.data.class_names
        if recipe.report.best_on_test:
            self.state.figures[epoch] = scored.figures(names)
        if recipe.report.every_epoch:
            self.state.judged_rows.append(judged_row(epoch, [scored, *alone], names))
            self.folder.write_lines("judged.jsonl", self.state.judged_rows)
        if is_last:
            self.state.judged[epoch], self.state.alone[epoch] = scored, alone


class EpochLog(keras.callbacks.Callback):
    """Writes each epoch to the run's folder and hands it to the progress display."""

    def __init__(
        self,
        session: Session,
        folder: RunFolder,
        state: RunState,
        show: Callable[[Mapping[str, Any]], None],
    ) -> None:
        super().__init__()
        self.session = session
        self.folder = folder
        self.state = state
        self.show = show

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        # On several devices it is a variable that Python's float does not take.
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        row: dict[str, Any] = {"epoch": epoch + 1, "learning_rate": rate}
        row |= {name: float(value) for name, value in (logs or {}).items()}
        row |= epoch_record(self.session)
        self.state.rows.append(row)
        self.folder.write_epochs(self.state.rows)
        write_division(self.folder, self.session)
        self.show(row)


class Keeper(keras.callbacks.Callback):
    """Keeps the state of the moment, once an epoch and every so often within one, and the best.

    The last of the callbacks: an epoch counts as whole once it is on the disk.
    """

    def __init__(
        self,
        folder: RunFolder,
        state: RunState,
        recipe: Recipe,
        save: Callable[..., None],
        monitor: str = "val_accuracy",
        workers: Workers = ALONE,
    ) -> None:
        super().__init__()
        self.folder = folder
        self.state = state
        self.recipe = recipe
        self.save = save
        self.monitor = monitor
        self.workers = workers
        self._every = 1 if workers.count == 1 else _STEPS_BETWEEN_QUESTIONS
        self._saved = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        minutes = self.recipe.train.checkpoint_minutes
        if self.state.logs is not None or self.state.step % self._every:
            return
        if self.workers.agree(int(time.monotonic() - self._saved >= 60 * minutes)):
            self._save("last")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        value = float((logs or {})[self.monitor])
        is_best = value > self.state.best
        if is_best:
            self.state.best, self.state.best_epoch = value, epoch + 1
        self.state.epoch_done()
        # The last one counts: a run that is killed between the two repeats the epoch, and this.
        self._save(*(["best"] if is_best else []), "last")
        self.folder.write_status("running", epoch=epoch + 1, epochs=self.recipe.train.epochs)

    def _save(self, *names: str) -> None:
        self.save(*names)
        self._saved = time.monotonic()


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

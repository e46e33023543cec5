"""A run's epochs, from its first step or from where it stopped, to its last."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import keras
import numpy as np

from eactf.errors import EactfError, Interrupted
from eactf.evaluation.storage import save_classifier
from eactf.methods.planned import PlannedMethod
from eactf.training.callbacks import EpochLog, Keeper, LastEpochs, Schedule, StepCount, StepGuard
from eactf.training.folder import RunFolder, writing
from eactf.training.interrupts import Interrupts
from eactf.training.progress import ProgressDisplay
from eactf.training.run_state import RunState
from eactf.training.samples import write_relabels
from eactf.training.saving import Saver
from eactf.training.session import Session

__all__ = ["Fitting"]


class Fitting:
    """Trains a session's method to its last epoch; `state` says from where.

    With `stored`, the method's state at that place, it goes on as if it had never stopped.
    """

    def __init__(
        self,
        session: Session,
        folder: RunFolder,
        state: RunState,
        interrupts: Interrupts,
        stored: Any = None,
    ) -> None:
        self.session = session
        self.folder = folder
        self.state = state
        self.stored = stored
        self.guard = StepGuard(state, session.recipe.train.epochs, interrupts, session.workers)
        self.progress = ProgressDisplay(session, state)
        self.callbacks: list[keras.callbacks.Callback] = [
            StepCount(state, session.steps_in),
            Schedule(session.recipe),
            self.progress,
            LastEpochs(session, folder, state, self.guard),
            EpochLog(session, folder, state, self.progress.show_epoch),
            Keeper(folder, state, session.recipe, self.save, workers=session.workers),
            self.guard,
        ]
        self.saver = Saver(session.method, folder, state, writes=session.workers.leads)
        self._before = state.seconds
        self._begun = time.perf_counter()

    def run(self) -> None:
        """Train; on an interrupt save where it stopped, and raise it on."""
        try:
            if self.stored is not None:
                self._restore()
                self._rest_of_the_epoch()
            if self.state.epoch < self.session.recipe.train.epochs:
                self._fit(self.state.epoch, self.session.recipe.train.epochs)
        except BaseException as failure:
            self.progress.close()
            if isinstance(failure, Interrupted) and not failure.at_once:
                self._save_all()
            with suppress(OSError, EactfError):  # the failure itself is what is to be told
                self.saver.wait()
                if self.session.workers.leads:
                    write_relabels(self.folder, self.session)
            raise
        self.progress.close()
        self.saver.wait()
        self.state.seconds = self._seconds()

    def save(self, *names: str) -> None:
        """Write the state of the moment while training goes on; the last name counts."""
        self.state.seconds = self._seconds()
        self.saver.save(*names)

    def save_classifier(self) -> None:
        """Write `model.keras`, the classifier of the moment, and what else the method keeps."""
        if not self.session.workers.leads:
            return
        for name, network in self.session.portable_networks().items():
            path = self.folder.file(name)
            with writing(path):
                save_classifier(path, network, self.session.facts())

    def _save_all(self) -> None:
        """What an interrupted run leaves: its state, and a classifier to look at."""
        if self.state.epoch or self.state.step:
            self.save("last")
            self.saver.wait()
        self.save_classifier()

    def _seconds(self) -> float:
        return self._before + time.perf_counter() - self._begun

    def _fit(self, first: int, epochs: int, more: Sequence[keras.callbacks.Callback] = ()) -> None:
        session, validation = self.session, self.session.data.validation
        session.method.fit(
            **self._what_to_fit(first),
            initial_epoch=first,
            epochs=epochs,
            validation_data=session.watched(validation),
            validation_steps=session.passing(validation),
            callbacks=[*more, *self.callbacks],
            verbose=0,
        )

    def _what_to_fit(self, first: int) -> dict[str, Any]:
        """The batches from where the run stands, and how many there are of this epoch."""
        session, step = self.session, self.state.step
        if isinstance(session.method, PlannedMethod):
            return {"first_step": step}  # it has all samples, and finds its batches itself
        return {
            "x": session.training(first, step),
            "steps_per_epoch": session.steps_in(first) - step,
        }

    def _restore(self) -> None:
        """Put the stored state back, once everything is there that has one."""
        method = self.session.method
        with self.session.strategy.scope():
            method.build_optimizers()
        few = self.session.data.validation.take(np.arange(1))
        steps = self.session.passing(few)
        method.evaluate(self.session.watched(few), steps=steps, verbose=0)  # builds the metrics
        method.restore(self.stored)

    def _rest_of_the_epoch(self) -> None:
        """What was still to do of the epoch in which the run stopped."""
        state = self.state
        if state.step == 0:
            return
        # With `logs` all steps of the epoch are done.
        if state.logs is None and state.step < self.session.steps_in(state.epoch):
            self._fit(state.epoch, state.epoch + 1, [_Restore(self.stored)])
        else:
            self._end_of_the_epoch()

    def _end_of_the_epoch(self) -> None:
        """What `fit` does behind an epoch's last step, where that was taken before."""
        method, epoch, logs = self.session.method, self.state.epoch, dict(self.state.logs or {})
        for callback in self.callbacks:
            callback.set_model(method)
        if not self.state.validated:
            validation = self.session.data.validation
            found = method.evaluate(
                self.session.watched(validation),
                steps=self.session.passing(validation),
                verbose=0,
                return_dict=True,
                callbacks=[self.guard],
            )
            logs |= {f"val_{name}": float(value) for name, value in found.items()}
            method.look_back(epoch, logs)
            method.end_epoch(epoch)
        for callback in self.callbacks:
            callback.on_epoch_end(epoch, logs)


class _Restore(keras.callbacks.Callback):
    """Puts a state from within an epoch back, once `fit` has reset what an epoch begins with."""

    def __init__(self, stored: Any) -> None:
        super().__init__()
        self.stored = stored

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.model.restore(self.stored)

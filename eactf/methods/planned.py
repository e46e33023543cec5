"""Methods that say themselves what an epoch consists of: how many steps, on which samples.

They choose among the training samples between epochs, so `fit` needs all of them, not a stream of
batches: arrays, a data set that is read once, or what `attach` was given. An epoch is a list of
phases, in each of which one network is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import keras
from keras import ops

from eactf.methods.base import Method
from eactf.methods.batch import Batch
from eactf.methods.clock import with_clock
from eactf.methods.training_rows import Phase, TrainingRows, rows_of
from eactf.methods.weights import as_sample_weights, refuse_integer_weights

__all__ = ["PlannedMethod"]

Tensor = Any


class PlannedMethod(Method):
    """A method whose epochs are made of phases; each says what they are in `phases`.

    `trained` is the number of the network that the running step trains, from 0. Steps of one phase
    share a graph, whatever samples they take.
    """

    _initial_epoch: Any  # Keras' own

    def start_clock(self, seed: int) -> None:
        super().start_clock(seed)
        self._phase_start = self._counter("phase_start")
        self._phase_steps = self._counter("phase_steps", -1)
        self.trained = 0
        self.rows: TrainingRows | None = None
        self._phases: Sequence[Phase] = ()
        self._planned_epoch = 0
        self._taken = 0
        self._watchers = keras.callbacks.CallbackList()

    def phases(self, epoch: int, rows: TrainingRows) -> Sequence[Phase]:
        """What `epoch`, from 0, consists of; each method says."""
        raise NotImplementedError(f"{type(self).__name__} has no phases")

    passes_between_epochs = False
    """Whether all samples pass the networks between two epochs, in evaluation mode."""

    def kinds_of_epochs(self, epochs: int) -> Sequence[tuple[float, Sequence[Phase]]]:
        """What a run of so many epochs consists of: the share of each kind, and its phases."""
        return [(1.0, self.phases(0, self._attached()))]

    def try_step(self, phase: Phase) -> None:
        """Take the first step of a phase, as to see what it costs."""
        told = keras.callbacks.CallbackList(add_history=True, model=self)  # Keras returns it
        self._fit_phases([phase], 0, 0, told, {}, 1)

    def counted_steps(self, phase: Phase) -> int:
        """What the fraction of an epoch is counted in: the steps of the phase."""
        return phase.steps

    def attach(self, rows: TrainingRows) -> None:
        """Train on these samples from now on: `fit` is then called without any."""
        self.rows = rows

    def steps_in(self, epoch: int) -> int:
        """The steps of the next epoch to be trained, whose number from 0 is `epoch`."""
        return sum(phase.steps for phase in self._planned(epoch))

    def images_in(self, epoch: int) -> int:
        """How many images the steps of that epoch take."""
        return sum(phase.images for phase in self._planned(epoch))

    def _planned(self, epoch: int) -> Sequence[Phase]:
        """The phases of an epoch, of the running one as they are: orders of all samples cost."""
        if self._phases and epoch == self._planned_epoch:
            return self._phases
        return self.phases(epoch, self._attached())

    @property
    def running_optimizer(self) -> Any:
        """That of the network that is trained."""
        return self.optimizers[self.trained]

    @property
    def progress(self) -> Tensor:
        """As every method's; the fraction is that of the running phase."""
        done = ops.cast(self.running_optimizer.iterations, "int32") - self._phase_start.value
        steps = ops.cast(self._phase_steps.value, "float32")
        fraction = ops.cast(done, "float32") / ops.maximum(steps, 1.0)
        epochs = ops.cast(self.epoch.value, "float32") + ops.minimum(fraction, 1.0)
        return ops.where(steps < 0, float("inf"), epochs)

    def fit(  # type: ignore[override]  # the first two by name, as Keras has them
        self,
        x: Any = None,
        y: Any = None,
        *,
        batch_size: int | None = None,
        epochs: int = 1,
        initial_epoch: int = 0,
        first_step: int = 0,
        callbacks: Any = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        class_weight: Any = None,
        **settings: Any,
    ) -> Any:
        """As `keras.Model.fit`, with all training samples at hand.

        `x` and `y` are arrays of images and labels, or `x` a data set that yields `(image, label)`
        or another form that `unpack` takes, in batches and ends, which is read into memory; neither
        where rows are attached. `batch_size` (32 where not given) is what the method calls a batch.
        `first_step` leaves out steps of the first epoch that were taken before. Of Keras' settings
        those of validation are taken. Raises `ValueError` for others, for `steps_per_execution`
        above 1, and as `rows_of`.
        """
        self._refuse(settings)
        self._assert_compile_called("fit")
        self._take_samples(x, y, batch_size, sample_weight)
        self._weigh_classes(class_weight)
        refuse_integer_weights(settings.get("validation_data"))
        told = _OneTraining(
            with_clock(self, callbacks),
            add_history=True,
            add_progbar=verbose != 0,
            model=self,
            verbose=1 if verbose == "auto" else verbose,
            epochs=epochs,
            steps=None,
        )
        # Without a model or settings of its own: what callbacks know of the training stays.
        self._watchers = keras.callbacks.CallbackList(
            [one for one in told.callbacks if _watches_predictions(one)]
        )
        self.stop_training = False
        told.on_train_begin()
        # A callback that takes up a training names its epoch here (`keras.callbacks`).
        first, self._initial_epoch = self._initial_epoch or initial_epoch, None
        try:
            self._fit_epochs(range(first, epochs), first_step, told, settings)
        finally:
            self._phases = ()
        told.end()
        return self.history

    def _take_samples(self, x: Any, y: Any, batch_size: int | None, sample_weight: Any) -> None:
        """Attach what `fit` was given; what is attached already stays as it is."""
        weights = as_sample_weights(sample_weight)
        if x is None and (y is not None or weights is not None):
            raise ValueError("fit was given labels or weights without images")
        samples = self._attached() if x is None else x
        rows = rows_of(samples, y, batch_size=batch_size, seed=self.seed, weights=weights)
        if x is None:
            self.rows = rows  # not chosen from anew: a state may have said what was chosen
        else:
            self.attach(rows)

    def _fit_epochs(
        self, epochs: range, first_step: int, told: _OneTraining, settings: dict[str, Any]
    ) -> None:
        for epoch in epochs:
            if self.stop_training:
                break
            self._fit_epoch(epoch, first_step, told, settings)
            first_step = 0

    def _fit_epoch(
        self, epoch: int, first_step: int, told: _OneTraining, settings: dict[str, Any]
    ) -> None:
        phases = self.phases(epoch, self._attached())
        whole = sum(phase.steps for phase in phases)
        if not 0 <= first_step < whole:
            raise ValueError(
                f"epoch {epoch} has {whole} steps: first_step must be in 0..{whole - 1}; received "
                f"{first_step}"
            )
        steps = whole - first_step
        told.set_params({**told.params, "steps": steps})
        self._fit_phases(phases, epoch, first_step, told, settings, steps)

    def _fit_phases(
        self,
        phases: Sequence[Phase],
        epoch: int,
        first_step: int,
        told: keras.callbacks.CallbackList,
        settings: dict[str, Any],
        steps: int,
    ) -> None:
        self._phases, self._planned_epoch, self._taken = phases, epoch, first_step
        # Past `Method.fit`, whose part is done for all epochs above.
        keras.Model.fit(
            self,
            self._attached().batches(phases, first_step, self.distribute_strategy),
            initial_epoch=epoch,
            epochs=epoch + 1,
            steps_per_epoch=steps,
            callbacks=told,
            shuffle=False,
            **settings,
        )

    def make_train_function(self, force: bool = False) -> Any:
        """As every method's, a function a network, which take turns as the phases say."""
        if force or self.train_function is None:
            functions = []
            for _ in self.optimizers:
                super().make_train_function(force=True)
                functions.append(self.train_function)
            self.train_function = self._in_turn(functions)
        return self.train_function

    def _in_turn(self, functions: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
        def step(iterator: Any) -> Any:
            self._turn()
            return functions[self.trained](iterator)

        return step

    def _turn(self) -> None:
        """Let the step that comes be one of its phase; outside `fit` `trained` stays as it is."""
        step = self._taken
        for phase in self._phases:
            if step < phase.steps:
                self.trained = phase.network
                if step == 0:
                    self._start_phase(phase)
                break
            step -= phase.steps
        self._taken += 1

    def _start_epoch(self, epoch: int, steps: int | None) -> None:
        self.epoch.assign(epoch)  # what else the clock has is a phase's, which may have begun

    def _start_phase(self, phase: Phase) -> None:
        iterations = self.optimizers[phase.network].iterations
        self._phase_start.assign(ops.cast(iterations, "int32"))
        self._phase_steps.assign(self.counted_steps(phase))

    def _attached(self) -> TrainingRows:
        if self.rows is None:
            raise ValueError(
                f"{type(self).__name__} has no training samples: give fit images and labels, or a "
                "data set that yields both"
            )
        return self.rows

    def _refuse(self, settings: dict[str, Any]) -> None:
        known = {
            "validation_data",
            "validation_steps",
            "validation_batch_size",
            "validation_freq",
            "shuffle",
        }
        others = [name for name in settings if name not in known]
        if others:
            raise ValueError(
                f"{type(self).__name__} decides itself what an epoch consists of: fit takes no "
                f"{', '.join(others)}"
            )
        settings.pop("shuffle", None)
        if self.steps_per_execution != 1:
            raise ValueError(f"{type(self).__name__} needs compile(steps_per_execution=1)")

    # A step of a phase with samples whose labels are not used.

    def unpack_divided(self, data: Any) -> tuple[Batch, Tensor, Batch]:
        """The labelled part of this replica, how likely its labels are clean, the unlabelled one.

        Unlabelled samples may come more than once in an epoch: their draws go by step and place.
        """
        known, clean, (images, ids) = data
        labelled = self.unpack(known)
        # Labels of noughts stand for those that were set aside, which are not there.
        nothing = ops.zeros_like(ids)
        unlabelled = replace(self.unpack((images, nothing, ids)), ids=None)
        return labelled, ops.cast(clean, "float32"), unlabelled

    def _label_form(self, iterator: Any) -> Any:
        labels = self._attached().labels
        dtype = keras.backend.standardize_dtype(labels.dtype)
        return keras.KerasTensor((None, *labels.shape[1:]), dtype)


class _OneTraining(keras.callbacks.CallbackList):
    """Lets a call of Keras' `fit` for each epoch be one training to the callbacks."""

    _begun = False
    _last: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        if not self._begun:
            self._begun = True
            super().on_train_begin(logs)

    def on_train_end(self, logs: Any = None) -> None:
        self._last = logs

    def end(self) -> None:
        """Tell of the end of the training, which begun with the first epoch."""
        if self._begun:
            super().on_train_end(self._last)


def _watches_predictions(callback: Any) -> bool:
    """Whether a callback of `fit` is to see the passes between epochs: an interrupt stops them."""
    is_display = isinstance(callback, (keras.callbacks.ProgbarLogger, keras.callbacks.History))
    plain = keras.callbacks.Callback.on_predict_batch_end
    return not is_display and type(callback).on_predict_batch_end is not plain

"""The clock of a training: which epoch runs, how far it is, and the keys of random draws."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops

from eactf.methods.batch import Batch
from eactf.methods.replicas import ReplicatedModel

__all__ = ["ClockedModel", "Ticks", "with_clock"]

Tensor = Any

_NO_CLOCK = -1

_STREAMS_OF_A_VIEW = 64
"""The views of one image draw from streams so far apart."""


class Ticks(keras.callbacks.Callback):
    """Tells the model which epoch runs and how many steps it has."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.model._start_epoch(epoch, self.params.get("steps"))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.look_back(epoch, logs or {})
        self.model.end_epoch(epoch)


def with_clock(model: ClockedModel, callbacks: Any) -> Any:
    """`callbacks` as `fit` takes them, the clock of `model` before all others."""
    clock = Ticks()
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks.callbacks.insert(0, clock)
        clock.set_model(model)
        clock.set_params(callbacks.params)
        return callbacks
    listed = callbacks if isinstance(callbacks, Sequence) else [callbacks]
    return [clock, *(callback for callback in listed if callback is not None)]


class _Keys(threading.local):
    """The keys of the batch in work. Replicas are traced in threads of their own."""

    bound: Tensor | None = None
    view: int = 0


class ClockedModel(ReplicatedModel):
    """A model that knows its epoch: all that random draws and ramps may depend on.

    Draws are functions of the seed, the epoch and the sample's id, so that a run that is broken
    off and taken up again is the run that was not.
    """

    repeats_samples = False
    """Whether an epoch may bring a sample several times, as where rare classes are shown more
    often. Draws then go by step and place, not by id: each showing has a view of its own."""

    def start_clock(self, seed: int) -> None:
        """Make the clock's counters; called once, while the model is built."""
        self.seed = int(seed)
        self.epoch = self._counter("epoch")
        self._epoch_start = self._counter("epoch_start")
        self._steps_per_epoch = self._counter("steps_per_epoch", _NO_CLOCK)
        self._keys = _Keys()

    def look_back(self, epoch: int, logs: Mapping[str, float]) -> None:
        """What a method takes from the figures of the epoch that has ended, before `end_epoch`."""

    def end_epoch(self, epoch: int) -> None:
        """What a method does between epochs, outside the graph; `epoch` counts from 0."""

    @property
    def progress(self) -> Tensor:
        """Epochs done, with the fraction of the running one, as a float32 scalar.

        An epoch whose number of steps is not known counts as half done throughout. Infinity
        before any `fit`, whose clock this is: in a loop of one's own a ramp is over.
        """
        done = ops.cast(self.optimizer.iterations, "int32") - self._epoch_start.value
        steps = ops.cast(self._steps_per_epoch.value, "float32")
        fraction = ops.cast(done, "float32") / ops.maximum(steps, 1.0)
        fraction = ops.where(steps > 0, ops.minimum(fraction, 1.0), 0.5)
        epochs = ops.cast(self.epoch.value, "float32") + fraction
        return ops.where(steps < 0, float("inf"), epochs)

    def ramped(self, weight: float, epochs: float) -> Tensor:
        """`weight` at this step where it grows linearly from nought over `epochs`; 0: at once."""
        if epochs == 0.0:
            return weight
        return weight * ops.minimum(self.progress / epochs, 1.0)

    def sample_keys(self, images: Tensor, stream: int) -> Tensor:
        """Integer keys `(n, 4)` for random draws: (seed, stream, epoch, id), a row a sample.

        Within a training step whose data carries no ids, and outside one, the sample's place
        stands for the id.
        """
        ids = self._keys.bound
        if ids is None:
            ids = ops.arange(ops.shape(images)[0], dtype="int32")
        stream += _STREAMS_OF_A_VIEW * self._keys.view
        row = [self.seed & 0x7FFFFFFF, stream, ops.cast(self.epoch.value, "int32")]
        columns = [ops.zeros_like(ids) + ops.cast(value, "int32") for value in row]
        return ops.stack([*columns, ops.cast(ids, "int32")], axis=1)

    @contextmanager
    def keys_of(self, batch: Batch, view: int = 0) -> Iterator[None]:
        """Let `sample_keys` give those of the batch's samples; another `view` other ones."""
        by_place = batch.ids is None or self.repeats_samples
        self._keys.bound = self._places(batch) if by_place else batch.ids
        self._keys.view = view
        try:
            yield
        finally:
            self._keys.bound, self._keys.view = None, 0

    def _places(self, batch: Batch) -> Tensor:
        """Keys for samples that ids do not tell apart: the step and the place in the batch."""
        place = batch.first + ops.arange(ops.shape(batch.images)[0], dtype="int32")
        return place + ops.cast(self.running_optimizer.iterations, "int32") * 65_536

    @property
    def running_optimizer(self) -> Any:
        """The optimizer whose steps the clock counts: that of the running step."""
        return self.optimizer

    def _start_epoch(self, epoch: int, steps: int | None) -> None:
        self.epoch.assign(epoch)
        self._epoch_start.assign(ops.cast(self.optimizer.iterations, "int32"))
        self._steps_per_epoch.assign(steps or 0)

    def _counter(self, name: str, start: int = 0) -> Any:
        initial = keras.initializers.Constant(start)
        return self.add_weight(
            shape=(), dtype="int32", initializer=initial, trainable=False, name=name
        )

    def _table(self, name: str, shape: tuple[int, ...], start: float) -> Any:
        """A float32 variable of which every replica holds the same, and which no gradient moves."""
        return self.add_weight(
            shape=shape,
            dtype="float32",
            initializer=keras.initializers.Constant(start),
            trainable=False,
            name=name,
            aggregation="only_first_replica",
        )

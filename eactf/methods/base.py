"""The seam that methods share: a batch, a gradient step, the clock, what is logged.

A method is a `keras.Model` whose `train_step` says what makes it different. What all share stands
here once:

- `unpack` makes a `Batch` of what the data set yields, on any number of devices;
- `minimize` runs an objective under a tape and applies its gradient to some variables with some
  optimizer, scaled for the global batch and for low precision. A method with two networks calls
  it once a network, an adversarial one once a player;
- `epoch`, `progress` and `sample_keys` are the clock: what a draw or a ramp may depend on;
- `report` updates the metrics and returns the logs.

How the methods to come sit on it, sketched before it was settled:

- SCN adds a weight head to the network and a `SampleMemory` of labels, and writes relabels into it
  after `minimize`. `over_all_replicas` brings the batch together for what ranks or mixes it.
- RUL trains other layers on the classifier's features: it overrides `open`.
- DivideMix and Co-teaching hold two classifiers, open both in `__init__` and call `minimize`
  twice with each network's variables and optimizer; the mixture fit between epochs is a callback
  that reads losses by id and assigns a posterior table.
- Ada-CM overrides `make_views` for three views and assigns an EMA copy after `minimize`.
- The adversarial method calls `minimize(discriminator_objective, discriminator.variables,
  discriminator_optimizer)` before the generator's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras import ops

from eactf import losses
from eactf.nn.classifier import open_classifier
from eactf.nn.normalization import weighing_rows

__all__ = ["Batch", "Method", "refuse_regularizers"]

Tensor = Any

_NO_CLOCK = -1


@dataclass(frozen=True)
class Batch:
    """One replica's part of a batch.

    `images` is `(n, H, W, C)` float32, `labels` `(n,)` class indices or `(n, L)` soft labels,
    `ids` `(n,)` int32 or None. `first` is the place of its first sample in the global batch.
    `count` is n as the data set gave it, 0 for a replica that got nothing (its single blank image
    is there only to keep the kernels running); `share` is `count` over the global batch's count:
    the weight of this replica's mean in the global mean.
    """

    images: Tensor
    labels: Tensor
    ids: Tensor | None
    first: Tensor
    count: Tensor
    share: Tensor

    def real(self, rows: Tensor) -> Tensor:
        """`rows` without the blank one."""
        return rows[: self.count]


class _Clock(keras.callbacks.Callback):
    """Tells the method which epoch runs and how many steps it has."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.model._start_epoch(epoch, self.params.get("steps"))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.end_epoch(epoch)


class _Views(threading.local):
    """The keys of the batch in work. Replicas are traced in threads of their own."""

    keys: Tensor | None = None


class Method(keras.Model):
    """A classifier in training.

    `classifier` is a functional Keras model that ends in global average pooling and a dense layer
    of logits; the method trains its variables in place, so that `classifier.save(...)` is all
    there is to keep. Data sets yield `(image, label)` or `(image, label, id)`; images are
    `(n, H, W, C)` in the classifier's own range. `seed` fixes every random draw in training, with
    the epoch and the sample's id (or its place in the batch where there are no ids).

    A subclass names the parts of its loss that `report` is to average and log in `loss_parts`.
    """

    loss_parts: ClassVar[tuple[str, ...]] = ()

    views: int = 1
    """How many images a sample becomes in a step."""

    def __init__(self, classifier: keras.Model, *, seed: int = 0, name: str | None = None) -> None:
        super().__init__(name=name)
        self.open(classifier)
        self.seed = int(seed)
        self.epoch = self._counter("epoch")
        self._epoch_start = self._counter("epoch_start")
        self._steps_per_epoch = self._counter("steps_per_epoch", _NO_CLOCK)
        self._views = _Views()
        self.part_trackers = {part: keras.metrics.Mean(name=part) for part in self.loss_parts}
        self.build((None, *classifier.input_shape[1:]))

    def open(self, classifier: keras.Model) -> None:
        """Set `classifier`, what is kept in the end, and `network`, what is trained of it.

        Here `network` maps images to `(features, logits)` and `head` is the dense layer. Raises
        `ValueError` for a classifier that cannot be opened or has regularizers.
        """
        opened = open_classifier(classifier)
        refuse_regularizers(classifier)
        self.classifier = classifier
        self.network = opened.network
        self.head = opened.head
        self.map_size = opened.map_size

    # What Keras asks of a model.

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Logits `(n, classes)` of images."""
        return self.network(inputs, training=training)[1]

    def compile(
        self, optimizer: Any = "rmsprop", *, jit_compile: Any = False, **settings: Any
    ) -> None:
        """As `keras.Model.compile`, without a loss: the method is the loss.

        XLA is off unless asked for (it is slower on a CPU and not used under a strategy). Where
        the classifier computes in float16 the optimizer is wrapped for loss scaling; Keras itself
        looks only at the outer model's policy. Raises `ValueError` for a loss.
        """
        if settings.get("loss") is not None:
            raise ValueError(f"{type(self).__name__} is its own loss: compile it without loss=")
        optimizer = keras.optimizers.get(optimizer)
        scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        if self._computes_in_float16() and not scaled:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        super().compile(optimizer=optimizer, jit_compile=jit_compile, **settings)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def fit(self, *arguments: Any, callbacks: Any = None, **settings: Any) -> Any:
        """As `keras.Model.fit`; the method's clock runs with the callbacks.

        Raises `ValueError` for sample or class weights: a third column means ids here.
        """
        for name in ("sample_weight", "class_weight"):
            if settings.get(name) is not None:
                raise ValueError(f"{type(self).__name__} takes no {name}")
        data = arguments[0] if arguments else settings.get("x")
        if isinstance(data, tf.data.Dataset):
            # Keras' own default is True, of which it then warns that it means nothing here.
            settings.setdefault("shuffle", False)
        clock = _Clock()
        if isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks.callbacks.insert(0, clock)
            clock.set_model(self)
            clock.set_params(callbacks.params)
        else:
            listed = callbacks if isinstance(callbacks, Sequence) else [callbacks]
            callbacks = [clock, *(callback for callback in listed if callback is not None)]
        return super().fit(*arguments, callbacks=callbacks, **settings)

    def test_step(self, data: Any) -> Mapping[str, Tensor]:
        batch = self.unpack(data)
        logits = self(batch.images, training=False)
        loss = ops.mean(losses.cross_entropy(logits, batch.labels))
        return self.report(batch, logits, {"loss": loss})

    def predict_step(self, data: Any) -> Tensor:
        images = data[0] if isinstance(data, tuple) else data
        images, count = self._without_empty(images)
        return self(images, training=False)[:count]

    # The seam.

    def unpack(self, data: Any) -> Batch:
        """One replica's `Batch` of what the data set yielded."""
        images, labels, ids = self._columns(data)
        images, count = self._without_empty(images)
        padding = ops.shape(images)[0] - count
        labels = _pad_rows(labels, padding)
        ids = None if ids is None else _pad_rows(ops.cast(ids, "int32"), padding)
        first, share = self._place_in_batch(count)
        return Batch(ops.cast(images, "float32"), labels, ids, first, count, share)

    def minimize(
        self,
        objective: Callable[[], tuple[Tensor, Any]],
        share: Tensor,
        variables: Sequence[Any] | None = None,
        optimizer: Any = None,
    ) -> Any:
        """Take one gradient step on `objective` and return its second value.

        `objective()` gives `(loss, anything)`, the loss a mean over this replica's samples;
        `share` is the batch's: gradients are summed over replicas, so each replica's mean enters
        with its share of the global batch. `variables` default to all trainable ones, `optimizer`
        to the compiled one.
        """
        optimizer = self.optimizer if optimizer is None else optimizer
        variables = self.trainable_variables if variables is None else variables
        with (
            tf.GradientTape(watch_accessed_variables=False) as tape,
            weighing_rows(self._row_weight(share)),
        ):
            tape.watch([variable.value for variable in variables])
            loss, outcome = objective()
            scaled = optimizer.scale_loss(loss * share)
        gradients = tape.gradient(scaled, [variable.value for variable in variables])
        optimizer.apply(gradients, variables)
        return outcome

    def report(
        self, batch: Batch, logits: Tensor, parts: Mapping[str, Tensor]
    ) -> Mapping[str, Tensor]:
        """Update the metrics with a batch and return the epoch's running values.

        `parts` are means over the replica's samples, `loss` among them; each is averaged over
        the epoch's samples.
        """
        for name, value in parts.items():
            tracker = self._loss_tracker if name == "loss" else self.part_trackers[name]
            # A replica without samples has a value all the same; nought times it must be nought.
            value = ops.where(batch.count > 0, value, 0.0)
            tracker.update_state(value, sample_weight=batch.count)
        logs = self.compute_metrics(None, batch.real(batch.labels), batch.real(logits))
        return {name: value for name, value in logs.items() if self._is_logged(name, parts)}

    def over_all_replicas(self, rows: Tensor, batch: Batch) -> Tensor:
        """This replica's `rows`, one a sample, with all others': those of the global batch.

        In the batch's order and without blank rows; the same on every replica. Gradients flow
        back to where each row came from.
        """
        own = batch.real(rows)
        if self._replicas() == 1:
            return own
        context = tf.distribute.get_replica_context()
        total = context.all_reduce("sum", batch.count)
        places = batch.first + ops.arange(batch.count, dtype="int32")
        shape = tf.concat([[total], tf.shape(own)[1:]], axis=0)
        return context.all_reduce("sum", tf.scatter_nd(places[:, None], own, shape))

    def own_places(self, batch: Batch, total: Tensor) -> Tensor:
        """Where this replica's rows stand in the global batch of `total` rows, `(n,)` int32.

        A blank row stands where some other row does.
        """
        places = batch.first + ops.arange(ops.shape(batch.images)[0], dtype="int32")
        return ops.minimum(places, total - 1)

    def end_epoch(self, epoch: int) -> None:
        """What a method does between epochs, outside the graph; `epoch` counts from 0."""

    def sample_scores(self, images: Tensor) -> Mapping[str, Tensor]:
        """What the method has to say of single images, `(n,)` float32 each, by name."""
        return {}

    @property
    def metrics(self) -> list[Any]:
        known: list[Any] = super().metrics
        return known + [t for t in self.part_trackers.values() if all(t is not k for k in known)]

    # The clock: what draws and ramps may depend on.

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
        ids = self._views.keys
        if ids is None:
            ids = ops.arange(ops.shape(images)[0], dtype="int32")
        row = [self.seed & 0x7FFFFFFF, stream, ops.cast(self.epoch.value, "int32")]
        columns = [ops.zeros_like(ids) + ops.cast(value, "int32") for value in row]
        return ops.stack([*columns, ops.cast(ids, "int32")], axis=1)

    def views_of(self, batch: Batch, make: Callable[[Tensor], Any] | None = None) -> Any:
        """The views of a batch: `make_views` with `sample_keys` bound to the batch's ids."""
        make = self.make_views if make is None else make
        self._views.keys = batch.ids if batch.ids is not None else self._places(batch)
        try:
            return make(batch.images)
        finally:
            self._views.keys = None

    def make_views(self, images: Tensor) -> Any:
        """What the network is shown of `images`; each method says. Override to change it."""
        raise NotImplementedError(f"{type(self).__name__} has no make_views")

    # Inner workings.

    def _get_metrics_result_or_logs(self, logs: Any) -> Any:
        """The reported metrics over all replicas.

        Where a step leaves a metric out, Keras falls back on the mean of the replicas' own
        values, which is wrong as soon as one has more samples than another.
        """
        running = self.get_metrics_result()
        return {name: running.get(name, value) for name, value in logs.items()}

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Build metrics and optimizer before the replicas run, from shapes alone.

        Keras does so by averaging the replicas' parts of the first batch, which fails where they
        differ in size.
        """
        if self._distribute_strategy is None:
            return
        images = keras.KerasTensor((None, *self.classifier.input_shape[1:]))
        labels = self._label_form(iterator)
        with self._distribute_strategy.scope():
            self._symbolic_build(data_batch=(images, labels))

    def _label_form(self, iterator: Any) -> Any:
        """Shape and dtype of the labels, from one replica's part of the first batch."""
        for _, _, batches in iterator:
            parts = self._distribute_strategy.experimental_local_results(next(batches)[1])
            shape = (None, *parts[0].shape[1:])
            shape = (None,) if shape == (None, 1) else shape
            return keras.KerasTensor(shape, keras.backend.standardize_dtype(parts[0].dtype))
        return keras.KerasTensor((None,), "int32")

    def _start_epoch(self, epoch: int, steps: int | None) -> None:
        self.epoch.assign(epoch)
        self._epoch_start.assign(ops.cast(self.optimizer.iterations, "int32"))
        self._steps_per_epoch.assign(steps or 0)

    def _counter(self, name: str, start: int = 0) -> Any:
        initial = keras.initializers.Constant(start)
        return self.add_weight(
            shape=(), dtype="int32", initializer=initial, trainable=False, name=name
        )

    def _columns(self, data: Any) -> tuple[Tensor, Tensor, Tensor | None]:
        if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
            raise ValueError(
                "a training data set must yield (image, label) or (image, label, id); received "
                f"{len(data) if isinstance(data, (tuple, list)) else type(data).__name__}"
            )
        images, labels, *rest = data
        if len(labels.shape) == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]
        ids = rest[0] if rest else None
        if ids is not None and not keras.backend.is_int_dtype(ids.dtype):
            # Keras puts sample_weight and class_weight in this place.
            raise ValueError(
                "the third column is the samples' ids, integers (sample and class weights are not "
                f"taken); received {keras.backend.standardize_dtype(ids.dtype)}"
            )
        return images, labels, ids

    def _without_empty(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images with one blank row where a replica got none, and the count before that.

        The last batch of an epoch may hold fewer images than there are replicas; kernels and
        batch statistics of nothing are errors or not numbers.
        """
        count = ops.shape(images)[0]
        if self._replicas() == 1:
            return images, count
        return _pad_rows(images, ops.cast(ops.equal(count, 0), "int32")), count

    def _place_in_batch(self, count: Tensor) -> tuple[Tensor, Tensor]:
        """Where this replica's samples start in the global batch, and their share of it."""
        replicas = self._replicas()
        if replicas == 1:
            return ops.zeros((), "int32"), ops.ones((), "float32")
        context = tf.distribute.get_replica_context()
        own = ops.one_hot(context.replica_id_in_sync_group, replicas, dtype="float32")
        counts = context.all_reduce("sum", own * ops.cast(count, "float32"))
        before = ops.sum(counts * ops.cast(ops.cumsum(own) == 0, "float32"))
        return ops.cast(before, "int32"), ops.sum(counts * own) / ops.sum(counts)

    def _row_weight(self, share: Tensor) -> Tensor | None:
        """1 for rows that the batch statistics are to count, 0 for an empty replica's blank."""
        return None if self._replicas() == 1 else ops.cast(share > 0, "float32")

    def _places(self, batch: Batch) -> Tensor:
        """Keys for samples without ids: the step and the place in the global batch."""
        place = batch.first + ops.arange(ops.shape(batch.images)[0], dtype="int32")
        return place + ops.cast(self.optimizer.iterations, "int32") * 65_536

    def _replicas(self) -> int:
        return int(self.distribute_strategy.num_replicas_in_sync)

    def _computes_in_float16(self) -> bool:
        return any(layer.compute_dtype == "float16" for layer in self.network._flatten_layers())

    def _is_logged(self, name: str, parts: Mapping[str, Tensor]) -> bool:
        return name in parts or (name != "loss" and name not in self.part_trackers)


def refuse_regularizers(classifier: keras.Model) -> None:
    """`ValueError`, naming the layer, where a classifier has losses that no method would add.

    A method's loss is its own: what `kernel_regularizer` and the like ask for would be dropped.
    """
    for layer in classifier._flatten_layers(include_self=False):
        own = [*layer._trainable_variables, *layer._non_trainable_variables]
        weights = [v.name for v in own if getattr(v, "regularizer", None) is not None]
        if layer.activity_regularizer is not None:
            weights.append("output")
        if weights:
            raise ValueError(
                f"layer '{layer.name}' of the classifier has a regularizer on its {weights[0]}, "
                "which is not added to a method's loss. Build the layer without it and decay the "
                "weights in the optimizer: L2(x) is eactf.optimizers.Adam or SGD with "
                "coupled_weight_decay=2*x, for every weight"
            )


def _pad_rows(rows: Tensor, padding: Tensor) -> Tensor:
    if isinstance(padding, int) and padding == 0:
        return rows
    return tf.pad(rows, [[0, padding]] + [[0, 0]] * (len(rows.shape) - 1))

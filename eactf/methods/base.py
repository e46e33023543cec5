"""The seam that methods share, as the author of a method sees it: a batch in, a step, a report.

A method is a `keras.Model` whose `train_step` says what makes it different. What all share stands
here once:

- `unpack` makes a `Batch` of what the data set yields, on any number of devices;
- `minimize` runs an objective under a tape and applies its gradient to some variables with some
  optimizer, scaled for the global batch and for low precision. A method with two networks calls
  it once a network, an adversarial one once a player;
- `epoch`, `progress`, `ramped` and `sample_keys` are the clock (`clock.py`): what a draw or a ramp
  may depend on;
- `over_all_replicas` and `own_places` are what a method needs to know of several devices
  (`replicas.py`);
- `report` updates the metrics and returns the logs.

How methods sit on it:

- SCN adds a weight head to the network and a `SampleMemory` of labels, and writes relabels into it
  after `minimize`. `over_all_replicas` brings the batch together for what ranks or mixes it.
- RUL trains other layers on the classifier's features: it overrides `open`.
- Co-teaching holds two classifiers (`pair.py`) and moves both in a step.
- DivideMix and the two-network variant choose between epochs what the next one consists of
  (`planned.py`, `dividing.py`).
- Ada-CM keeps the moving average of what it trains (`averaged.py`).
- An adversarial method calls `minimize(discriminator_objective, discriminator.variables,
  discriminator_optimizer)` before the generator's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import keras
import tensorflow as tf
from keras import ops

from eactf import losses
from eactf.methods.batch import Batch, columns, pad_rows
from eactf.methods.clock import with_clock
from eactf.methods.faults import readable, require_labels, require_weights
from eactf.methods.first_look import FirstLook
from eactf.methods.predicting import PredictingModel
from eactf.methods.prior import checked_prior
from eactf.methods.regularizers import refuse_regularizers
from eactf.methods.weights import as_sample_weights, class_weights, refuse_integer_weights
from eactf.nn.classifier import open_classifier
from eactf.nn.normalization import weighing_rows

__all__ = ["Batch", "Method"]

Tensor = Any


class Method(PredictingModel):
    """A classifier in training.

    `classifier` is a functional Keras model that ends in global average pooling and a dense layer
    of logits; the method trains its variables in place, so that `classifier.save(...)` is all
    there is to keep. Data sets yield `(image, label)`, `(image, label, id)` or `(image, label, id,
    weight)`; images are `(n, H, W, C)` in the classifier's own range. `seed` fixes every random
    draw in training, with the epoch and the sample's id (or its place in the batch where there are
    no ids).

    Weights, of samples (the fourth column, or `sample_weight` with arrays) and of classes
    (`fit(class_weight=)`), say how much a label counts: every cross-entropy is the weighted mean,
    sum(w * loss) / sum(w) over the global batch, so that it keeps its proportion to the other terms
    whatever the scale of the weights (Keras' own losses divide by the number of samples). Terms
    that look at no label, such as the consistency of maps, are not weighted: an image whose label
    is not to be trusted, even one of weight 0, still teaches where to look.

    `prior_adjustment` is tau of the logit adjustment (`losses.adjusted_logits`; Menon et al., ICLR
    2021), >= 0, and `class_prior` how often each class is given as a label in training, counts or
    shares, one a class. It acts on the cross-entropies of training alone: rare classes are then not
    given up for frequent ones. 0 is off and 1 the paper's. Evaluation, its loss too, and the
    classifier that is kept have the logits as they are; so have metrics in training. A class that
    has no training image counts as the rarest that has some.

    Labels out of range are a `ValueError` that names them, in training and evaluation alike (with
    XLA, which knows no checks, the loss is not a number). Images in 0..1 where the classifier's own
    normalisation expects 0..255 are warned of once.

    A subclass names the parts of its loss that `report` is to average and log in `loss_parts`.
    """

    loss_parts: ClassVar[tuple[str, ...]] = ()

    views: int = 1
    """How many images a sample becomes in a step."""

    def __init__(
        self,
        classifier: keras.Model,
        *,
        prior_adjustment: float = 0.0,
        class_prior: Sequence[float] | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self.open(classifier)
        self.class_prior = checked_prior(
            prior_adjustment, class_prior, self.classifier.output_shape[-1]
        )
        self.prior_adjustment = float(prior_adjustment)
        self.start_clock(seed)
        self._first_look = FirstLook(self.classifier)
        self._class_weights: tuple[float, ...] | None = None
        self.part_trackers = {part: keras.metrics.Mean(name=part) for part in self.parts()}
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
        self.build_optimizers()

    def fit(self, *arguments: Any, callbacks: Any = None, **settings: Any) -> Any:
        """As `keras.Model.fit`; the method's clock runs with the callbacks.

        `sample_weight` goes with arrays; a data set has its weights in a fourth column.
        `class_weight` is `{class: weight}` (1 for a class that is not named) or one number a
        class; it multiplies the sample weights, and holds until the next call. Raises
        `ValueError` for weights that are negative or no numbers.
        """
        self._weigh_classes(settings.pop("class_weight", None))
        refuse_integer_weights(settings.get("validation_data"))
        settings["sample_weight"] = as_sample_weights(settings.get("sample_weight"))
        data = arguments[0] if arguments else settings.get("x")
        if isinstance(data, (tf.data.Dataset, tf.distribute.DistributedDataset)):
            # Keras' own default is True, of which it then warns that it means nothing here.
            settings.setdefault("shuffle", False)
        return super().fit(*arguments, callbacks=with_clock(self, callbacks), **settings)

    def evaluate(self, *arguments: Any, sample_weight: Any = None, **settings: Any) -> Any:
        """As `keras.Model.evaluate`; with weights the loss is the weighted mean."""
        settings["sample_weight"] = as_sample_weights(sample_weight)
        return super().evaluate(*arguments, **settings)

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """As `keras.Model.train_on_batch`; weights as in `fit`."""
        self._weigh_classes(class_weight)
        weights = as_sample_weights(sample_weight)
        return super().train_on_batch(x, y, sample_weight=weights, return_dict=return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """As `keras.Model.test_on_batch`; weights as in `evaluate`."""
        weights = as_sample_weights(sample_weight)
        return super().test_on_batch(x, y, sample_weight=weights, return_dict=return_dict)

    def make_train_function(self, force: bool = False) -> Any:
        """As Keras', what a check finds told as a plain error."""
        if force or self.train_function is None:
            super().make_train_function(force=True)
            self.train_function: Any = self._watched(self.train_function)
        return self.train_function

    def make_test_function(self, force: bool = False) -> Any:
        """As Keras', what a check finds told as a plain error."""
        if force or self.test_function is None:
            super().make_test_function(force=True)
            self.test_function: Any = self._watched(self.test_function)
        return self.test_function

    def test_step(self, data: Any) -> Mapping[str, Tensor]:
        batch = self.unpack(data)
        logits = self(batch.images, training=False)
        values = losses.cross_entropy(logits, batch.labels)
        if batch.weights is None:
            return self.figures(batch, logits, {"loss": ops.mean(values)})
        total = ops.sum(batch.weights)
        loss = ops.divide_no_nan(ops.sum(values * batch.weights), total)
        return self.figures(batch, logits, {"loss": loss}, total)

    # The seam.

    def unpack(self, data: Any) -> Batch:
        """One replica's `Batch` of what the data set yielded.

        Raises `ValueError` for columns of another form, labels out of range, and weights that are
        negative or no numbers.
        """
        images, labels, ids, weights = columns(data)
        labels = require_labels(labels, self.classifier.output_shape[-1])
        with tf.control_dependencies([labels]):
            images = tf.identity(images)  # a wrong label moves no batch statistics either
        self._first_look.at(images)
        images, count = self._without_empty(images)
        padding = ops.shape(images)[0] - count
        labels = pad_rows(labels, padding)
        ids = None if ids is None else pad_rows(ops.cast(ids, "int32"), padding)
        if weights is not None:
            weights = pad_rows(require_weights(weights), padding)
        first, share = self._place_in_batch(count)
        return Batch(ops.cast(images, "float32"), labels, ids, first, count, share, weights)

    def weights_of(self, batch: Batch, labels: Tensor | None = None) -> Tensor | None:
        """How much each label of a training batch counts, `(n,)`; None where all count alike.

        The sample's weight times its class's, that of `labels` (by default the batch's; of a soft
        label the mean over its classes), over the mean in the global batch: for
        `losses.weighted_mean`.
        """
        weights = batch.weights
        if self._class_weights is not None:
            labels = batch.labels if labels is None else labels
            of_classes = ops.convert_to_tensor(self._class_weights, "float32")
            if len(labels.shape) == 1:
                own = ops.take(of_classes, ops.cast(labels, "int32"))
            else:
                own = ops.sum(ops.cast(labels, "float32") * of_classes, axis=-1)
            weights = own if weights is None else weights * own
        return None if weights is None else self.averaging_one(weights, batch)

    def cross_entropy(
        self, logits: Tensor, labels: Tensor, weights: Tensor | None = None
    ) -> Tensor:
        """The mean cross-entropy of a training step, of adjusted logits, a scalar.

        `weights` are those of `weights_of`.
        """
        values = losses.cross_entropy(self.adjusted(logits), labels)
        return losses.weighted_mean(values, weights)

    def adjusted(self, logits: Tensor) -> Tensor:
        """The logits that a cross-entropy in training is taken of: those of `prior_adjustment`.

        Never those of an evaluation or of the classifier that is kept.
        """
        if self.prior_adjustment == 0.0:
            return logits
        return losses.adjusted_logits(logits, self.class_prior, self.prior_adjustment)

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
        self,
        batch: Batch,
        logits: Tensor,
        parts: Mapping[str, Tensor],
        amount: Tensor | None = None,
    ) -> Mapping[str, Tensor]:
        """Update the metrics with a training batch and return the epoch's running values.

        What `logits` say of each sample is noted where samples are followed (`follow`). `parts` are
        means over the replica's samples, `loss` among them; each is averaged over the epoch's
        samples, or by `amount`, what a mean stands for in another measure. Metrics get the sample
        weights where Keras was told to weigh them (`weighted_metrics`).
        """
        self.note(batch, logits)
        return self.figures(batch, logits, parts, amount)

    def figures(
        self,
        batch: Batch,
        logits: Tensor,
        parts: Mapping[str, Tensor],
        amount: Tensor | None = None,
    ) -> Mapping[str, Tensor]:
        """As `report`, of samples that are not noted: in evaluation, or of mixed images."""
        amount = batch.count if amount is None else amount
        for name, value in parts.items():
            tracker = self._loss_tracker if name == "loss" else self.part_trackers[name]
            # A replica without samples has a value all the same; nought times it must be nought.
            value = ops.where(batch.count > 0, value, 0.0)
            tracker.update_state(value, sample_weight=amount)
        weights = None if batch.weights is None else batch.real(batch.weights)
        logs = self.compute_metrics(
            None, batch.real(batch.labels), batch.real(logits), sample_weight=weights
        )
        return {name: value for name, value in logs.items() if self._is_logged(name, parts)}

    def stored_networks(self) -> dict[str, keras.Model]:
        """The networks that are saved for others to open, by file name."""
        return {"model.keras": self.classifier}

    def parts(self) -> tuple[str, ...]:
        """The parts of the loss that `report` is to average and log: those of the class."""
        return self.loss_parts

    def views_of(
        self, batch: Batch, make: Callable[[Tensor], Any] | None = None, view: int = 0
    ) -> Any:
        """The views of a batch: `make_views` with `sample_keys` bound to the batch's ids.

        Another `view` makes others of the same images.
        """
        make = self.make_views if make is None else make
        with self.keys_of(batch, view):
            return make(batch.images)

    def make_views(self, images: Tensor) -> Any:
        """What the network is shown of `images`; each method says. Override to change it."""
        raise NotImplementedError(f"{type(self).__name__} has no make_views")

    def sample_scores(self, images: Tensor) -> Mapping[str, Tensor]:
        """What the method has to say of single images, `(n,)` float32 each, by name."""
        return {}

    def build_optimizers(self) -> None:
        """Make the optimizers' own variables, which otherwise the first step does."""
        self.optimizer.build(self.trainable_variables)

    def epoch_record(
        self, ids: Any, given: Any, truth: Any, class_names: Sequence[str]
    ) -> Mapping[str, Any]:
        """What the method tells of the epoch that has ended, plain values for the run's records.

        `ids` `(N,)` are the training samples', `given` `(N,)` their labels as classes, `truth`
        their true classes where they are known (-1 where not), else None.
        """
        return {}

    @property
    def metrics(self) -> list[Any]:
        known: list[Any] = super().metrics
        return known + [t for t in self.part_trackers.values() if all(t is not k for k in known)]

    def _weigh_classes(self, given: Any) -> None:
        """Let a step weigh classes as `given`; it is built anew where that was otherwise."""
        wanted = class_weights(given, self.classifier.output_shape[-1])
        if wanted != self._class_weights:
            self._class_weights = wanted
            self.train_function = None

    def _watched(self, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """A function of Keras that runs steps, watched by the checks and the first look."""
        plain = readable(step)

        def watched(iterator: Any) -> Any:
            logs = plain(iterator)
            self._first_look.tell()
            return logs

        return watched

    def _computes_in_float16(self) -> bool:
        return any(layer.compute_dtype == "float16" for layer in self.network._flatten_layers())

    def _is_logged(self, name: str, parts: Mapping[str, Tensor]) -> bool:
        return name in parts or (name != "loss" and name not in self.part_trackers)

"""Multi-task learning: one encoder, a head for each kind of label.

The supplement of "Facial emotion recognition with noisy multi-task annotations" (Zhang, Huang, Ni,
Gomes, WACV 2021) calls it "multi-task VGGNet"; it is that paper's encoder without what learns the
joint distribution (`joint_distribution.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Self

import keras
import numpy as np
import tensorflow as tf
from annotated_types import Ge, Le
from keras import ops

from eactf import losses
from eactf.methods.arguments import check_arguments
from eactf.methods.batch import Batch, pad_rows
from eactf.methods.erasing import OneViewMethod
from eactf.methods.faults import require_labels
from eactf.methods.regularizers import refuse_regularizers
from eactf.methods.tasks import checked_task_weights, tasks_of
from eactf.methods.views import Erasing, Views
from eactf.nn.dropout import drop

__all__ = ["MultiTask"]

Tensor = Any

_DROPS = 14, 15
"""The streams of random draws that dropout has, one a layer."""


@keras.saving.register_keras_serializable(package="eactf")
class MultiTask(OneViewMethod):
    """Train an encoder on several kinds of labels at once.

    `encoder` is one of `eactf.nn.adversarial.encoder`, trained in place. Its heads named in
    `values` are of numbers, such as valence and arousal, all others of classes:

    loss = the sum over heads of task weight * (mean cross-entropy of classes, or
    1 - mean concordance of the batch's numbers, `losses.concordance`).

    `classifier`, what is kept and what evaluation goes by, is the encoder up to its head `label`:
    an ordinary classifier of its own file. `encoder` saved gives all outputs by name.

    The labels of a data set are a dictionary: those of each head of classes under the head's name,
    and numbers under theirs, `{"expression": (n,), "valence": (n,), "arousal": (n,)}`. For
    evaluation those of `label` are enough, with or without their name. A class of -1 in other sets
    than `label`, and a number that is nan, is not known, and left out of the loss. On several
    devices the concordance is the global batch's.

    - `values`: the names of the numbers of each head that is of numbers, `{"affect": ("valence",
      "arousal")}`; None: all heads are of classes.
    - `label`: the head of classes that counts as the label; None: the first.
    - `task_weights`: how much each head's loss counts; 1 where it is not named (the paper's).
    - `flip_probability`, `erasing` and `augmentation` are CrossEntropy's; nothing is erased by
      default.
    - `prior_adjustment`, `class_prior`: tau of the logit adjustment and how often each class is
      given as a label (see `Method`). It acts on the head `label`.

    Weights of samples weigh all cross-entropies, those of classes (see `Method`) that of `label`. A
    sample of weight 0 is left out of the concordance, which no other weight changes. A batch in
    which fewer than two samples have a number has no concordance: its loss is 1, and moves nothing.

    Logs `loss` and each head's, such as `expression_loss`. Raises `ValueError` on values out of
    range.

    >>> import eactf, numpy as np
    >>> encoder = eactf.nn.adversarial.encoder(32, {"expression": 3, "affect": 1}, width=1 / 32)
    >>> model = eactf.MultiTask(encoder, values={"affect": ("valence",)})
    >>> model.compile(optimizer=eactf.optimizers.Adam(1e-4))
    >>> labels = {"expression": np.array([0, 1, 2, 0]), "valence": np.array([0.5, np.nan, -1, 0])}
    >>> history = model.fit(np.zeros((4, 32, 32, 3), "uint8"), labels, verbose=0).history
    >>> sorted(history)
    ['affect_loss', 'expression_loss', 'loss']
    """

    def __init__(
        self,
        encoder: keras.Model,
        *,
        values: Mapping[str, Sequence[str]] | None = None,
        label: str | None = None,
        task_weights: Mapping[str, float] | None = None,
        flip_probability: Annotated[float, Ge(0), Le(1)] = 0.5,
        erasing: Erasing = Erasing(probability=0.0),
        augmentation: Views = Views(),
        prior_adjustment: Annotated[float, Ge(0)] = 0.0,
        class_prior: Sequence[float] | None = None,
        seed: int = 0,
        name: str = "multi_task",
    ) -> None:
        check_arguments(MultiTask, locals())
        # `open` builds from it, within the base's own start.
        self.tasks = tasks_of(encoder, values, label)
        super().__init__(
            encoder,
            flip_probability=flip_probability,
            erasing=erasing,
            augmentation=augmentation,
            prior_adjustment=prior_adjustment,
            class_prior=class_prior,
            seed=seed,
            name=name,
        )
        self.task_weights = checked_task_weights(self.tasks, task_weights)

    def open(self, classifier: keras.Model) -> None:
        """Open an encoder; `network` gives the first dense layer's features, before dropout."""
        refuse_regularizers(classifier)
        self.encoder = classifier
        self.classifier = keras.Model(
            classifier.input, classifier.output[self.tasks.label], name="classifier"
        )
        self.network = keras.Model(classifier.input, classifier.get_layer("features1").output)
        self.head = classifier.get_layer(self.tasks.label)
        self.dropout = float(classifier.get_layer("dropout1").rate)

    def parts(self) -> tuple[str, ...]:
        return tuple(f"{name}_loss" for name in self.tasks.sizes)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Logits `(n, classes)` of images by the head `label`."""
        return self.classifier(inputs, training=training)

    def predict_step(self, data: Any) -> Tensor:
        if self.gives != "outputs":
            return super().predict_step(data)
        images = data[0] if isinstance(data, tuple) else data
        images, count = self._without_empty(images)
        outputs = self.encoder(images, training=False)
        return ops.concatenate([outputs[name] for name in self.tasks.sizes], axis=-1)[:count]

    def predict_outputs(self, *arguments: Any, **settings: Any) -> dict[str, np.ndarray]:
        """As `predict`, the outputs of all heads by name: logits of classes, numbers as they are.

        `(n, classes)` or `(n, numbers)` float32 each.
        """
        found = self.predict_other("outputs", *arguments, **settings)
        ends = np.cumsum(list(self.tasks.sizes.values()))[:-1]
        return dict(zip(self.tasks.sizes, np.split(found, ends, axis=1), strict=True))

    def stored_networks(self) -> dict[str, keras.Model]:
        """Beside the classifier the whole encoder, whose outputs go by name."""
        return {**super().stored_networks(), "encoder.keras": self.encoder}

    @property
    def task_variables(self) -> list[Any]:
        """What the labels train: the encoder without its heads of latent noise."""
        noise = [self.encoder.get_layer(name) for name in ("mean", "log_variance")]
        others = {id(variable) for layer in noise for variable in layer.variables}
        return [v for v in self.encoder.trainable_variables if id(v) not in others]

    def build_optimizers(self) -> None:
        if not self.optimizer.built:
            self.optimizer.build(self.task_variables)

    def compile(self, optimizer: Any = "rmsprop", **settings: Any) -> None:
        """As `Method.compile`; the optimizer is of what the labels train."""
        super().compile(optimizer, **settings)
        self.build_optimizers()

    def unpack(self, data: Any) -> Batch:
        """As `Method.unpack`, of labels that may be a dictionary; the batch's are of `label`."""
        if not (isinstance(data, (tuple, list)) and len(data) > 1 and isinstance(data[1], Mapping)):
            return super().unpack(data)
        label = self.tasks.label
        if label not in data[1]:
            raise ValueError(f"labels must have {label!r} among them; received {list(data[1])}")
        # Keras repeats weights that are given with arrays for each of the labels.
        images, own, *rest = (c[label] if isinstance(c, Mapping) else c for c in data)
        batch = super().unpack((images, own, *rest))
        padding = ops.shape(batch.images)[0] - batch.count
        found = {name: data[1][name] for name in self.tasks.columns if name in data[1]}
        targets = {name: pad_rows(self._target(name, t), padding) for name, t in found.items()}
        return replace(batch, targets={**targets, label: batch.labels})

    def label_column(self, labels: Any) -> Any:
        return labels.get(self.tasks.label) if isinstance(labels, Mapping) else labels

    def train_step(self, data: Any) -> Mapping[str, Tensor]:
        batch = self.unpack(data)
        images = self.views_of(batch)

        def objective() -> tuple[Tensor, Any]:
            predictions = self.predictions(self.features(images, batch))
            parts = self.task_parts(predictions, batch)
            return parts["loss"], (predictions[self.tasks.label], parts)

        logits, parts = self.minimize(objective, batch.share, self.task_variables)
        return self.report(batch, logits, parts)

    def features(self, images: Tensor, batch: Batch) -> Tensor:
        """What the heads see of a training batch, `(n, features)`, with dropout."""
        first = self.network(images, training=True)
        with self.keys_of(batch):
            keys = [self.sample_keys(first, stream) for stream in _DROPS]
        second = self.encoder.get_layer("features2")(drop(first, keys[0], self.dropout))
        return drop(second, keys[1], self.dropout)

    def predictions(self, features: Tensor) -> dict[str, Tensor]:
        """The outputs of the heads of labels, by name, in float32."""
        return {name: self.encoder.get_layer(name)(features) for name in self.tasks.sizes}

    def task_parts(self, predictions: Mapping[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Each head's loss, a mean over the samples, and `loss`, their weighted sum."""
        targets = self._targets_of(batch)
        found = {
            name: self._number_loss(name, prediction, targets, batch)
            if name in self.tasks.values
            else self._class_loss(name, prediction, targets, batch)
            for name, prediction in predictions.items()
        }
        loss = sum(self.task_weights[name] * value for name, value in found.items())
        return {"loss": loss, **{f"{name}_loss": value for name, value in found.items()}}

    def _class_loss(
        self, name: str, logits: Tensor, targets: Mapping[str, Tensor], batch: Batch
    ) -> Tensor:
        if name == self.tasks.label:
            return self.cross_entropy(logits, batch.labels, self.weights_of(batch))
        labels = targets[name]
        weights = ops.ones_like(logits[:, 0]) if batch.weights is None else batch.weights
        if len(labels.shape) == 1:
            weights = ops.where(labels >= 0, weights, 0.0)
            labels = ops.maximum(labels, 0)
        values = losses.cross_entropy(logits, labels)
        return losses.weighted_mean(values, self.averaging_one(weights, batch))

    def _number_loss(
        self, name: str, numbers: Tensor, targets: Mapping[str, Tensor], batch: Batch
    ) -> Tensor:
        given = ops.stack([targets[column] for column in self.tasks.values[name]], axis=1)
        if batch.weights is not None:
            given = ops.where(batch.weights[:, None] > 0, given, float("nan"))
        numbers, given = (self.over_all_replicas(rows, batch) for rows in (numbers, given))
        return 1.0 - ops.mean(losses.concordance(numbers, given, ops.isfinite(given)))

    def _target(self, name: str, target: Tensor) -> Tensor:
        """One column of targets as `(n,)`, or `(n, classes)` soft labels, once it is checked."""
        if len(target.shape) == 2 and target.shape[1] == 1:
            target = target[:, 0]
        if name not in self.tasks.classes:
            return ops.cast(target, "float32")
        if len(target.shape) == 1:
            known = tf.maximum(target, tf.cast(0, target.dtype))
            sound = require_labels(known, self.tasks.classes[name])
            return tf.where(target < 0, tf.cast(-1, target.dtype), sound)
        return require_labels(target, self.tasks.classes[name])

    def _targets_of(self, batch: Batch) -> Mapping[str, Tensor]:
        """The targets of a training batch; `ValueError` where some are not there."""
        found = batch.targets or {}
        missing = [name for name in self.tasks.columns if name not in found]
        if missing:
            raise ValueError(
                f"{type(self).__name__} is trained on a dictionary of labels with "
                f"{', '.join(self.tasks.columns)}; {', '.join(missing)} not among those received"
            )
        return found

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["classifier"]  # a part of the encoder
        return {
            **config,
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "values": {name: list(columns) for name, columns in self.tasks.values.items()},
            "label": self.tasks.label,
            "task_weights": dict(self.task_weights),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        return super().from_config({**config, "encoder": encoder}, custom_objects)

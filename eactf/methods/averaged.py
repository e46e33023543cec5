"""What a method needs that trains one network and keeps its moving average."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from eactf.methods.averaging import copy_variables, move_average, shrink
from eactf.methods.batch import Batch
from eactf.methods.erasing import CorruptingMethod
from eactf.methods.planned import PlannedMethod
from eactf.methods.regularizers import refuse_regularizers
from eactf.methods.training_rows import Phase
from eactf.methods.views import Views
from eactf.nn.normalized_head import NormalizedHead, normalized_head
from eactf.nn.pooled_head import PooledHead, pooled_head
from eactf.nn.redrawn import redrawn

__all__ = ["AveragedMethod"]

Tensor = Any

_DROP = 13
"""The stream of random draws that dropout has."""


class AveragedMethod(PlannedMethod, CorruptingMethod):
    """A method that trains a copy of the classifier, which the classifier follows step by step.

    `average` is on the given classifier's own layers, `trained_head` on a copy of them; both have
    the head that `normalized` and `scale` ask for (`eactf.nn.normalized_head`). `classifier`, what
    is kept and what evaluation goes by, is the average's. Raises `ValueError` for a `scale` of
    features that are not normalised.
    """

    average: NormalizedHead | PooledHead
    trained_head: NormalizedHead | PooledHead

    def __init__(
        self,
        classifier: keras.Model,
        *,
        ema: float,
        shrink: float,
        dropout: float,
        normalized: bool,
        scale: float | None,
        augmentation: Views,
        prior_adjustment: float = 0.0,
        class_prior: Sequence[float] | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        if scale is not None and not normalized:
            raise ValueError(
                f"scale has no effect with normalized=False: leave it out; received {scale!r}"
            )
        # `open` builds from these, within the base's own start.
        self.normalized, self.scale = bool(normalized), None if scale is None else float(scale)
        self._head_seed = int(seed)
        super().__init__(
            classifier,
            augmentation=augmentation,
            prior_adjustment=prior_adjustment,
            class_prior=class_prior,
            seed=seed,
            name=name,
        )
        self.ema = float(ema)
        self.shrink_share = float(shrink)
        self.dropout = float(dropout)

    def open(self, classifier: keras.Model) -> None:
        """Put the average on `classifier` and what is trained on a copy of it."""
        refuse_regularizers(classifier)
        self._given_config = keras.saving.serialize_keras_object(classifier)
        self.average = self._with_head(classifier)
        self.trained_head = self._with_head(redrawn(classifier, self._head_seed))
        self.classifier = self.average.classifier
        # Keras finds variables in models that stand in attributes, not in those of other values.
        self.trained_classifier = self.trained_head.classifier
        self.network, self.averaged_network = self.trained_head.network, self.average.network
        self.head, self.map_size = self.trained_head.head, self.average.map_size
        copy_variables(self.trained_classifier.variables, self.classifier.variables)

    def _with_head(self, classifier: keras.Model) -> NormalizedHead | PooledHead:
        if self.normalized:
            return normalized_head(classifier, scale=self.scale, seed=self._head_seed)
        return pooled_head(classifier)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """The average's logits `(n, classes)` of images."""
        return self.average.judge(self.averaged_network(inputs, training=training))

    def outputs(self, batch: Batch, images: Tensor, view: int) -> tuple[Tensor, Tensor]:
        """Logits and unit features of a view of `batch` by the trained network, with dropout."""
        pooled = self.network(images, training=True)
        with self.keys_of(batch, view):
            keys = self.sample_keys(pooled, _DROP)
        return self.trained_head.train(pooled, keys, self.dropout)

    def compile(self, optimizer: Any = "rmsprop", **settings: Any) -> None:
        """As `Method.compile`; the optimizer is of what is trained, not of the average."""
        super().compile(optimizer, **settings)
        self.build_optimizers()

    def build_optimizers(self) -> None:
        if not self.optimizer.built:
            self.optimizer.build(self.trained_classifier.trainable_variables)

    def minimize_and_follow(
        self, objective: Callable[[], tuple[Tensor, Any]], share: Tensor
    ) -> Any:
        """As `minimize`; then the average follows, and what is trained shrinks, in that order."""
        rate = ops.convert_to_tensor(self.optimizer.learning_rate)
        outcome = self.minimize(objective, share, self.trained_classifier.trainable_variables)
        moving = _moving(self.trained_classifier)
        move_average(_moving(self.classifier), moving, self.ema)
        if self.shrink_share > 0.0:
            shrink(moving, self.shrink_share * ops.cast(rate, "float32"))
        return outcome

    def _start_phase(self, phase: Phase) -> None:
        """Begin with the average's weights: they may have been loaded since the copy was made."""
        super()._start_phase(phase)
        if int(ops.convert_to_numpy(self.optimizer.iterations)) == 0:
            copy_variables(_moving(self.trained_classifier), _moving(self.classifier))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "classifier": self._given_config,
            "ema": self.ema,
            "shrink": self.shrink_share,
            "dropout": self.dropout,
            "normalized": self.normalized,
            "scale": self.scale,
        }


def _moving(classifier: keras.Model) -> list[Any]:
    """The variables that move: all but what fixes a normalisation of pixels."""
    fixed = {
        id(variable)
        for layer in classifier._flatten_layers(include_self=False)
        if isinstance(layer, keras.layers.Normalization)
        for variable in layer.variables
    }
    return [variable for variable in classifier.variables if id(variable) not in fixed]

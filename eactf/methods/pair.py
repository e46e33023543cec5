"""What methods of two networks share: an optimizer for each, and one sum to predict with.

Two networks that begin with other weights make other mistakes, so that each can judge for the other
which labels to trust.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from eactf.methods.erasing import OneViewMethod
from eactf.methods.regularizers import refuse_regularizers
from eactf.methods.unscaled import unscaled
from eactf.methods.views import Erasing, Views
from eactf.nn.classifier import open_classifier
from eactf.nn.normalization import weighing_rows
from eactf.nn.redrawn import redrawn

__all__ = ["PairMethod", "summed"]

Tensor = Any


class PairMethod(OneViewMethod):
    """A method that trains two classifiers.

    `networks` are the two, ordinary functional classifiers of the same images and classes, trained
    in place. `second` defaults to a network of the first one's form whose weights are drawn anew;
    where the first has trained weights, give a second one that has them too. `classifier`, what is
    kept in the end and what evaluation goes by, gives the sum of both networks' logits; it shares
    their variables. Each network has an optimizer of its own, both as compiled.

    Raises `ValueError` for two networks that are one, or of other images or classes.
    """

    def __init__(
        self,
        classifier: keras.Model,
        second: keras.Model | None,
        *,
        flip_probability: float,
        erasing: Erasing,
        augmentation: Views,
        prior_adjustment: float = 0.0,
        class_prior: Sequence[float] | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        # `open` calls it within the base's own start. As a function: of an attribute Keras would
        # count the variables first, and a state would hold a network in another place than one of
        # a method that draws its second network.
        self._make_second = lambda: redrawn(classifier, int(seed)) if second is None else second
        super().__init__(
            classifier,
            flip_probability=flip_probability,
            erasing=erasing,
            augmentation=augmentation,
            prior_adjustment=prior_adjustment,
            class_prior=class_prior,
            seed=seed,
            name=name,
        )

    def open(self, classifier: keras.Model) -> None:
        """Open both networks; `classifier` becomes their sum."""
        super().open(classifier)
        second = self._make_second()
        _refuse_other_form(classifier, second)
        refuse_regularizers(second)
        opened = open_classifier(second)
        self.networks = (classifier, second)
        self.opened_networks = (self.network, opened.network)
        self.heads = (self.head, opened.head)
        self.classifier = summed(self.networks)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """The sum of both networks' logits `(n, classes)` of images."""
        return sum(self.logits_of_each(inputs, training=training))

    def logits_of_each(self, images: Tensor, training: bool = False) -> list[Tensor]:
        """Both networks' logits, `(n, classes)` each."""
        return [network(images, training=training)[1] for network in self.opened_networks]

    def compile(self, optimizer: Any = "rmsprop", **settings: Any) -> None:
        """As `Method.compile`; the second network's optimizer is made as the first one's.

        Raises `ValueError` for an optimizer with `use_ema`, whose averages Keras' `fit` would put
        into both networks at once.
        """
        super().compile(optimizer, **settings)
        if unscaled(self.optimizer).use_ema:
            raise ValueError(f"{type(self).__name__} takes no optimizer with use_ema")
        self.second_optimizer = type(self.optimizer).from_config(self.optimizer.get_config())
        self.build_optimizers()

    @property
    def optimizers(self) -> tuple[Any, ...]:
        """The optimizer of each network."""
        return () if self.optimizer is None else (self.optimizer, self.second_optimizer)

    def build_optimizers(self) -> None:
        for optimizer, network in zip(self.optimizers, self.networks, strict=True):
            if not optimizer.built:
                optimizer.build(network.trainable_variables)

    def same_learning_rate(self) -> None:
        """Give the second optimizer the learning rate that the first has by now."""
        # Where losses are scaled the optimizer that has the rate is the inner one.
        first, second = map(unscaled, self.optimizers)
        # One that follows a schedule of Keras follows it by its own steps.
        if not isinstance(first._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
            rate = float(ops.convert_to_numpy(first.learning_rate))
            if rate != float(ops.convert_to_numpy(second.learning_rate)):
                second.learning_rate = rate

    def minimize_both(
        self, objective: Callable[[], tuple[Sequence[Tensor], Any]], share: Tensor
    ) -> Any:
        """Take a gradient step with each network on its own loss, and return the second value.

        `objective()` gives `((loss of the first, loss of the second), anything)`; each loss moves
        its own network alone, whatever it depends on. Both are computed before either is moved.
        """
        groups = [network.trainable_variables for network in self.networks]
        with (
            tf.GradientTape(watch_accessed_variables=False, persistent=True) as tape,
            weighing_rows(self._row_weight(share)),
        ):
            tape.watch([variable.value for group in groups for variable in group])
            parts, outcome = objective()
            scaled = [
                optimizer.scale_loss(loss * share)
                for optimizer, loss in zip(self.optimizers, parts, strict=True)
            ]
        for optimizer, loss, group in zip(self.optimizers, scaled, groups, strict=True):
            gradients = tape.gradient(loss, [variable.value for variable in group])
            optimizer.apply(gradients, group)
        return outcome

    def predict_step(self, data: Any) -> Tensor:
        images = data[0] if isinstance(data, tuple) else data
        images, count = self._without_empty(images)
        each = self.logits_of_each(images, training=False)
        found: Any = ops.stack(each, axis=1) if self.gives == "each" else sum(each)
        return found[:count]

    def predict_each(self, *arguments: Any, **settings: Any) -> np.ndarray:
        """As `predict`, of each network alone: logits `(n, 2, classes)`."""
        return self.predict_other("each", *arguments, **settings)

    def stored_networks(self) -> dict[str, keras.Model]:
        """Beside their sum each network alone."""
        alone = {f"network-{n}.keras": one for n, one in enumerate(self.networks, start=1)}
        return {**super().stored_networks(), **alone}

    def get_config(self) -> dict[str, Any]:
        first, second = map(keras.saving.serialize_keras_object, self.networks)
        return {**super().get_config(), "classifier": first, "second": second}

    def _computes_in_float16(self) -> bool:
        return any(
            layer.compute_dtype == "float16"
            for network in self.networks
            for layer in network._flatten_layers()
        )

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        second = keras.saving.deserialize_keras_object(config["second"])
        return super().from_config({**config, "second": second}, custom_objects)


def summed(networks: Sequence[keras.Model]) -> keras.Model:
    """One functional model that gives the sum of the logits of `networks`, sharing their layers."""
    first = networks[0]
    inputs = keras.Input(first.input_shape[1:], name="pixels")
    # Two models of one name cannot stand in a third; these are the same layers under other names.
    named = [
        keras.Model(network.input, network.output, name=f"network_{number}")
        for number, network in enumerate(networks, start=1)
    ]
    each = [network(inputs) for network in named]
    total = layers.Add(name="sum_of_logits", dtype="float32")(each)
    return keras.Model(inputs, total, name=f"{first.name}_pair")


def _refuse_other_form(first: keras.Model, second: keras.Model) -> None:
    if first is second:
        raise ValueError(
            "the two networks are one and the same, which cannot check itself: give two, or "
            "second=None for one of the same form with other weights"
        )
    forms = [(model.input_shape[1:], model.output_shape[1:]) for model in (first, second)]
    if forms[0] != forms[1]:
        raise ValueError(
            "both networks must take the same images and give the same classes; received images "
            f"{forms[0][0]} and {forms[1][0]}, classes {forms[0][1][0]} and {forms[1][1][0]}"
        )
    own = {id(variable) for variable in first.variables}
    shared = [variable.path for variable in second.variables if id(variable) in own]
    if shared:
        raise ValueError(
            f"the two networks share {len(shared)} variables ({shared[0]}, ...): each must have "
            "its own"
        )

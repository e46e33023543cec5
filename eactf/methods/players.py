"""The decoder and the discriminator that play against an encoder, and the tuples they play with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any, NamedTuple

import keras
import tensorflow as tf
from keras import ops

from eactf.methods.tasks import Tasks
from eactf.nn.adversarial import decoder as new_decoder
from eactf.nn.adversarial import discriminator as new_discriminator
from eactf.nn.normalization import FusedBatchNormalization, can_fuse

__all__ = [
    "Players",
    "given_rows",
    "players_of",
    "scores_of",
    "weights_of_scores",
    "with_fused_norm",
]

Tensor = Any

_FULL_WIDTH = 64
"""The channels of an encoder's first layer at width 1."""


class Players(NamedTuple):
    """A decoder and a discriminator (`eactf.nn.adversarial`)."""

    decoder: keras.Model
    discriminator: keras.Model


def players_of(
    encoder: keras.Model,
    tasks: Tasks,
    decoder: keras.Model | None,
    discriminator: keras.Model | None,
    seed: int,
) -> Players:
    """The given ones, or new ones of the encoder's own size, labels, width and dtype.

    Raises `ValueError` for networks of other images or labels than the encoder's, and for images of
    a size that they cannot be built for.
    """
    first = encoder.get_layer("stage1_1")
    _, size, _, channels = encoder.input_shape
    noise = int(encoder.output["mean"].shape[-1])
    form: dict[str, Any] = {"channels": channels, "noise": noise, "dtype": first.dtype_policy}
    form |= {"width": first.filters / _FULL_WIDTH, "seed": seed}
    if decoder is None:
        apart = tf.distribute.get_strategy().num_replicas_in_sync > 1
        decoder = new_decoder(size, tasks.sizes, synchronized=apart, **form)
    if discriminator is None:
        discriminator = new_discriminator(size, tasks.sizes, **form)
    rows = {"noise": (noise,), **{name: (size,) for name, size in tasks.sizes.items()}}
    image = encoder.input_shape[1:]
    _check_inputs("decoder", decoder, rows)
    _check_inputs("discriminator", discriminator, {"image": image, **rows})
    if decoder.output_shape[1:] != image:
        received = f"received one of {decoder.output_shape[1:]}"
        raise ValueError(f"decoder must make the encoder's images, {image}; {received}")
    return Players(decoder, discriminator)


def scores_of(discriminator: keras.Model) -> tuple[str, ...]:
    """What each column of its scores is of."""
    columns = discriminator.get_layer("scores").input
    return tuple(column._keras_history.operation.name.removesuffix("_score") for column in columns)


def weights_of_scores(
    discriminator: keras.Model, weights: Mapping[str, float] | None
) -> dict[str, float]:
    """The weight of each score by name, 1 where `weights` does not name it.

    Raises `ValueError` for names that are no score and for what is no number >= 0.
    """
    weights, names = dict(weights or {}), scores_of(discriminator)
    for name, weight in weights.items():
        if name not in names:
            raise ValueError(f"score_weights names {name!r}, but scores are {', '.join(names)}")
        if not (isinstance(weight, Real) and 0.0 <= float(weight) < math.inf):
            raise ValueError(f"score_weights must be >= 0; received {name} = {weight!r}")
    return {name: float(weights.get(name, 1.0)) for name in names}


def given_rows(
    tasks: Tasks, targets: Mapping[str, Tensor], predictions: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """The given labels as the decoder takes them, `(n, size)` float32 a head, classes as one-hot.

    Where a class or a number is not known the prediction stands, of classes their probabilities,
    without a gradient: neither network can tell the tuples apart by it.
    """
    own = {name: ops.stop_gradient(rows) for name, rows in predictions.items()}
    return {
        name: _numbers(own[name], [targets[column] for column in tasks.values[name]])
        if name in tasks.values
        else _classes(own[name], targets[name])
        for name in tasks.sizes
    }


def with_fused_norm(network: keras.Model) -> keras.Model:
    """`network`, whose batch statistics do not count a device's blank row (`weighing_rows`).

    The variables are the network's own.
    """

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if can_fuse(layer):
            return FusedBatchNormalization(layer)(*args, training=kwargs.get("training"))
        return layer(*args, **kwargs)

    twin: keras.Model = keras.models.clone_model(
        network, clone_function=lambda layer: layer, call_function=call
    )
    return twin


def _numbers(own: Tensor, columns: list[Tensor]) -> Tensor:
    given = ops.stack(columns, axis=1)
    return ops.where(ops.isfinite(given), given, own)


def _classes(own: Tensor, labels: Tensor) -> Tensor:
    if len(labels.shape) == 2:
        return ops.cast(labels, "float32")
    labels = ops.cast(labels, "int32")
    rows = ops.one_hot(ops.maximum(labels, 0), own.shape[-1], dtype="float32")
    return ops.where(labels[:, None] >= 0, rows, ops.softmax(own))


def _check_inputs(what: str, network: keras.Model, wanted: Mapping[str, tuple[int, ...]]) -> None:
    inputs = network.input if isinstance(network.input, Mapping) else {}
    found = {name: tuple(tensor.shape[1:]) for name, tensor in inputs.items()}
    if found != dict(wanted):
        raise ValueError(
            f"{what} must take {dict(wanted)}, by name, as the encoder gives it; received {found}"
        )

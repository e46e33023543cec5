"""This module puts a head on a classifier that sees directions only: features of unit length."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers, ops

from eactf.nn.classifier import dense_logits, open_classifier
from eactf.nn.dropout import drop

__all__ = ["NormalizedHead", "normalized_head", "unit_length"]

Tensor = Any

_SHORTEST = 1e-12


@dataclass(frozen=True)
class NormalizedHead:
    """A classifier with a normalised head, and the parts of it that a method trains.

    `classifier` maps images to logits `(N, L)`: an ordinary functional Keras model of Keras' own
    layers, to be saved. `network` maps images to the pooled features `(N, C)` in float32, on fused
    kernels; `head` is the dense layer, its `kernel` `(C, L)`. Their variables are the classifier's.
    `scale` is what unit features are multiplied by before `head`, `map_size` the `(H, W)` of the
    last map.
    """

    classifier: keras.Model
    network: keras.Model
    head: keras.layers.Dense
    scale: float | None
    map_size: tuple[int | None, int | None]

    def logits(self, features: Tensor) -> Tensor:
        """Logits `(N, L)` of features of unit length `(N, C)`."""
        return self.head(features if self.scale is None else features * self.scale)

    def judge(self, pooled: Tensor) -> Tensor:
        """Logits `(N, L)` of `pooled` features, in evaluation."""
        return self.logits(unit_length(pooled))

    def train(self, pooled: Tensor, keys: Tensor, rate: float = 0.5) -> tuple[Tensor, Tensor]:
        """Logits `(N, L)` and unit features `(N, C)` of `pooled` ones, with dropout before both.

        `keys` `(N, k)` draw the dropout (`eactf.nn.dropout.drop`), of `rate` in [0, 1).
        """
        features = unit_length(drop(pooled, keys, rate))
        return self.logits(features), features


def normalized_head(
    classifier: keras.Model, *, scale: float | None = None, seed: int | None = None
) -> NormalizedHead:
    """Put the head pooling -> unit length -> dense in the place of pooling -> dense.

    `classifier` is one that `eactf.nn.open_classifier` opens; up to the last map layers and
    variables stay its own, its dense layer is left out. The new one starts uniform in
    +-1/sqrt(C), kernel and bias, drawn from `seed`. The head of Ada-CM (Li, Wang, Yang, Wang, Gao,
    CVPR 2022) has no `scale`: logits are then bounded by the lengths of the kernel's columns, and
    confidences start near 1/L.

    The dropout of training is no layer of the classifier: Keras' draws from a state of its own.
    Raises `ValueError` as `open_classifier` does, and for a scale that is not above 0.

    >>> import eactf
    >>> plain = eactf.build_classifier("resnet10", image_size=32, channels=1, classes=3, width=4)
    >>> normalized_head(plain).classifier.output_shape
    (None, 3)
    """
    if scale is not None and not 0.0 < scale < math.inf:
        raise ValueError(f"scale must be a number above 0, or None; received {scale!r}")
    opened = open_classifier(classifier)
    head, pooling = opened.head, _pooling()
    features = layers.UnitNormalization(name="unit_length", dtype="float32")(
        pooling(opened.features)
    )
    if scale is not None:
        features = layers.Rescaling(float(scale), name="scale", dtype="float32")(features)
    logits = dense_logits(features, head.units, seed)
    network = keras.Model(
        opened.network.input, pooling(opened.network.outputs[0]), name="pooled_network"
    )
    return NormalizedHead(
        classifier=keras.Model(classifier.input, logits, name=classifier.name),
        network=network,
        head=logits._keras_history.operation,
        scale=None if scale is None else float(scale),
        map_size=opened.map_size,
    )


def unit_length(features: Tensor) -> Tensor:
    """Each row of `features` `(N, C)` float32 over its length.

    Rows shorter than 1e-12 become 0 and get no gradient: `keras.layers.UnitNormalization`, as the
    published code, multiplies theirs by 1e12, and dropout may well leave nothing of a row.
    """
    square = ops.sum(ops.square(features), axis=-1, keepdims=True)
    has_length = square > _SHORTEST**2
    return ops.where(has_length, features * ops.rsqrt(ops.where(has_length, square, 1.0)), 0.0)


def _pooling() -> keras.layers.Layer:
    return layers.GlobalAveragePooling2D(name="pooling", dtype="float32")

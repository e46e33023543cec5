"""A classifier's own head, with what a method needs of its pooled features in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from eactf.nn.classifier import open_classifier
from eactf.nn.dropout import drop
from eactf.nn.normalized_head import unit_length

__all__ = ["PooledHead", "pooled_head"]

Tensor = Any


@dataclass(frozen=True)
class PooledHead:
    """A classifier as it is, opened at its pooled features; the form of `NormalizedHead`.

    `network` maps images to the pooled features `(N, C)` in float32, on fused kernels; `head` is
    the dense layer. Their variables are the classifier's.
    """

    classifier: keras.Model
    network: keras.Model
    head: keras.layers.Dense
    map_size: tuple[int | None, int | None]

    def judge(self, pooled: Tensor) -> Tensor:
        """Logits `(N, L)` of `pooled` features, in evaluation."""
        return self.head(pooled)

    def train(self, pooled: Tensor, keys: Tensor, rate: float = 0.5) -> tuple[Tensor, Tensor]:
        """Logits `(N, L)` and unit features `(N, C)` of `pooled` ones, with dropout before both.

        `keys` `(N, k)` draw the dropout (`eactf.nn.dropout.drop`), of `rate` in [0, 1). The logits
        are of features of their own length.
        """
        dropped = drop(pooled, keys, rate)
        return self.head(dropped), unit_length(dropped)


def pooled_head(classifier: keras.Model) -> PooledHead:
    """Open `classifier` at its pooled features; `ValueError` as `open_classifier` raises it."""
    opened = open_classifier(classifier)
    pooled = layers.GlobalAveragePooling2D(name="pooling", dtype="float32")(
        opened.network.outputs[0]
    )
    network = keras.Model(opened.network.input, pooled, name="pooled_network")
    return PooledHead(classifier, network, opened.head, opened.map_size)

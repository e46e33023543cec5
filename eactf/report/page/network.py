"""A stored classifier opened for looking: its last map, its features and its logits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf
from keras import layers, ops

from eactf.errors import DataError
from eactf.losses import class_activation_maps

__all__ = ["MapNetwork", "open_for_features", "open_for_maps"]

Tensor = Any

_AFFINE = (
    *(layers.BatchNormalization, layers.Dense, layers.Dropout, layers.Flatten),
    *(layers.GlobalAveragePooling2D, layers.Rescaling),
)
"""What is, in evaluation, a matrix and a bias."""

_SCALING = (layers.Dropout, layers.Rescaling, layers.UnitNormalization)
"""What makes pooled features longer or shorter and nothing else: the head of Ada-CM."""


@dataclass(frozen=True)
class MapNetwork:
    """A classifier's graph with its inner values as outputs.

    `graph` maps images `(n, H, W, c)` to the last map `(n, h, w, C)`, to what the last dense layer
    gets `(n, F)`, and to logits `(n, L)`. `kernel` is what makes class activation maps of the last
    map: `(C, L)`, or `(h, w, C, L)` where each place has weights of its own. With `scaled` maps are
    brought to the length that the features have beside the mean of the last map.
    """

    graph: keras.Model
    kernel: Tensor
    scaled: bool = False

    def look(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits `(n, L)`, features `(n, F)` and class activation maps `(n, h, w, L)`.

        The mean of a map over its places is the class's logit, less what the logit is of a map of
        zeros: what each place adds to it.
        """
        last, features, logits = self.graph(ops.cast(images, "float32"), training=False)
        last = ops.cast(last, "float32")
        if len(self.kernel.shape) == 2:
            maps = class_activation_maps(last, self.kernel)
        else:
            maps = _with_places(last, self.kernel)
        if self.scaled:
            pooled = ops.norm(ops.mean(last, axis=(1, 2)), axis=-1)
            scale = tf.math.divide_no_nan(ops.norm(features, axis=-1), pooled)
            maps = maps * scale[:, None, None, None]
        return logits, features, maps


def open_for_maps(classifier: keras.Model) -> MapNetwork:
    """Open a functional classifier whose logits are sums over the places of its last map.

    That is one which ends in global average pooling and a dense layer, perhaps with features of one
    length between them (Ada-CM), or in layers that do nothing but weigh and add (RUL, which weighs
    each place by itself). `DataError` for others.
    """
    logits = classifier.outputs[0]
    head = logits._keras_history.operation
    if not isinstance(head, layers.Dense) or not _is_linear(head):
        raise DataError(f"it ends in '{head.name}' and not in a layer of logits")
    path = list(_tail(classifier, head))
    last = _input_of(classifier, path[-1])
    if len(last.shape) != 4:
        raise DataError(f"before '{path[-1].name}' there is no map whose places could be told")
    graph = keras.Model(classifier.inputs[0], [last, _input_of(classifier, head), logits])
    if any(isinstance(layer, layers.UnitNormalization) for layer in path):
        if not all(isinstance(layer, _SCALING) for layer in path[1:-1]):
            raise DataError("its features are normalised and then mixed")
        return MapNetwork(graph, head.kernel, scaled=True)
    kernel = _kernel(keras.Model(last, logits), last.shape[1:])
    pooled = any(isinstance(layer, layers.GlobalAveragePooling2D) for layer in path)
    return MapNetwork(graph, kernel[0, 0] if pooled else kernel)


def open_for_features(classifier: keras.Model) -> keras.Model:
    """The graph from images to what the last dense layer gets, `(n, F)`.

    `DataError` where the classifier does not end in one.
    """
    head = classifier.outputs[0]._keras_history.operation
    if not isinstance(head, layers.Dense) or len(_input_of(classifier, head).shape) != 2:
        raise DataError(f"it ends in '{head.name}' and not in a dense layer")
    return keras.Model(classifier.inputs[0], _input_of(classifier, head))


def _tail(classifier: keras.Model, head: Any) -> Iterator[Any]:
    """The layers from `head` backwards that only weigh, add and scale."""
    layer = head
    while isinstance(layer, (*_AFFINE, *_SCALING)) and _is_linear(layer):
        yield layer
        layer = _input_of(classifier, layer)._keras_history.operation


def _is_linear(layer: Any) -> bool:
    return getattr(layer, "activation", None) in (None, keras.activations.linear)


def _kernel(tail: keras.Model, shape: tuple[int, int, int]) -> Tensor:
    """What `tail`, an affine function of maps `(h, w, C)`, weighs each place by, `(h, w, C, L)`.

    Times h w: maps made with it have the logits as their means, as with global average pooling.
    """
    zeros = ops.zeros((1, *shape), "float32")
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(zeros)
        logits = tail(zeros, training=False)
    slope = tape.jacobian(logits, zeros, experimental_use_pfor=False)[0, :, 0]
    return ops.transpose(slope, (1, 2, 3, 0)) * float(shape[0] * shape[1])


def _with_places(last: Tensor, kernel: Tensor) -> Tensor:
    """Maps `(n, h, w, L)` of the last map `(n, h, w, C)`, by weights `(h, w, C, L)`."""
    height, width, channels, classes = kernel.shape
    # Of three axes, as TensorFlow 2.21's oneDNN product of four is not to be trusted.
    places = ops.transpose(ops.reshape(last, (-1, height * width, channels)), (1, 0, 2))
    rows = ops.matmul(places, ops.reshape(kernel, (height * width, channels, classes)))
    return ops.reshape(ops.transpose(rows, (1, 0, 2)), (-1, height, width, classes))


def _input_of(classifier: keras.Model, operation: Any) -> Any:
    """What `operation` gets in the model's own graph: shared layers have other inputs as well."""
    nodes = {id(node) for level in classifier._nodes_by_depth.values() for node in level}
    return next(node for node in operation._inbound_nodes if id(node) in nodes).input_tensors[0]

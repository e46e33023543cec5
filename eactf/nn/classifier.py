"""This module builds the plain functional classifier that every method trains and looks into."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import ArrayLike

from eactf.nn.backbones import backbone_features
from eactf.nn.normalization import FusedBatchNormalization, can_fuse
from eactf.nn.pointwise import SubsampledConvolution, can_subsample
from eactf.nn.small_maps import SmallMapConvolution, profits

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "OpenClassifier",
    "build_classifier",
    "dense_logits",
    "open_classifier",
]

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)
"""Mean and standard deviation of ImageNet's RGB values, 0..255."""


def build_classifier(
    backbone: str = "resnet18",
    *,
    image_size: int,
    channels: int = 3,
    classes: int,
    stem: str = "imagenet",
    width: int = 64,
    variant: str = "torchvision",
    mean: ArrayLike | None = None,
    std: ArrayLike | None = None,
    dtype: Any = None,
    seed: int | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """A functional Keras model: pixels -> backbone -> global average pooling -> dense logits.

    Input is `(N, image_size, image_size, channels)` in 0..255 (any dtype); the first layer takes
    `mean` and divides by `std` (one value a channel, 0..255; ImageNet's by default, averaged for
    one channel), so that the saved file needs no preprocessing beside it. Output is `(N, classes)`
    logits in float32.

    `backbone` is `resnet10`, `resnet18`, `resnet34` or `resnet50` with `stem`, `width` and
    `variant` (`eactf.nn.resnet`), `keras_applications:NAME` or `keras_cv:NAME`. `dtype` is a Keras
    dtype policy (`"mixed_bfloat16"`); pooling and the dense layer stay in float32. The dense layer
    starts uniform in +-1/sqrt(features) as in the papers' code: Keras' own start makes EAC's first
    consistency loss about six times larger. `seed` fixes every initial weight.
    `synchronized=True` takes batch statistics over all replicas.

    Raises `ValueError` on an unknown backbone, stem or variant, or a size that is not positive.

    >>> build_classifier("resnet10", image_size=48, channels=1, classes=7, width=8).output_shape
    (None, 7)
    """
    if min(image_size, channels, classes) < 1:
        raise ValueError(
            "image_size, channels and classes must be at least 1; received "
            f"image_size={image_size}, channels={channels}, classes={classes}"
        )
    inputs = keras.Input((image_size, image_size, channels), name="pixels")
    middle, spread = _normalisation(channels, mean, std)
    # In float32 under any global policy: bfloat16 rounds pixels to whole grey levels.
    x = layers.Normalization(
        mean=middle, variance=spread**2, name="normalization", dtype="float32"
    )(inputs)
    features = backbone_features(
        x,
        backbone,
        stem=stem,
        width=width,
        variant=variant,
        dtype=dtype,
        seed=seed,
        synchronized=synchronized,
    )
    pooled = layers.GlobalAveragePooling2D(name="pooling", dtype="float32")(features)
    logits = dense_logits(pooled, classes, seed)
    return keras.Model(inputs, logits, name=backbone.replace(":", "_").replace(".", "_"))


def _normalisation(
    channels: int, mean: ArrayLike | None, std: ArrayLike | None
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation a channel, `(channels,)` float32 each, ImageNet's where not given."""

    def per_channel(given: ArrayLike | None, imagenet: Sequence[float]) -> np.ndarray:
        if given is None:
            given = imagenet if channels == len(imagenet) else float(np.mean(imagenet))
        return np.broadcast_to(np.asarray(given, "float32"), (channels,))

    return per_channel(mean, IMAGENET_MEAN), per_channel(std, IMAGENET_STD)


def dense_logits(features: Any, classes: int, seed: int | None) -> Any:
    """A dense layer of `classes` logits on symbolic `features` `(N, C)`, named `logits`.

    Kernel and bias start uniform in +-1/sqrt(C), drawn from `seed`.
    """
    bound = float(features.shape[-1]) ** -0.5

    def initializer(name: str) -> keras.initializers.Initializer:
        own = None if seed is None else zlib.crc32(f"{seed}/logits/{name}".encode())
        return keras.initializers.RandomUniform(-bound, bound, seed=own)

    return layers.Dense(
        classes,
        kernel_initializer=initializer("kernel"),
        bias_initializer=initializer("bias"),
        name="logits",
        dtype="float32",
    )(features)


@dataclass(frozen=True)
class OpenClassifier:
    """A classifier made readable: the same layers and variables, two outputs.

    `network` maps images to `(features, logits)`: the last convolutional map `(N, H, W, C)` and
    `(N, L)`. `head` is the dense layer; its `kernel` is `(C, L)`. `map_size` is `(H, W)`, with
    None where the classifier takes images of any size. `features` is the last map in the
    classifier's own graph, a symbolic tensor to build on.
    """

    network: keras.Model
    head: keras.layers.Dense
    features: Any
    map_size: tuple[int | None, int | None]


def open_classifier(
    classifier: keras.Model, *, fused: bool = True, image_size: int | None = None
) -> OpenClassifier:
    """Reach the last feature map of a classifier without changing it.

    `classifier` is any functional Keras model that ends in global average pooling and a dense
    layer without activation (a dropout may stand between them). With `fused`, batch normalisation
    runs on the fused kernel where that computes the same. Strided 1x1 convolutions run as
    `nn.pointwise` says, whose reason is a crash. The variables stay the classifier's own.
    `image_size` opens it for square images of another size.

    Raises `ValueError`, naming the layer, when the model is not functional or ends otherwise, or
    does not take images of that size.
    """
    head = _dense_head(classifier)
    pooling = _pooling_before(classifier, head)
    seen: dict[str, Any] = {}

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if layer is pooling:
            seen["features"] = args[0]
        if fused and can_fuse(layer) and kwargs.get("mask") is None:
            return FusedBatchNormalization(layer)(*args, training=kwargs.get("training"))
        if can_subsample(layer):
            return SubsampledConvolution(layer)(*args)
        if fused and profits(layer):
            return SmallMapConvolution(layer)(*args)
        return layer(*args, **kwargs)

    inputs = None
    if image_size is not None:
        inputs = keras.Input((image_size, image_size, classifier.input_shape[-1]))
    twin = keras.models.clone_model(
        classifier,
        input_tensors=inputs,
        clone_function=lambda layer: layer,
        call_function=call,
        recursive=True,
    )
    network = keras.Model(twin.input, [seen["features"], twin.outputs[0]], name="network")
    own = _node(classifier, pooling).input_tensors[0]
    return OpenClassifier(network, head, own, tuple(seen["features"].shape[1:3]))


def _dense_head(classifier: keras.Model) -> keras.layers.Dense:
    if not isinstance(classifier, keras.Model) or not hasattr(classifier, "operations"):
        raise ValueError(
            "classifier must be a functional Keras model (keras.Model(inputs, outputs)); received "
            f"{type(classifier).__name__}. eactf.build_classifier makes one; of a Sequential, "
            "keras.Model(model.inputs, model.outputs) does."
        )
    if len(classifier.inputs) != 1 or len(classifier.outputs) != 1:
        raise ValueError(
            "classifier must have one input (images) and one output (logits); received "
            f"{len(classifier.inputs)} and {len(classifier.outputs)}"
        )
    head = classifier.outputs[0]._keras_history.operation
    if not isinstance(head, layers.Dense):
        raise ValueError(
            "classifier must end in a Dense layer that gives logits; its last layer is "
            f"'{head.name}' ({type(head).__name__})"
        )
    if head.activation is not keras.activations.linear:
        raise ValueError(
            f"the last layer '{head.name}' has activation '{head.activation.__name__}'; the loss "
            "takes logits: build it with activation=None"
        )
    return head


def _pooling_before(classifier: keras.Model, head: keras.layers.Layer) -> keras.layers.Layer:
    """The global average pooling that feeds `head`, perhaps through dropout."""
    operation = head
    while True:
        operation = _node(classifier, operation).input_tensors[0]._keras_history.operation
        if isinstance(operation, layers.GlobalAveragePooling2D):
            if operation.data_format != "channels_last" or operation.keepdims:
                raise ValueError(
                    f"pooling '{operation.name}' must be channels last and without keepdims; "
                    f"received data_format={operation.data_format!r}, "
                    f"keepdims={operation.keepdims}"
                )
            return operation
        if not isinstance(operation, layers.Dropout):
            raise ValueError(
                f"classifier must end in GlobalAveragePooling2D and Dense; before '{head.name}' "
                f"stands '{operation.name}' ({type(operation).__name__})"
            )


def _node(classifier: keras.Model, operation: Any) -> Any:
    """The node of `operation` in the model's own graph: shared layers have others as well."""
    return next(
        node
        for node in operation._inbound_nodes
        if any(node is own for level in classifier._nodes_by_depth.values() for own in level)
    )

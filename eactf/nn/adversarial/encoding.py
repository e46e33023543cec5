"""The encoder reads latent noise and labels from an image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
from keras import initializers, layers

from eactf.nn.adversarial.labels import checked_labels
from eactf.nn.adversarial.starts import check_width, scaled_width, seed_of, uniform_starts

__all__ = ["encoder"]

Tensor = Any

_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Channels and convolutions of each stage, those of VGG-16."""


def encoder(
    image_size: int,
    labels: Mapping[str, int],
    *,
    channels: int = 3,
    noise: int = 100,
    features: int = 500,
    width: float = 1.0,
    dropout: float = 0.5,
    seed: int | None = None,
    dtype: Any = None,
) -> keras.Model:
    """A VGG-16 of Keras' own layers, without normalisation, with a head for each of `labels`.

    Input is `(N, image_size, image_size, channels)` in 0..255, which the first layer brings to
    [-1, 1]. Outputs go by name: `mean` and `log_variance` `(N, noise)` of the latent noise
    y0 = mean + exp(log_variance / 2) eps, and for each of `labels`, which gives their sizes, a
    linear `(N, size)`: logits of classes, or numbers as they are. Between the convolutions and the
    heads are two dense layers of `features`, each with ReLU and `dropout`. They are the layers
    `features1` and `features2`, and heads are the layers of their names, for those who have to draw
    what is dropped themselves: Keras' own draws are others after a restart.

    `width` 1 is the paper's; 1/8 is for two cores. It scales all inner channels and `features`,
    neither noise nor labels. `features` is 500 there for faces and 512 for CIFAR. Convolutions
    start from a normal of variance 2 / (9 outputs), dense layers as in PyTorch; `seed` fixes them,
    and what is dropped. `dtype` is a Keras policy; the heads stay in float32. The paper: 16.09
    million parameters at 64 pixels. Raises `ValueError` for sizes, a width or a dropout out of
    range, and for names of labels that are an output's or input's already.

    >>> faces = encoder(64, {"expression": 7, "affect": 2}, width=1 / 16)
    >>> faces.output["expression"].shape, faces.output["mean"].shape
    ((None, 7), (None, 100))
    >>> classifier = keras.Model(faces.input, faces.output["expression"])
    """
    sizes = {"image_size": image_size, "channels": channels, "noise": noise, "features": features}
    labels = checked_labels(labels, **sizes)
    check_width(width)
    inputs = keras.Input((image_size, image_size, channels), name="pixels")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="scaled", dtype="float32")(inputs)
    for stage, (filters, count) in enumerate(_STAGES, start=1):
        for place in range(1, count + 1):
            name = f"stage{stage}_{place}"
            x = _convolution(x, scaled_width(filters, width), name, seed, dtype)
        # "same" takes a last window that is cut short along, as the published ceil mode does.
        x = layers.MaxPooling2D(2, padding="same", name=f"stage{stage}_pool", dtype=dtype)(x)
    x = layers.Flatten(name="flat", dtype=dtype)(x)
    for place in (1, 2):
        x = _dense(x, scaled_width(features, width), f"features{place}", seed, dtype, "relu")
        drawn = seed_of(seed, "dropout", place)
        x = layers.Dropout(dropout, seed=drawn, name=f"dropout{place}", dtype=dtype)(x)
    heads = {"mean": noise, "log_variance": noise, **labels}
    outputs = {name: _dense(x, size, name, seed, "float32") for name, size in heads.items()}
    return keras.Model(inputs, outputs, name="encoder")


def _convolution(x: Tensor, filters: int, name: str, seed: int | None, dtype: Any) -> Tensor:
    deviation = math.sqrt(2.0 / (9 * filters))
    return layers.Conv2D(
        filters,
        3,
        padding="same",
        activation="relu",
        kernel_initializer=initializers.RandomNormal(stddev=deviation, seed=seed_of(seed, name)),
        name=name,
        dtype=dtype,
    )(x)


def _dense(
    x: Tensor, units: int, name: str, seed: int | None, dtype: Any, activation: str | None = None
) -> Tensor:
    starts = uniform_starts(x.shape[-1], seed_of(seed, name))
    return layers.Dense(units, activation=activation, **starts, name=name, dtype=dtype)(x)

"""The decoder makes an image from noise and labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import layers

from eactf.nn.adversarial.labels import checked_labels
from eactf.nn.adversarial.spectral import SpectralNormalized
from eactf.nn.adversarial.starts import check_width, scaled_width, seed_of, uniform_starts

__all__ = ["decoder"]

Tensor = Any

_STAGES = {
    32: (512, 512, 256, 128),
    64: (512, 512, 256, 128, 64),
    128: (512, 512, 512, 256, 128, 64),
}
"""Channels after each doubling of the side but the last, by the image's size."""


def decoder(
    image_size: int,
    labels: Mapping[str, int],
    *,
    channels: int = 3,
    noise: int = 100,
    width: float = 1.0,
    seed: int | None = None,
    dtype: Any = None,
    synchronized: bool = False,
) -> keras.Model:
    """Transposed convolutions from a vector to an image, all spectrally normalised.

    Inputs go by name: `noise` `(N, noise)` and each of `labels` `(N, size)`, classes as one-hot
    rows. The output is `(N, image_size, image_size, channels)` in [-1, 1], float32; `image_size` is
    32, 64 or 128. A dense layer with ReLU makes one position of 512 channels; each transposed
    convolution (kernel 4, stride 2) doubles the side, with batch normalisation and ReLU after all
    but the last, which ends in tanh.

    `width` scales inner channels, 1 being the paper's. All start as in PyTorch; `seed` fixes them.
    `dtype` is a Keras policy; `synchronized` takes batch statistics over all replicas. The paper:
    11.20 million parameters at 64 pixels. Raises `ValueError` for other image sizes, sizes or a
    width out of range, and names of labels that are taken.

    >>> made = decoder(32, {"expression": 7, "affect": 2}, noise=16, width=1 / 16, seed=0)
    >>> made.output_shape, sorted(made.input)
    ((None, 32, 32, 3), ['affect', 'expression', 'noise'])
    """
    if image_size not in _STAGES:
        sizes = ", ".join(map(str, _STAGES))
        raise ValueError(f"image_size must be one of {sizes}; received {image_size!r}")
    labels = checked_labels(labels, channels=channels, noise=noise)
    check_width(width)
    inputs = {
        name: keras.Input((size,), name=name) for name, size in {"noise": noise, **labels}.items()
    }
    x = layers.Concatenate(name="code", dtype=dtype)(list(inputs.values()))
    x = _dense(x, scaled_width(512, width), seed, dtype)
    for place, filters in enumerate(_STAGES[image_size], start=1):
        x = _doubled(x, scaled_width(filters, width), f"doubled{place}", seed, dtype)
        x = layers.BatchNormalization(
            momentum=0.9,
            epsilon=1e-5,
            synchronized=synchronized,
            name=f"doubled{place}_norm",
            dtype=dtype,
        )(x)
        x = layers.ReLU(name=f"doubled{place}_relu", dtype=dtype)(x)
    x = _doubled(x, channels, "last", seed, dtype)
    image = layers.Activation("tanh", name="image", dtype="float32")(x)
    return keras.Model(inputs, image, name="decoder")


def _dense(x: Tensor, units: int, seed: int | None, dtype: Any) -> Tensor:
    own = seed_of(seed, "dense")
    starts = uniform_starts(x.shape[-1], own)
    dense = layers.Dense(units, activation="relu", **starts, name="inner", dtype=dtype)
    x = SpectralNormalized(dense, seed=own, name="dense")(x)
    return layers.Reshape((1, 1, units), name="position", dtype=dtype)(x)


def _doubled(x: Tensor, filters: int, name: str, seed: int | None, dtype: Any) -> Tensor:
    """A transposed convolution; "same" with kernel 4 and stride 2 is PyTorch's padding of 1."""
    own = seed_of(seed, name)
    starts = uniform_starts(filters * 16, own)
    convolution = layers.Conv2DTranspose(
        filters, 4, strides=2, padding="same", **starts, name="inner", dtype=dtype
    )
    return SpectralNormalized(convolution, seed=own, name=name)(x)

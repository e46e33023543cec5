"""The discriminator scores tuples of an image, latent noise and labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import keras
from keras import layers, ops

from eactf.nn.adversarial.attention import SelfAttention
from eactf.nn.adversarial.blocks import BranchedDense, DiscriminatorBlock
from eactf.nn.adversarial.labels import checked_labels
from eactf.nn.adversarial.spectral import SpectralNormalized
from eactf.nn.adversarial.starts import check_width, scaled_width, seed_of, uniform_starts

__all__ = ["discriminator", "score_names"]

Tensor = Any

_FEATURES = 512
_BLOCKS = (64, 128, 256, 512, 512)
"""Channels of the blocks that halve the side."""


def discriminator(
    image_size: int,
    labels: Mapping[str, int],
    *,
    channels: int = 3,
    noise: int = 100,
    width: float = 1.0,
    seed: int | None = None,
    dtype: Any = None,
) -> keras.Model:
    """Streams of an image, of noise and of each label, each with a score, and of all together.

    Inputs go by name: `image` `(N, image_size, image_size, channels)` in [-1, 1], `noise`
    `(N, noise)`, and each of `labels` `(N, size)`: of the encoder's tuples the raw outputs, of the
    decoder's the given ones, classes as one-hot rows. The output is `(N, 3 + number of labels)`
    float32, a score a column in the order of `score_names(labels)`, each without bounds.

    The image stream is a mean over 2x2 pixels for images larger than 32, five residual blocks that
    halve the side, self-attention after the first, one block that does not, and a sum over
    positions; other streams are a `BranchedDense`. Their features, 512 each, are what the joint
    stream's `BranchedDense` of 1024 sees. All layers with a kernel are spectrally normalised.

    `width` scales inner channels, 1 being the paper's. All start as in PyTorch; `seed` fixes them.
    `dtype` is a Keras policy; scores stay in float32. The paper: 31.4 million parameters at 64
    pixels. Raises `ValueError` for images that are too small to be halved so often (32, or 64 and
    more, are not), sizes or a width out of range, and names of labels that are taken.

    >>> judge = discriminator(32, {"expression": 7, "affect": 2}, width=1 / 16, seed=0)
    >>> judge.output_shape, score_names(["expression", "affect"])
    ((None, 5), ('image', 'noise', 'expression', 'affect', 'joint'))
    """
    if image_size != 32 and image_size < 64:
        raise ValueError(f"image_size must be 32, or 64 and more; received {image_size!r}")
    labels = checked_labels(labels, image_size=image_size, channels=channels, noise=noise)
    check_width(width)
    image = keras.Input((image_size, image_size, channels), name="image")
    rows = {"noise": noise, **labels}
    inputs = {name: keras.Input((size,), name=name) for name, size in rows.items()}
    inner = scaled_width(_FEATURES, width)
    features = {"image": _image_stream(image, width, seed, dtype)}
    for name, x in inputs.items():
        features[name] = _branched(x, inner, name, seed, dtype)
    joined = layers.Concatenate(name="joined", dtype=dtype)(list(features.values()))
    features["joint"] = _branched(joined, 2 * inner, "joint", seed, dtype)
    scores = [_score(x, name, seed) for name, x in features.items()]
    output = layers.Concatenate(name="scores", dtype="float32")(scores)
    return keras.Model({"image": image, **inputs}, output, name="discriminator")


def score_names(labels: Iterable[str]) -> tuple[str, ...]:
    """What each column of a discriminator's scores is of, in their order.

    >>> score_names(["first", "second"])
    ('image', 'noise', 'first', 'second', 'joint')
    """
    return ("image", "noise", *labels, "joint")


def _image_stream(x: Tensor, width: float, seed: int | None, dtype: Any) -> Tensor:
    if x.shape[1] > 32:
        x = layers.AveragePooling2D(2, name="image_pool", dtype=dtype)(x)
    for place, filters in enumerate(_BLOCKS, start=1):
        x = _block(x, scaled_width(filters, width), place, seed, dtype)
        if place == 1:
            own = seed_of(seed, "attention")
            x = SelfAttention(seed=own, name="image_attention", dtype=dtype)(x)
    x = _block(x, scaled_width(_FEATURES, width), len(_BLOCKS) + 1, seed, dtype)
    x = layers.ReLU(name="image_relu", dtype=dtype)(x)
    return ops.sum(x, axis=(1, 2))


def _block(x: Tensor, out: int, place: int, seed: int | None, dtype: Any) -> Tensor:
    name = f"image_block{place}"
    return DiscriminatorBlock(
        out,
        preactivate=place > 1,
        downsample=place <= len(_BLOCKS),
        seed=seed_of(seed, name),
        name=name,
        dtype=dtype,
    )(x)


def _branched(x: Tensor, out: int, name: str, seed: int | None, dtype: Any) -> Tensor:
    own = seed_of(seed, name, "features")
    return BranchedDense(out, seed=own, name=f"{name}_features", dtype=dtype)(x)


def _score(x: Tensor, name: str, seed: int | None) -> Tensor:
    own = seed_of(seed, name, "score")
    starts = uniform_starts(x.shape[-1], own)
    dense = layers.Dense(1, **starts, name="inner", dtype="float32")
    return SpectralNormalized(dense, seed=own, name=f"{name}_score")(x)

"""`corruption` applies further augmentations by name: keras-cv's layers, for images in 0..255."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

__all__ = ["CORRUPTIONS", "corruption"]

Tensor = Any

CORRUPTIONS: dict[str, dict[str, Any]] = {
    "AugMix": {"value_range": (0, 255)},
    "Grayscale": {"output_channels": 3},
    "GridMask": {"fill_mode": "constant", "fill_value": 0.0},
    "RandomColorDegeneration": {"factor": 0.5},
    "RandomColorJitter": {
        "value_range": (0, 255),
        "brightness_factor": 0.2,
        "contrast_factor": 0.2,
        "saturation_factor": 0.2,
        "hue_factor": 0.05,
    },
    "RandomCutout": {"height_factor": 0.3, "width_factor": 0.3},
    "RandomGaussianBlur": {"kernel_size": 5, "factor": (0.5, 1.5)},
    "RandomRotation": {"factor": 0.03},
    "RandomShear": {"x_factor": 0.1, "y_factor": 0.1},
    "RandomZoom": {"height_factor": 0.1},
    "RandAugment": {"value_range": (0, 255)},
}
"""keras-cv layers that take and give a batch of images, with the settings used."""


INSTEAD_OF_ERASING: dict[str, tuple[str, dict[str, Any]]] = {
    "blur": ("RandomGaussianBlur", {"factor": (1.0, 1.0), "kernel_size": 5}),
    "auto_augment": ("RandAugment", {"num_ops": 2, "factor": 0.5}),
}
"""Keras layers for what EAC's table 4 tries in the place of erasing.

Deviates: the paper used AutoAugment's learnt policy; RandAugment draws from the same operations.
"""


def corruption(
    names: Sequence[str], seed: int, *, instead: str = "erase"
) -> Callable[[Tensor], Tensor] | None:
    """One callable that applies the named keras-cv layers in turn; None for no names.

    `instead` may be one of `INSTEAD_OF_ERASING`, applied after them; other values add nothing.

    Images are `(n, H, W, C)` in 0..255; grey ones pass the layers as three equal channels, which
    some need, and come back grey. The draws come from keras-cv's stateful generators, seeded by
    `seed`: unlike erasing they are not a function of the sample, and go on differently after a
    restart. Raises `ValueError` for a name outside `CORRUPTIONS`, `ImportError` without keras-cv.
    """
    chain = _keras_cv_layers(names, seed) if names else []
    if instead in INSTEAD_OF_ERASING:
        name, settings = INSTEAD_OF_ERASING[instead]
        layer = getattr(keras.layers, name)
        chain.append(layer(**settings, value_range=(0, 255), seed=seed, dtype="float32"))
    if not chain:
        return None

    def corrupt(images: Tensor) -> Tensor:
        shape = images.shape
        grey = shape[-1] == 1
        if grey:
            images = ops.repeat(images, 3, axis=-1)
        for layer in chain:
            images = layer(images, training=True)
        if grey:
            images = ops.mean(ops.cast(images, "float32"), axis=-1, keepdims=True)
        # The layers map over images and may lose the shape, which erasing needs.
        return ops.reshape(ops.clip(images, 0.0, 255.0), (-1, *shape[1:]))

    corrupt.layers = chain  # type: ignore[attr-defined]  # whose seed generators a checkpoint keeps
    return corrupt


def _keras_cv_layers(names: Sequence[str], seed: int) -> list[Any]:
    unknown = [name for name in names if name not in CORRUPTIONS]
    if unknown:
        raise ValueError(
            f"unknown corruption {', '.join(unknown)}; expected {', '.join(CORRUPTIONS)}"
        )
    try:
        from keras_cv import layers
    except ImportError as missing:
        raise ImportError(
            f"corruption {names[0]!r} needs keras-cv: pip install 'eactf[keras-cv]'"
        ) from missing
    return [
        getattr(layers, name)(**CORRUPTIONS[name], seed=seed + place)
        if name != "Grayscale"
        else layers.Grayscale(**CORRUPTIONS[name])
        for place, name in enumerate(names)
    ]

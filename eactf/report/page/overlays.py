"""Class activation maps as pictures: the face in grey, the map in colour over it."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from PIL import Image

__all__ = ["TILE", "jpeg_of", "overlaid", "shown"]

TILE = 112
"""The side of a picture in pixels; a page shows it smaller, for screens with fine pixels."""

_STRENGTH = 0.45


def shown(image: np.ndarray) -> np.ndarray:
    """An image `(H, W, c)` uint8 as `(TILE, TILE, 3)` uint8."""
    colour = np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image
    return np.asarray(Image.fromarray(colour).resize((TILE, TILE), Image.Resampling.BICUBIC))


def overlaid(
    views: Sequence[tuple[np.ndarray, np.ndarray]],
) -> list[np.ndarray]:
    """Images with their maps over them, all on one scale, `(TILE, TILE, 3)` uint8 each.

    `views` are pairs of an image `(H, W, c)` uint8 and its map `(h, w)`. Red is where the maps are
    highest, blue where they are lowest, over all of the pairs: two views can be compared.
    """
    low = min(float(view.min()) for _, view in views)
    span = max(float(view.max()) for _, view in views) - low
    return [
        _blend(shown(image), (view - low) / span if span > 0 else np.zeros_like(view))
        for image, view in views
    ]


def jpeg_of(picture: np.ndarray) -> bytes:
    """A picture `(H, W, 3)` uint8 as a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="JPEG", quality=82)
    return file.getvalue()


def _blend(picture: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A map `(h, w)` in [0, 1], enlarged and laid over a picture without its colours."""
    small = Image.fromarray(heat.astype(np.float32))
    large = np.asarray(small.resize(picture.shape[1::-1], Image.Resampling.BICUBIC))
    colour = colormaps["turbo"](np.clip(large, 0.0, 1.0))[..., :3] * 255.0
    grey = picture.mean(axis=-1, keepdims=True)
    mixed = (1.0 - _STRENGTH) * grey + _STRENGTH * colour
    return np.asarray(mixed.round().clip(0, 255).astype(np.uint8))

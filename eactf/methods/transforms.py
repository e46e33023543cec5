"""This module mirrors, turns or shrinks a view of an image and compares the maps of both views."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from eactf import losses
from eactf.nn.classifier import open_classifier

__all__ = [
    "TRANSFORMS",
    "map_consistency",
    "refuse_small_maps",
    "smaller_network",
    "transform_images",
]

Tensor = Any

TRANSFORMS = ("flip", "rotate", "scale")

_WITHOUT = "do without the smaller view (EAC: transform='flip'; AttentionConsistency: views=2)"


def transform_images(transform: str, images: Tensor, size: int | None) -> Tensor:
    """`images` `(n, H, W, C)` mirrored, turned a quarter to the left, or shrunk to `size`."""
    if transform == "flip":
        return ops.flip(images, axis=2)
    if transform == "rotate":
        return _turned(images)
    resized = ops.image.resize(ops.cast(images, "float32"), (size, size), antialias=True)
    return ops.cast(resized, images.dtype)


def map_consistency(transform: str, cam: Tensor, second_cam: Tensor) -> Tensor:
    """Mean squared distance between maps `(n, H, W, L)` and those of the transformed view.

    The latter as the transformed image gave them; a scalar.
    """
    if transform == "flip":
        return losses.flip_consistency(cam, second_cam)
    if transform == "rotate":
        return ops.mean(ops.square(_turned(cam) - second_cam))
    return losses.scale_consistency(cam, second_cam)


def smaller_network(
    classifier: keras.Model, map_size: tuple[int | None, int | None]
) -> keras.Model:
    """The classifier's network for square images whose map has a row and a column less.

    Side 192 for 224 and a map of 7 x 7. It gives `(features, logits)` as that of `open_classifier`
    does. Raises `ValueError` where images are not square or of any size, and where the map at
    either size has a single row or column.
    """
    size = _smaller_size(classifier.input_shape[1:3], map_size)
    opened = open_classifier(classifier, image_size=size)
    refuse_small_maps(opened.map_size, smaller=size)
    return opened.network


def _smaller_size(
    image_size: tuple[int | None, int | None], map_size: tuple[int | None, int | None]
) -> int:
    (height, width), (rows, columns) = image_size, map_size
    if height is None or width is None or rows is None or columns is None:
        raise ValueError(
            "a second, smaller view needs a classifier of images of one size; this one takes "
            f"{height} x {width}. Build it with image_size="
        )
    if height != width or rows != columns:
        raise ValueError(
            "a second, smaller view is square and so must the first be: expected square images "
            f"and maps; received images of {height} x {width} and maps of {rows} x "
            f"{columns}. Crop or pad the images to squares, or {_WITHOUT}"
        )
    refuse_small_maps(map_size)
    return round(height * (rows - 1) / rows)


def refuse_small_maps(
    map_size: tuple[int | None, int | None], transform: str = "flip", smaller: int | None = None
) -> None:
    """`ValueError` where maps have no space to speak of: a map of 1 x 1 says nothing of where.

    `smaller` is the side in pixels of a second, smaller view, where the map is that one's.
    """
    height, width = map_size
    if height == 1 or width == 1:
        second = f" of the smaller view ({smaller} x {smaller} px)" if smaller else ""
        without = f". Or {_WITHOUT}" if smaller else ""
        raise ValueError(
            f"the last feature map{second} is {height} x {width}: a map method compares where the "
            "network looks, and a map of one position has no where. Use larger images, or a stem "
            "that shrinks less (stem='small' gives a map of image size / 8)"
            f"{without}"
        )
    if transform == "rotate" and height != width:
        raise ValueError(f"a quarter turn needs square maps; the map is {height} x {width}")


def _turned(x: Tensor) -> Tensor:
    """A quarter turn counter-clockwise over height and width."""
    return ops.flip(ops.swapaxes(x, 1, 2), axis=1)

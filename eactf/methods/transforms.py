"""Spatial transforms of a view, and how the maps of the two views are then compared."""

from __future__ import annotations

from typing import Any

from keras import ops

from eactf import losses

__all__ = [
    "TRANSFORMS",
    "map_consistency",
    "refuse_small_maps",
    "smaller_size",
    "transform_images",
]

Tensor = Any

TRANSFORMS = ("flip", "rotate", "scale")


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


def smaller_size(image_size: int | None, map_size: int | None) -> int:
    """The side of an image whose map has a row and a column less: 192 for 224 and a map of 7."""
    if not image_size or not map_size or map_size < 2:
        raise ValueError(
            "the scale transform needs images of one size and a map of at least 2 x 2; received "
            f"size {image_size}, map {map_size}"
        )
    return round(image_size * (map_size - 1) / map_size)


def refuse_small_maps(map_size: tuple[int | None, int | None], transform: str = "flip") -> None:
    """`ValueError` where maps have no space to speak of: a map of 1 x 1 says nothing of where."""
    height, width = map_size
    if height == 1 or width == 1:
        raise ValueError(
            f"the last feature map is {height} x {width}: a map method compares where the network "
            "looks, and a map of one position has no where. Use larger images, or a stem that "
            "shrinks less (stem='small' gives a map of image size / 8)"
        )
    if transform == "rotate" and height != width:
        raise ValueError(f"a quarter turn needs square maps; the map is {height} x {width}")


def _turned(x: Tensor) -> Tensor:
    """A quarter turn counter-clockwise over height and width."""
    return ops.flip(ops.swapaxes(x, 1, 2), axis=1)

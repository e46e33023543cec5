"""The fourteen operations of RandAugment in Ada-CM and FixMatch, a different one for each image."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from keras import ops

from eactf.nn import affine, grey_levels

__all__ = ["OPERATIONS", "Operation", "apply_operations", "drawn_operations"]

Tensor = Any


class Operation(NamedTuple):
    """An operation's name and the range that its magnitude is drawn from."""

    name: str
    low: float = 0.0
    high: float = 1.0


OPERATIONS = (
    Operation("auto_contrast"),
    Operation("brightness", 0.05, 0.95),
    Operation("color", 0.05, 0.95),
    Operation("contrast", 0.05, 0.95),
    Operation("equalize"),
    Operation("identity"),
    Operation("posterize", 4.0, 8.0),  # bits, truncated: 4 to 7
    Operation("rotate", -30.0, 30.0),  # degrees
    Operation("sharpness", 0.05, 0.95),
    Operation("shear_x", -0.3, 0.3),
    Operation("shear_y", -0.3, 0.3),
    Operation("solarize", 0.0, 256.0),  # the first level to be turned over
    Operation("translate_x", -0.3, 0.3),  # of the width
    Operation("translate_y", -0.3, 0.3),  # of the height
)
"""What is drawn from, each as likely; ranges as in the published code of Ada-CM."""

_PLACE = {operation.name: place for place, operation in enumerate(OPERATIONS)}


def drawn_operations(draws: Tensor) -> tuple[Tensor, Tensor]:
    """The places `(N,)` int32 in `OPERATIONS` and the magnitudes `(N,)` that `draws` `(N, 2)` mean.

    Each operation is as likely, the magnitude uniform in its range.
    """
    places = ops.cast(ops.floor(draws[:, 0] * len(OPERATIONS)), "int32")
    low = ops.take(np.array([operation.low for operation in OPERATIONS], "float32"), places)
    high = ops.take(np.array([operation.high for operation in OPERATIONS], "float32"), places)
    return places, low + draws[:, 1] * (high - low)


def apply_operations(levels: Tensor, places: Tensor, magnitudes: Tensor) -> Tensor:
    """Each image through one operation: the one at its place `(N,)` int32 in `OPERATIONS`.

    `levels` is `(N, H, W, C)` float32, whole numbers in 0..255; `magnitudes` `(N,)` float32 lie in
    the operations' ranges. The operations fall into three kinds; each kind is done to the whole
    batch at once, with parameters that change nothing in the other kinds' images.
    """
    levels = _enhanced(levels, places, magnitudes)
    levels = grey_levels.look_up(levels, _tables(levels, places, magnitudes))
    return affine.warp(levels, _matrices(levels, places, magnitudes))


def _enhanced(levels: Tensor, places: Tensor, magnitudes: Tensor) -> Tensor:
    """Images drawn for brightness, colour, contrast or sharpness, blended; others as they are."""

    def pick(name: str, degenerate: Tensor, otherwise: Tensor) -> Tensor:
        return ops.where((places == _PLACE[name])[:, None, None, None], degenerate, otherwise)

    degenerate = pick("sharpness", grey_levels.smooth(levels), levels)
    degenerate = pick("color", grey_levels.grey(levels), degenerate)
    degenerate = pick("contrast", grey_levels.mean_grey(levels), degenerate)
    degenerate = pick("brightness", ops.zeros_like(levels), degenerate)
    return grey_levels.blend(degenerate, levels, magnitudes)


def _tables(levels: Tensor, places: Tensor, magnitudes: Tensor) -> Tensor:
    """`(N, C, 256)`: the level that each level becomes."""
    counts = grey_levels.histograms(levels)
    made = {
        "auto_contrast": grey_levels.auto_contrast_table(counts),
        "equalize": grey_levels.equalize_table(counts),
        "posterize": grey_levels.posterize_table(magnitudes),
        "solarize": grey_levels.solarize_table(magnitudes),
    }
    tables = ops.zeros_like(counts) + np.arange(256, dtype="float32")
    for name, table in made.items():
        tables = ops.where((places == _PLACE[name])[:, None, None], table, tables)
    return tables


def _matrices(levels: Tensor, places: Tensor, magnitudes: Tensor) -> Tensor:
    """`(N, 6)`: where the pixels of each image are taken from, as `affine.warp` reads it."""
    height, width = (ops.cast(side, "float32") for side in ops.shape(levels)[1:3])
    none = ops.zeros_like(magnitudes)
    made = {
        "rotate": affine.rotation(magnitudes, height, width),
        "shear_x": affine.shear_x(magnitudes),
        "shear_y": affine.shear_y(magnitudes),
        "translate_x": affine.translation(magnitudes * width, none),
        "translate_y": affine.translation(none, magnitudes * height),
    }
    matrices = affine.translation(none, none)
    for name, rows in made.items():
        matrices = ops.where((places == _PLACE[name])[:, None], rows, matrices)
    return matrices

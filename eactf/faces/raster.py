"""`Canvas` paints ellipses, boxes and lines with smooth edges into a whole batch of images at once.

A shape is a field of signed distances in face units (negative inside). `Canvas.paint` turns it
into coverage with a one-pixel edge and blends a tone. Only operations that IEEE 754 rounds exactly
are used, element by element, so a face does not depend on the batch it is drawn in.
"""

from __future__ import annotations

import numpy as np

from eactf.faces.geometry import Array

Value = Array | float


class Canvas:
    """A batch of grey images in [0, 1] that shapes are painted on.

    `tones` is (n, size, size); `pixels` (n, 1, 1) is the number of pixels in a face unit.
    """

    def __init__(self, tones: Array, pixels: Array) -> None:
        self.tones = tones
        self.pixels = pixels

    def paint(self, distance: Array, tone: Value, opacity: Value = 1.0, soft: Value = 0.0) -> None:
        """Blend `tone` in where `distance` < 0; the edge is one pixel plus `soft` units wide."""
        cover = self._cover(distance, soft)
        if not (isinstance(opacity, float) and opacity == 1.0):
            cover *= opacity
        change = tone - self.tones
        change *= cover
        self.tones += change

    def shade(self, distance: Array, factor: Value, opacity: Value, soft: Value) -> None:
        """Darken (factor < 1) or lighten (> 1) what is there, with a soft edge."""
        cover = self._cover(distance, soft)
        cover *= opacity * (factor - 1.0)
        cover += 1.0
        self.tones *= cover

    def _cover(self, distance: Array, soft: Value) -> Array:
        """Return how much of each pixel lies inside, in [0, 1]; works in place for speed."""
        cover = distance * (-1.0 / (1.0 / self.pixels + soft))
        cover += 0.5
        np.maximum(cover, 0.0, out=cover)
        np.minimum(cover, 1.0, out=cover)
        return cover


def ellipse(x: Array, y: Array, radius_x: Value, radius_y: Value) -> Array:
    """Distance to an ellipse about the origin (exact on the axes, close near the edge)."""
    across, down = x / radius_x, y / radius_y
    reach = length(across, down)
    reach -= 1.0
    reach *= np.minimum(radius_x, radius_y)
    return reach


def box(x: Array, y: Array, half_x: Value, half_y: Value, corner: Value = 0.0) -> Array:
    """Distance to a rectangle about the origin with rounded corners."""
    across = np.maximum(np.abs(x) - (half_x - corner), 0.0)
    down = np.maximum(np.abs(y) - (half_y - corner), 0.0)
    return length(across, down) - corner


def stroke(
    x: Array, y: Array, half: Value, slope: Value, bend: Value, thick: Value, taper: float = 0.0
) -> Array:
    """Distance to a line y = slope * t + bend * t**2 for t = x / half in [-1, 1].

    `thick` is half the line's width at t = 0; `taper` > 0 thins it towards t = 1.
    """
    t = x / half
    np.maximum(t, -1.0, out=t)
    np.minimum(t, 1.0, out=t)
    past = x - half * t  # 0 beside the line, the distance to its end past it
    down = y - t * (slope + bend * t)
    # Vertical distance overstates how far a steep line is; its mean slope corrects most of that.
    lean = slope / half
    down *= 1.0 / np.sqrt(1.0 + lean * lean)
    reach = length(past, down)
    reach -= thick * (1.0 - taper * t) if taper else thick
    return reach


def length(x: Array, y: Array) -> Array:
    """Return sqrt(x**2 + y**2); both arguments are overwritten."""
    x *= x
    y *= y
    x += y
    return np.sqrt(x, out=x)


def between(y: Array, top: Array, bottom: Array) -> Array:
    """Distance (measured down the column) to the region between two curves."""
    return np.maximum(top - y, y - bottom)


def blur(images: Array, weight: Array) -> Array:
    """Blend each image with its 3 x 3 binomial average; edges repeat. `weight` in [0, 1]."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = (padded[:, :-2] + padded[:, 2:]) * 0.25 + padded[:, 1:-1] * 0.5
    smooth = (rows[:, :, :-2] + rows[:, :, 2:]) * 0.25 + rows[:, :, 1:-1] * 0.5
    return images + weight * (smooth - images)

"""Gradients by central differences: what a gradient that was derived or taped must agree with."""

from __future__ import annotations

import numpy as np


def slope(function, array, step=1e-5):
    """The gradient of `function`, which gives one number, at `array`, place by place.

    In double precision the error is of the order of step squared plus 1e-16 over the step.
    """
    found = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        ahead, behind = array.copy(), array.copy()
        ahead[place] += step
        behind[place] -= step
        found[place] = (float(function(ahead)) - float(function(behind))) / (2 * step)
    return found


def slopes(function, arrays, step=1e-5):
    """The gradient of `function(arrays)` for each of the arrays, the others held."""

    def along(place):
        return lambda array: function([*arrays[:place], array, *arrays[place + 1 :]])

    return [slope(along(place), array, step) for place, array in enumerate(arrays)]

"""How many images a report looks at: all of them, unless the network is large for the machine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

__all__ = ["MOST_OCCLUDED", "Allowance", "allow", "multiply_adds"]

MOST_OCCLUDED = 1_000
"""So many of the judged images are looked at with parts covered."""

BUDGET = 1.2e13
"""Multiplications and additions that a report without `--all` spends on a run: about three minutes
of two CPU cores."""

_FEWEST = 100
"""Whatever it costs, so many images of a split are looked at."""

_BLOCKS = 9


@dataclass(frozen=True)
class Allowance:
    """How many images of each kind are looked at."""

    train: int
    judged: int
    occluded: int


def allow(train: int, judged: int, cost: float, budget: float = BUDGET) -> Allowance:
    """The images to look at of `train` and `judged` ones, where one costs `cost` of `budget`.

    Each is looked at twice, with its mirror image, and of the judged ones at most `MOST_OCCLUDED`
    nine times more. Where that is too much, shares of what is allowed: 55 % for the training
    images, 25 % for the judged ones, 20 % for covered ones, and `_FEWEST` of each in any case.

    >>> allow(28_000, 3_500, cost=1e6)
    Allowance(train=28000, judged=3500, occluded=1000)
    >>> allow(28_000, 3_500, cost=1.8e9)
    Allowance(train=1833, judged=833, occluded=148)
    """
    occluded = min(judged, MOST_OCCLUDED)
    passes = budget / max(cost, 1.0)
    if 2 * (train + judged) + _BLOCKS * occluded <= passes:
        return Allowance(train, judged, occluded)
    return Allowance(
        min(train, max(_FEWEST, int(0.55 * passes / 2))),
        min(judged, max(_FEWEST, int(0.25 * passes / 2))),
        min(occluded, max(_FEWEST, int(0.20 * passes / _BLOCKS))),
    )


def multiply_adds(network: keras.Model) -> float:
    """Multiplications with additions that one image costs, in the layers that have kernels."""
    return float(sum(map(_of_layer, network._flatten_layers(include_self=False, recursive=True))))


def _of_layer(layer: Any) -> int:
    kernels = [weight for weight in layer.weights if "kernel" in weight.name]
    if not kernels or not layer._inbound_nodes:
        return 0
    shape = layer._inbound_nodes[0].output_tensors[0].shape[1:]
    places = math.prod(side or 1 for side in shape[:-1])
    return sum(math.prod(kernel.shape) * places for kernel in kernels)

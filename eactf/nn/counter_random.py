"""`uniform` and `normal` draw random numbers that depend on nothing but their keys, in `keras.ops`.

Stateful generators give other numbers after a restart, in a parallel map, or on another number
of devices. Here the numbers of a sample depend on its keys alone (seed, epoch, id): any order,
any batch, any device gives the same draw.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from keras import ops

__all__ = ["normal", "normal_of", "uniform"]

Tensor = Any

_GOLDEN = np.array(0x9E3779B9, "uint32").view("int32")
_FIRST = np.array(0x7FEB352D, "uint32").view("int32")
_SECOND = np.array(0x846CA68B, "uint32").view("int32")


def uniform(keys: Tensor, draws: int) -> Tensor:
    """`draws` uniforms in [0, 1) for every row of `keys`, `(N, draws)` float32.

    `keys` is `(N, k)` integers, taken modulo 2**32; equal rows give equal numbers. 24 bits of
    resolution. The mixing is the 32-bit avalanche "lowbias32" (C. Wellons, hash-prospector),
    applied after every key and twice after the draw's number.
    """
    keys = ops.cast(keys, "int32")
    state = ops.full_like(keys[:, 0], _GOLDEN)
    for column in range(keys.shape[1]):
        state = _mix(ops.bitwise_xor(state, keys[:, column]) + _GOLDEN)
    counters = ops.convert_to_tensor(_counters(draws), "int32")
    words = _mix(_mix(state[:, None] + counters[None, :]))
    return ops.cast(_shift_right(words, 8), "float32") * (2.0**-24)


def normal(keys: Tensor, draws: int) -> Tensor:
    """`draws` standard normal numbers for every row of `keys`, `(N, draws)` float32."""
    pairs = (draws + 1) // 2
    found = uniform(keys, 2 * pairs)
    return normal_of(found[:, :pairs], found[:, pairs:])[:, :draws]


def normal_of(first: Tensor, second: Tensor) -> Tensor:
    """Standard normal numbers from uniforms in [0, 1), twice as many as `first` has (Box, Muller).

    With 24 bits a uniform the largest is 5.8.
    """
    radius = ops.sqrt(-2.0 * ops.log(1.0 - first))  # 1 - u is above 0, u itself may be 0
    angle = 2.0 * math.pi * second
    return ops.concatenate([radius * ops.cos(angle), radius * ops.sin(angle)], axis=1)


def _counters(draws: int) -> np.ndarray:
    steps = np.arange(1, draws + 1, dtype="uint32") * np.uint32(0x9E3779B9)
    return steps.view("int32")


def _mix(x: Tensor) -> Tensor:
    """An avalanche of 32 bits in signed arithmetic, which every backend has and which wraps."""
    x = ops.bitwise_xor(x, _shift_right(x, 16)) * _FIRST
    x = ops.bitwise_xor(x, _shift_right(x, 15)) * _SECOND
    return ops.bitwise_xor(x, _shift_right(x, 16))


def _shift_right(x: Tensor, bits: int) -> Tensor:
    """Logical shift: the arithmetic one drags the sign in, the mask takes it out again."""
    return ops.bitwise_and(ops.right_shift(x, bits), (1 << (32 - bits)) - 1)

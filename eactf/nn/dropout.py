"""`drop` is dropout whose draws depend on nothing but their keys."""

from __future__ import annotations

from typing import Any

from keras import ops

from eactf.nn.counter_random import uniform

__all__ = ["drop"]

Tensor = Any


def drop(features: Tensor, keys: Tensor, rate: float = 0.5) -> Tensor:
    """`features` `(N, C)`, each number set to 0 with probability `rate`, the others over 1 - rate.

    `keys` `(N, k)` integers decide which, as in `eactf.nn.counter_random.uniform`: a layer of Keras
    draws other numbers after a restart or on another number of devices. Raises `ValueError` for a
    rate outside [0, 1).

    >>> import numpy as np
    >>> drop(np.ones((1, 3), "float32"), np.array([[1, 2]]), rate=0.0).numpy().tolist()
    [[1.0, 1.0, 1.0]]
    """
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"rate must be in [0, 1); received {rate!r}")
    features = ops.convert_to_tensor(features)
    if rate == 0.0:
        return features
    kept = uniform(keys, features.shape[1]) >= rate
    return ops.where(kept, features / (1.0 - rate), 0.0)

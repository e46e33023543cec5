"""An optimizer as it steps, whatever scales its losses for half precision."""

from __future__ import annotations

from typing import Any

__all__ = ["unscaled"]


def unscaled(optimizer: Any) -> Any:
    """The optimizer within a `keras.optimizers.LossScaleOptimizer`; any other as it is."""
    return getattr(optimizer, "inner_optimizer", optimizer)

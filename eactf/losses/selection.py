"""Co-teaching's choice of the samples whose labels are likely to be right."""

from __future__ import annotations

from numbers import Real
from typing import Any

from keras import ops

from eactf.losses.arguments import check_number, check_shape, number_of, raised

__all__ = ["small_loss_selection"]

Tensor = Any


def small_loss_selection(per_sample_losses: Tensor, forget_rate: float | Tensor) -> Tensor:
    """The indices of the samples of smallest loss, `(kept,)` int32, ascending by loss.

    `per_sample_losses` is `(N,)`; `forget_rate` R in [0, 1] is the share that is left out. Kept are
    max(1, floor((1 - R) * N + 1e-9)) (Han et al., "Co-teaching", NeurIPS 2018, algorithm 1). Of
    equal losses the first comes first; one that is not a number counts as the largest. In
    Co-teaching each network learns from the other's selection. A rate in float32 is taken for the
    decimal it stands for: 0.3 of 10 leaves 7. Raises `ValueError` for losses of other shapes and a
    rate out of range.

    >>> small_loss_selection([0.9, 0.1, 0.5, 0.3], 0.25).numpy()
    array([1, 3, 2], dtype=int32)
    """
    # Deviates: the published code takes int((1 - R) * N), which rounding makes 0 of 10 at R = 0.9.
    check_number("forget_rate must be in [0, 1]", forget_rate, lambda rate: 0 <= rate <= 1)
    (losses,) = raised(per_sample_losses)
    check_shape("per_sample_losses must be (n,)", losses, (None,))
    losses = ops.where(ops.isnan(losses), float("inf"), losses)
    count = ops.shape(losses)[0]
    order = ops.cast(ops.argsort(losses), "int32")
    return order[: _kept(count, forget_rate)]


def _kept(count: int | Tensor, forget_rate: float | Tensor) -> int | Tensor:
    """How many of a batch are kept: at least one of any; a static number where it is known."""
    is_double = "float64" in str(getattr(forget_rate, "dtype", "float64"))
    slack = 0.0 if is_double else 2.0**-24  # of N: what storing the rate may have taken, at most
    if isinstance(count, int) and isinstance(forget_rate, Real):
        share = 1.0 - float(forget_rate) + slack
        return min(count, max(1, int(share * count + 1e-9)))
    share = 1.0 - number_of(forget_rate, "float64") + slack
    kept = ops.floor(share * ops.cast(count, "float64") + 1e-9)
    return ops.minimum(ops.cast(count, "int32"), ops.maximum(ops.cast(kept, "int32"), 1))

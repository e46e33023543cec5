"""These schedules say how much of a loss counts in an epoch, and how many samples do."""

from __future__ import annotations

from numbers import Real
from typing import Any, Literal

import numpy as np
from keras import ops

__all__ = ["forget_rates", "ramp_up"]


def ramp_up(epoch: Any, start: Any, length: Any = 16) -> Any:
    """How far a weight has risen: 0 until `start`, 1 from `start` + `length` on, straight between.

    clip((`epoch` - `start`) / `length`, 0, 1), the linear ramp of DivideMix's published code;
    `epoch` may be fractional, e + step / steps, and `start` is the length of the warm-up. Of
    Python's numbers a float; a tensor, at least float32, where any of the three is an array or a
    tensor.
    Raises `ValueError` for a length that is not above 0.

    >>> ramp_up(10, 10), ramp_up(14, 10), ramp_up(30.5, 10)
    (0.0, 0.25, 1.0)
    """
    if isinstance(length, Real) and not float(length) > 0:
        raise ValueError(f"length must be above 0; received {length!r}")
    if all(isinstance(number, Real) for number in (epoch, start, length)):
        return min(max((float(epoch) - float(start)) / float(length), 0.0), 1.0)
    epoch, start, length = (_floating(number) for number in (epoch, start, length))
    return ops.clip((epoch - start) / length, 0.0, 1.0)


def forget_rates(
    epochs: int,
    rate: float,
    gradual: int,
    exponent: float,
    exponent_of: Literal["rate", "epoch"] = "rate",
) -> np.ndarray:
    """The share of each batch that Co-teaching leaves out in each epoch, `(epochs,)` float64.

    Over the first `gradual` epochs it rises evenly from 0 to `rate` ** `exponent`, and is `rate`
    from then on, as the published code has it: with an exponent other than 1 it jumps there.
    `exponent_of="epoch"` is the paper's form, `rate` * min(epoch ** `exponent` / `gradual`, 1),
    without a jump (Han et al., NeurIPS 2018, section 4; epochs are counted from 0, and 0 is not
    trained in the published code). Raises `ValueError` for numbers of epochs that are not whole or
    are below 0, a rate outside [0, 1], and an exponent that is not above 0.

    >>> forget_rates(5, 0.4, gradual=3, exponent=1)
    array([0. , 0.2, 0.4, 0.4, 0.4])
    """
    for name, number in (("epochs", epochs), ("gradual", gradual)):
        if number != int(number) or number < 0:
            raise ValueError(f"{name} must be a whole number >= 0; received {number!r}")
    if not 0 <= rate <= 1:
        raise ValueError(f"rate must be in [0, 1]; received {rate!r}")
    if not exponent > 0:
        raise ValueError(f"exponent must be above 0; received {exponent!r}")
    if exponent_of not in ("rate", "epoch"):
        raise ValueError(f'exponent_of must be "rate" or "epoch"; received {exponent_of!r}')
    rates = np.full(int(epochs), float(rate))
    if exponent_of == "epoch":
        rising = np.arange(len(rates), dtype=np.float64) ** exponent
        return rates * np.minimum(rising / max(gradual, 1), 1.0) if gradual else rates
    ramp = np.linspace(0.0, rate**exponent, int(gradual))[: len(rates)]
    rates[: len(ramp)] = ramp
    return rates


def _floating(number: Any) -> Any:
    """A number to compute with: Python's as it is, others in their own type, float32 at least."""
    if isinstance(number, Real):
        return float(number)
    tensor = ops.convert_to_tensor(number)
    wide = "float64" if "float64" in str(tensor.dtype) else "float32"
    return ops.cast(tensor, wide)

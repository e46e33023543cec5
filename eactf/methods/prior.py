"""How often each class is given as a label, for the logit adjustment: what may be given for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

__all__ = ["checked_prior"]


def checked_prior(
    prior_adjustment: float, class_prior: Sequence[float] | None, classes: int
) -> tuple[float, ...] | None:
    """`class_prior` as a tuple of `classes` numbers, counts or shares; None for None.

    Raises `ValueError` for a `prior_adjustment` below 0, for one above 0 without a prior, and for
    a prior of another length, with negative numbers, or of nothing but noughts.
    """
    if not 0.0 <= prior_adjustment < math.inf:
        raise ValueError(f"prior_adjustment must be >= 0; received {prior_adjustment!r}")
    if class_prior is None:
        if prior_adjustment > 0.0:
            raise ValueError(
                f"prior_adjustment = {prior_adjustment:g} needs class_prior, how often each class "
                "is given as a label in training: np.bincount(labels, minlength=classes)"
            )
        return None
    prior = tuple(float(_number(number)) for number in class_prior)
    if len(prior) != classes or not any(prior):
        raise ValueError(
            f"class_prior must be the count or share of each of the {classes} classes, not all "
            f"0; received {len(prior)} numbers, {sum(prior):g} in all"
        )
    return prior


def _number(number: Any) -> Real:
    if not (isinstance(number, Real) and 0.0 <= float(number) < math.inf):
        raise ValueError(f"class_prior must be of numbers >= 0; received {number!r}")
    return number

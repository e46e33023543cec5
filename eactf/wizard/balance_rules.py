"""This rule says how often rare classes are shown in training, by how uneven the classes are."""

from __future__ import annotations

from typing import Any

from eactf.intake.fingerprint import Fingerprint
from eactf.wizard.choices import Choice, Origin

__all__ = ["UNEVEN", "balance"]

UNEVEN = 5.0
"""From this ratio of the largest class to the smallest on, rare classes are shown more often."""

_PLAIN_SHARE = 0.6
"""The share of the epochs that come first and show the classes as they are."""


def balance(fingerprint: Fingerprint, epochs: int) -> dict[str, Choice[Any]]:
    """The keys of `data.balance`.

    Where classes are uneven, by the root of their counts in the last epochs: of what was measured
    (benchmarks/README.md) this alone cost no accuracy on real wrong labels. Classes shown alike,
    or from the first epoch on, lost more accuracy there than they gained in the rare classes.
    """
    ratio = fingerprint.imbalance
    uneven = f"the largest class is {ratio:,.1f} times the smallest"
    if ratio < UNEVEN:
        return {"data.balance": Choice("none", Origin.DATA, uneven)}
    first = round(_PLAIN_SHARE * epochs) + 1
    features = "features form first, on the classes as they are"
    return {
        "data.balance": Choice("sqrt", Origin.DATA, uneven),
        "data.balance_from": Choice(first, Origin.DEFAULT, features),
    }

"""These rules look after rare classes, by how uneven the classes of the training split are."""

from __future__ import annotations

from typing import Any

from eactf.intake.fingerprint import Fingerprint
from eactf.wizard.choices import Choice, Origin

__all__ = ["UNEVEN", "balance", "consistency_weight"]

UNEVEN = 5.0
"""From this ratio of the largest class to the smallest on, rare classes are shown more often."""

_PLAIN_SHARE = 0.6
"""The share of the epochs that come first and show the classes as they are."""


_WEIGHT = 2.0
"""EAC's consistency weight where classes are uneven."""


def consistency_weight(fingerprint: Fingerprint) -> Choice[float]:
    """The weight of EAC's consistency: lower than the paper's where classes are uneven.

    A strong consistency makes a small network give up the classes it has seen least of. What was
    measured stands in benchmarks/README.md.
    """
    if fingerprint.imbalance < UNEVEN:
        return Choice(5.0, Origin.DEFAULT, "the paper's")
    return Choice(_WEIGHT, Origin.DATA, "classes are uneven: the paper's 5 gives up rare ones")


def balance(fingerprint: Fingerprint, epochs: int) -> dict[str, Choice[Any]]:
    """The keys of `data.balance`.

    Where classes are uneven, by the root of their counts in the last epochs: with a lower
    consistency weight this gave most of what was measured (benchmarks/README.md), and cost no
    accuracy on real wrong labels. Classes shown alike, or so from the first epoch on, lost more
    there than they gained.
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

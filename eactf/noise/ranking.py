"""A ranking says of every label how likely it is wrong, and which class is meant in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

__all__ = ["Ranking", "rank"]

_LEAST = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Ranking:
    """How suspect n labels are; row `i` of every array is the same sample.

    `given` `(n,)` are the labels, `probability` `(n, classes)` how likely each class is the true
    one, the given label known, `likely` `(n,)` the likeliest class beside the given one, and
    `score` `(n,)` how suspect the label is: above 0 it is likelier wrong than right. `evidence` are
    further figures `(n,)` by name, for a person to look at; nan where a sample has none.
    """

    given: np.ndarray
    probability: np.ndarray
    likely: np.ndarray
    score: np.ndarray
    evidence: Mapping[str, np.ndarray] = field(default_factory=dict)

    def order(self) -> np.ndarray:
        """All rows, the most suspect first."""
        return np.argsort(-self.score, kind="stable")

    def suspects(self) -> np.ndarray:
        """The rows whose label is likelier wrong than right, the worst first."""
        order = self.order()
        return np.asarray(order[self.score[order] > 0])

    @property
    def quality(self) -> np.ndarray:
        """`(n,)` from 0, surely wrong, to 1, surely right; below one half is suspect."""
        return np.asarray(1.0 / (1.0 + np.exp(np.clip(self.score, -700, 700))))


def rank(
    probability: np.ndarray,
    given: np.ndarray,
    *,
    score: np.ndarray | None = None,
    evidence: Mapping[str, np.ndarray] | None = None,
) -> Ranking:
    """A ranking by `probability` `(n, classes)`, how likely each class is the true one.

    Without `score` it is the logarithm of the odds of all other classes against the given one.

    >>> found = rank(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 0]))
    >>> found.suspects(), found.likely, found.quality.round(1)
    (array([1]), array([1, 1]), array([0.9, 0.2]))
    """
    rows = np.arange(len(given))
    others = probability.astype(np.float64)
    own = np.maximum(others[rows, given], _LEAST)
    others[rows, given] = -1.0
    likely = others.argmax(axis=1)
    if score is None:
        score = np.log(np.maximum(1.0 - own, _LEAST)) - np.log(own)
    return Ranking(given, probability, likely, np.asarray(score), dict(evidence or {}))

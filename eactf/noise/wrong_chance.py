"""`WrongChance` says of each label how likely a person would call it wrong, learning from answers.

It only helps: what is estimated with it stays right whatever it says, and gets sharper the more it
knows (`eactf.noise.checked_rate`).
"""

from __future__ import annotations

import numpy as np

__all__ = ["WrongChance", "logit", "sigmoid"]

_LEAST = 1e-4

_START, _SLOPE = -2.0, 0.5
"""Log-odds before any answer: of a label that is also the likeliest class, and what each e-fold by
which the networks favour another class adds."""

_HELD = (0.25, 2.0, 2.0, 1.0)
"""How firmly constant, the two measures of contradiction and the classes are held near 0."""

_ROUNDS = 50
_LONGEST_STEP = 1.5
_CLOSE = 1e-6


class WrongChance:
    """A logistic model for labels `given` `(n,)` and out-of-fold `probabilities` `(n, classes)`.

    It looks at how far the networks contradict a label, and at the class that was given: people get
    whole classes wrong (of FER2013's fear nearly nine in ten by FERPlus' consensus).
    """

    def __init__(self, probabilities: np.ndarray, given: np.ndarray) -> None:
        own = np.clip(probabilities[np.arange(len(given)), given], _LEAST, 1 - _LEAST)
        contradiction = np.log(np.maximum(probabilities.max(axis=1), _LEAST) / own)
        measures = [_scaled(contradiction), _scaled(logit(own))]
        self._given = given
        self._measures = np.column_stack([np.ones(len(given)), *measures])
        self._before = _START + _SLOPE * contradiction

    def __len__(self) -> int:
        return len(self._before)

    def learned(self, rows: np.ndarray, wrong: np.ndarray) -> np.ndarray:
        """The chance `(n,)` of each label to be wrong, learned from answers about `rows` alone.

        `wrong` is 1 for a wrong label, 0 for a right one, 0.5 where the person could not tell.
        Without rows it is the chance before any answer.
        """
        # A class without an answer has no weight of its own: data may have thousands of them.
        classes, place = np.unique(self._given[rows], return_inverse=True)
        features = np.hstack([self._measures[rows], np.eye(len(classes))[place]])
        weights = _fitted(features, self._before[rows], wrong)
        of_class = np.zeros(int(self._given.max()) + 1)
        of_class[classes] = weights[3:]
        log_odds = self._before + self._measures @ weights[:3] + of_class[self._given]
        return sigmoid(log_odds)


def _fitted(features: np.ndarray, before: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """The weights of greatest likelihood, held near 0, by Newton steps."""
    held = np.array([*_HELD[:3], *[_HELD[3]] * (features.shape[1] - 3)])
    weights = np.zeros(features.shape[1])
    for _ in range(_ROUNDS if len(features) else 0):
        chance = sigmoid(before + features @ weights)
        spread = (features * (chance * (1 - chance))[:, None]).T @ features
        slope = features.T @ (wrong - chance) - held * weights
        step = np.linalg.solve(spread + np.diag(held), slope)
        weights += np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        if np.abs(step).max() < _CLOSE:
            break
    return weights


def logit(chance: np.ndarray) -> np.ndarray:
    """The logarithm of the odds, finite for chances of 0 and 1 too."""
    chance = np.clip(chance, _LEAST, 1 - _LEAST)
    return np.asarray(np.log(chance / (1 - chance)))


def sigmoid(log_odds: np.ndarray) -> np.ndarray:
    """The chance of log-odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(log_odds, -30.0, 30.0))))


def _scaled(values: np.ndarray) -> np.ndarray:
    return np.asarray((values - values.mean()) / max(float(values.std()), 1e-9))

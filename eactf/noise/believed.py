"""`believed` says how likely each class is a sample's true one, for ranking labels by it.

An estimate of a rate has to decide between its two readings: every wrong label is any other class
alike, or each pair of classes has a rate of its own. A ranking has not, and the mean of both is
safer than either: noise by people and machines goes to certain classes well before a test can tell,
and of even noise little is lost (`benchmarks/audit.py`).
"""

from __future__ import annotations

import numpy as np

from eactf.noise.latent import LatentFit

__all__ = ["believed"]

_LEAST_NOISE = 0.02
"""Suspects are looked for as if at least so many labels of each class were wrong."""

_LABELS_A_PAIR = 20
"""With fewer labels for each pair of classes the reading by pairs counts for less."""

_ROUNDS = 2
_STEPS = 30
_ENOUGH = 1e-5
_MOST_CERTAIN = 1e-6


def believed(even: LatentFit, by_pair: LatentFit, given: np.ndarray) -> np.ndarray:
    """The probability of each true class, the given label known, `(n, classes)`.

    Of the two readings' noise it is the mean, of their probabilities the geometric mean, then
    brought to the labels class by class (`_calibrated`). Of few labels the reading by pairs, which
    has far more to learn from them, counts for less than half. Every mistake is held possible: of
    labels that read as clean, people err on the hard ones still.
    """
    classes = len(even.noise)
    enough = _LABELS_A_PAIR * classes * (classes - 1)
    share = 0.5 * min(1.0, len(given) / enough)
    noise = (1.0 - share) * even.noise + share * by_pair.noise
    noise = np.maximum(noise, _LEAST_NOISE / (classes - 1))
    prior = _rows_to_one(even.prior ** (1.0 - share) * by_pair.prior**share)
    shares = _rows_to_one(noise)
    for _ in range(_ROUNDS):
        prior = _calibrated(prior, _rows_to_one(prior * shares[:, given].T))
    return _rows_to_one(prior * noise[:, given].T)


def _calibrated(prior: np.ndarray, true: np.ndarray) -> np.ndarray:
    """`prior` with the odds of each class as the expected true classes `true` bear them out.

    Platt's logistic calibration, one class against the rest, with a slope of 0 to 1: networks say
    more of a class than they know of it where it is rare and hardly ever predicted, and its labels
    would all be suspect.
    """
    bounded = np.clip(prior, _MOST_CERTAIN, 1.0 - _MOST_CERTAIN)
    odds = np.log(bounded) - np.log1p(-bounded)
    found = np.empty_like(prior)
    for label in range(prior.shape[1]):
        centred = odds[:, label] - odds[:, label].mean()
        slope, offset = _fit(centred, true[:, label])
        # A class that is well known keeps its odds as they are.
        sharper = slope >= 1.0
        found[:, label] = prior[:, label] if sharper else _logistic(slope * centred + offset)
    return _rows_to_one(found)


def _fit(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope in 0..1 and offset of a logistic regression of `y` on `x`, by Newton's method.

    The slope is held near 1, as by one observation.
    """
    slope, offset = 1.0, float(np.log(y.mean() + 1e-12) - np.log1p(1e-12 - y.mean()))
    for _ in range(_STEPS):
        p = _logistic(slope * x + offset)
        weight = p * (1.0 - p) + 1e-9
        slopes = np.array([np.sum((y - p) * x) - (slope - 1.0), np.sum(y - p)])
        cross = np.sum(weight * x)
        curvature = np.array([[np.sum(weight * x * x) + 1.0, cross], [cross, np.sum(weight)]])
        step = np.linalg.solve(curvature, slopes)
        wanted = slope + float(np.clip(step[0], -0.5, 0.5))
        if not 0.0 <= wanted <= 1.0:  # at the end of its range the offset moves alone
            step[1] = slopes[1] / curvature[1, 1]
        before = slope
        slope = min(max(wanted, 0.0), 1.0)
        offset += float(np.clip(step[1], -2.0, 2.0))
        if max(abs(slope - before), abs(step[1])) < _ENOUGH:
            break
    return slope, offset


def _logistic(values: np.ndarray) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(values, -700.0, 700.0))))


def _rows_to_one(values: np.ndarray) -> np.ndarray:
    return np.asarray(values / values.sum(axis=1, keepdims=True))

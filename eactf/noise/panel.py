"""`panel_reading` tells from people's votes how many given labels a larger panel would reject.

People who vote on one image do not err independently: they disagree on the hard ones. So each image
has shares of its own, the votes that endless people would give; those with the same class at their
top scatter about it by a Dirichlet law. The laws are those of greatest likelihood: by expectation
maximisation over the classes, as Dawid and Skene (1979), for whom people err alike on all images of
a class, and by fixed-point steps within (Minka, "Estimating a Dirichlet distribution", 2000).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eactf.errors import DataError
from eactf.noise.latent import even_noise

__all__ = ["PanelReading", "panel_reading"]

_ROUNDS, _STEPS = 200, 3
_CLOSE = 1e-4
_LEAST, _MOST = 1e-3, 1e3
_SMALLEST = 1e-12
_DRAWS = 64

_MADE_OF_THEM = 0.98
"""Where so many given labels are among the most voted classes they were made of the votes."""

_NINE_IN_TEN = 1.645

_OFF = 0.03
"""Added to both ends: the laws are a model."""


@dataclass(frozen=True)
class PanelReading:
    """What a large panel would say, as read from the votes of a small one.

    `rate` is the share of the given labels that it would not choose, between `low` and `high`.
    `likely` `(n, classes)` is the probability of each class to be chosen, nan for images that were
    left out. `people` is how many voted on an image, in the mean.
    """

    rate: float
    low: float
    high: float
    likely: np.ndarray
    people: float


def panel_reading(
    votes: np.ndarray, classes: int, given: np.ndarray, seed: int = 0
) -> PanelReading:
    """Read `votes` `(n, columns)`, whole numbers, whose first `classes` columns are the classes.

    `given` `(n,)` are the labels to be judged. Where they are the votes' own choice the votes tell
    all about them. Else the truth lies between two readings, and the rate in their middle: they are
    right as often as the votes say, or as often as the votes allow (`_rates`). Images without two
    votes are left out. Raises `DataError` where
    votes are no whole numbers, or none are left.
    """
    counts = np.rint(votes).astype(np.int64)
    if not np.allclose(counts, votes) or (counts < 0).any():
        raise DataError("votes: expected how many people chose each column, whole numbers")
    usable = counts[:, :classes].sum(axis=1) >= 2
    if not usable.any():
        raise DataError("votes: no image has two votes for a class")
    laws, shares = _fit(counts[usable], classes)
    likely = np.full((len(counts), classes), np.nan)
    likely[usable] = _chosen(counts[usable], laws, shares, seed)
    low, high = _rates(likely[usable], counts[usable][:, :classes], given[usable])
    spread = _OFF + _NINE_IN_TEN * (high * (1.0 - high) / usable.sum()) ** 0.5
    people = float(counts[usable].sum(axis=1).mean())
    rate, low, high = (low + high) / 2, max(low - spread, 0.0), min(high + spread, 1.0)
    return PanelReading(rate, low, high, likely, people)


def _rates(likely: np.ndarray, votes: np.ndarray, given: np.ndarray) -> tuple[float, float]:
    """The share of the given labels that are not what the panel would choose, at least and at most.

    At most: a label tells nothing beyond the votes, so that on a close call it is wrong as often as
    the panel's choice is open. At least: it is made by someone who knows what the panel would
    choose, and errs by the class alone.
    """
    rows = np.arange(len(given))
    most = float(1.0 - likely[rows, given].mean())
    own = votes[rows, given] == votes.max(axis=1)
    if own.mean() >= _MADE_OF_THEM:
        return most, most
    classes = likely.shape[1]
    noise = even_noise(max(most, _LEAST), classes)
    for _ in range(_ROUNDS):
        true = likely * noise[:, given].T
        true /= np.maximum(true.sum(axis=1, keepdims=True), _SMALLEST)
        counts = np.stack([true[given == label].sum(axis=0) for label in range(classes)], axis=1)
        before, noise = noise, counts + _LEAST
        noise /= noise.sum(axis=1, keepdims=True)
        if np.abs(noise - before).max() < _CLOSE:
            break
    return min(float(1.0 - true[rows, given].mean()), most), most


def _fit(votes: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """The laws `(classes, columns)` and how frequent each is `(classes,)`."""
    tops = votes[:, :classes] == votes[:, :classes].max(axis=1, keepdims=True)
    held = tops / tops.sum(axis=1, keepdims=True)
    laws = held.T @ votes + 1.0
    laws *= 5.0 / laws.sum(axis=1, keepdims=True)
    before = -np.inf
    for _ in range(_ROUNDS):
        shares = (held.sum(axis=0) + 1.0) / (len(votes) + classes)
        for _ in range(_STEPS):
            laws = _stepped(votes, held, laws)
        logs = np.log(shares) + _log_likelihood(votes, laws)
        best = logs.max(axis=1, keepdims=True)
        held = np.exp(logs - best)
        likelihood = float((best[:, 0] + np.log(held.sum(axis=1))).mean())
        held /= held.sum(axis=1, keepdims=True)
        if likelihood - before < _CLOSE / 10:
            break
        before = likelihood
    return laws, shares


def _stepped(votes: np.ndarray, held: np.ndarray, laws: np.ndarray) -> np.ndarray:
    """Minka's fixed-point step: sums of 1 / (a + j) stand for differences of digamma."""
    above = np.zeros_like(laws)
    for number in range(int(votes.max())):
        above += (held.T @ (votes > number)) / (laws + number)
    people, total = votes.sum(axis=1), laws.sum(axis=1, keepdims=True)
    below = np.zeros_like(total)
    for number in range(int(people.max())):
        below += (held.T @ (people > number))[:, None] / (total + number)
    return np.asarray(np.clip(laws * above / np.maximum(below, _LEAST), _LEAST, _MOST))


def _log_likelihood(votes: np.ndarray, laws: np.ndarray) -> np.ndarray:
    """The logarithm of the probability of each image's votes by each law, `(n, classes)`."""
    logs = np.zeros((len(votes), len(laws)))
    for number in range(int(votes.max())):
        logs += (votes > number) @ np.log(laws + number).T
    people, total = votes.sum(axis=1), laws.sum(axis=1)
    for number in range(int(people.max())):
        logs -= (people > number)[:, None] * np.log(total + number)
    return logs


def _chosen(votes: np.ndarray, laws: np.ndarray, shares: np.ndarray, seed: int) -> np.ndarray:
    """How likely each class is the one that endless people would choose most, `(n, classes)`."""
    logs = np.log(shares) + _log_likelihood(votes, laws)
    held = np.exp(logs - logs.max(axis=1, keepdims=True))
    upto = np.cumsum(held / held.sum(axis=1, keepdims=True), axis=1)
    numbers = np.random.default_rng(seed)
    classes = len(laws)
    chosen = np.zeros((len(votes), classes))
    rows = np.arange(len(votes))
    for _ in range(_DRAWS):
        law = (numbers.random((len(votes), 1)) > upto).sum(axis=1)
        drawn = numbers.standard_gamma(votes + laws[np.minimum(law, classes - 1)])
        chosen[rows, drawn[:, :classes].argmax(axis=1)] += 1.0 / _DRAWS
    return chosen

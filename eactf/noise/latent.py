"""`LatentModel` explains given labels by a true class that nobody sees, and noise upon it.

The probabilities p(s) that a network gives to sample x do not depend on the label given to x when
it was predicted out of fold. With noise that looks at the class and not at the image,

    P(given = j | x) = sum over t of q(t | x) T[t, j],
    q(t | x) ~ exp(a log p(t) + c p(t) + sum over s of W[s, t] log p(s) + b(t)),

where T[t, j] is how often class t is given as j; a, c, W and b bring the network's probabilities to
those of the true class. The two are told apart by what confidence changes and what it does not: a
network's mistakes vanish where it is sure, be it of a class or against one; noise stays. W lets the
network confuse certain classes as freely as T lets the labels do so, so that its habits are not
taken for theirs. All parameters are those of greatest likelihood (c, W and b held near 0), found by
expectation maximisation (Dempster, Laird and Rubin, 1977), those of q by a Newton step a round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["LatentFit", "LatentModel", "even_noise"]

_LEAST = 1e-5
_ROUNDS = 300
_TOLERANCE = 1e-3
_LONGEST_STEP = 1.0
_REFRESHED = 4
"""Rounds for which a curvature serves: it changes slowly, and is most of the work."""

_HELD_C, _HELD_W, _HELD_B = 2.0, 3.0, 1.0
"""How firmly c, W and b are held near 0: the weight of half their squares."""

_TRIFLE = 1e-6
"""Added to the curvature: of probabilities that are all alike a has none."""

_SMALLEST = 1e-150


@dataclass(frozen=True)
class LatentFit:
    """The model at its greatest likelihood.

    `noise` is T, `(classes, classes)` with rows that sum to 1. `prior` is q, `(n, classes)`.
    `counts` `(classes, classes)` is how many labels are expected by true (row) and given class, the
    given labels known. `rate` is the share of the
    given labels that are wrong by it. `weights` are a, c, W and b. `log_likelihood` is the
    logarithm of the likelihood, less what holds the weights.
    """

    rate: float
    noise: np.ndarray
    prior: np.ndarray
    counts: np.ndarray
    weights: np.ndarray
    log_likelihood: float


class LatentModel:
    """The model for out-of-fold `probabilities` `(n, classes)` and `given` labels `(n,)`.

    `confusing` says whether W is there; without it the network is wrong in no certain ways.
    `contradicted` is the share of the labels that are not what is predicted, `kappa` Cohen's: 0
    where predictions and labels agree no more than by chance, 1 where always.
    """

    def __init__(self, probabilities: np.ndarray, given: np.ndarray, *, confusing: bool) -> None:
        self.given = given
        self.confusing = confusing
        self._probabilities = probabilities
        self.classes = classes = probabilities.shape[1]
        logs = np.log(np.maximum(probabilities, _LEAST))
        logs -= logs.mean(axis=1, keepdims=True)
        ones = np.ones((len(given), 1))
        self._own = (logs, probabilities)
        self._all = np.hstack([logs, ones]) if confusing else ones
        self._members = [np.flatnonzero(given == label) for label in range(classes)]
        held = [[_HELD_W] * classes] * (self._all.shape[1] - 1) + [[_HELD_B] * classes]
        self._held = np.array([0.0, _HELD_C, *np.ravel(held)])
        predicted = probabilities.argmax(axis=1)
        self.contradicted = float(np.mean(predicted != given))
        self.kappa = _kappa(predicted, given, classes)

    def part(self, count: int) -> LatentModel:
        """The model for `count` of the samples, evenly taken from all; itself for no more."""
        if count >= len(self.given):
            return self
        rows = np.linspace(0, len(self.given) - 1, count).astype(np.int64)
        return LatentModel(self._probabilities[rows], self.given[rows], confusing=self.confusing)

    def with_labels(self, given: np.ndarray) -> LatentModel:
        """The model for other labels `(n,)` of the same samples."""
        return LatentModel(self._probabilities, given, confusing=self.confusing)

    def fit_even(self) -> LatentFit:
        """A wrong label is any other class alike, at one rate."""
        return self._fit(*self._start(), lambda counts, rate: even_noise(rate, self.classes))

    def fit_pairs(self, strength: float = 20.0) -> LatentFit:
        """Every pair of classes has its own rate, drawn to the even one as by `strength` labels."""

        def noise(counts: np.ndarray, rate: float) -> np.ndarray:
            drawn = counts + strength * even_noise(rate, self.classes)
            return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))

        even, weights = self._start()
        # The likelihood may have several tops: where the labels of the surest samples are mixed in
        # a certain way, the climb is to begin there as well, the network brought into line first.
        surest = self._noise_of_the_surest()
        in_line = self.fit_to(surest, weights).weights
        fits = (self._fit(even, weights, noise), self._fit(surest, in_line, noise))
        return max(fits, key=lambda fit: fit.log_likelihood)

    def fit_to(self, noise: np.ndarray, weights: np.ndarray) -> LatentFit:
        """The noise matrix is known; `weights` are where to begin."""
        return self._fit(noise, weights, lambda counts, rate: noise)

    def _start(self) -> tuple[np.ndarray, np.ndarray]:
        weights = np.zeros_like(self._held)
        weights[0] = 1.0
        rate = float(np.clip(0.8 * self.contradicted, 0.02, 0.8))
        return even_noise(rate, self.classes), weights

    def _noise_of_the_surest(self) -> np.ndarray:
        """How the fifth of each predicted class that is surest is labelled."""
        _, probabilities = self._own
        predicted, sureness = probabilities.argmax(axis=1), probabilities.max(axis=1)
        counts = even_noise(self.contradicted, self.classes)
        for label in range(self.classes):
            rows = np.flatnonzero(predicted == label)
            surest = rows[np.argsort(-sureness[rows], kind="stable")][: -(-len(rows) // 5)]
            counts[label] += np.bincount(self.given[surest], minlength=self.classes)
        return np.asarray(counts / counts.sum(axis=1, keepdims=True))

    def _fit(
        self,
        noise: np.ndarray,
        weights: np.ndarray,
        update: Callable[[np.ndarray, float], np.ndarray],
    ) -> LatentFit:
        likelihood = -np.inf
        for round_ in range(_ROUNDS):
            prior = self._prior(weights)
            true = prior * noise[:, self.given].T
            evidence = true.sum(axis=1)
            true /= evidence[:, None]
            counts = np.stack([true[rows].sum(axis=0) for rows in self._members], axis=1)
            rate = 1.0 - float(np.trace(counts)) / len(self.given)
            before = likelihood
            likelihood = float(np.log(evidence).sum() - 0.5 * np.sum(self._held * weights**2))
            if abs(likelihood - before) < _TOLERANCE:
                break
            if round_ % _REFRESHED == 0:
                inverse = np.linalg.inv(self._curvature(prior))
            noise = update(counts, rate)
            slopes = self._slopes(true - prior) - self._held * weights
            weights = weights + np.clip(inverse @ slopes, -_LONGEST_STEP, _LONGEST_STEP)
        return LatentFit(rate, noise, prior, counts, weights, likelihood)

    def _prior(self, weights: np.ndarray) -> np.ndarray:
        """q, `(n, classes)`."""
        logs, plain = self._own
        scores = weights[0] * logs + weights[1] * plain
        scores += self._all @ weights[2:].reshape(-1, self.classes)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        # Never nought: noise may be nought, and a label must not become impossible.
        powers = np.maximum(powers, _SMALLEST)
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def _slopes(self, gap: np.ndarray) -> np.ndarray:
        """How the likelihood changes with the weights, for classes believed less q, `gap`."""
        return np.array([*(np.vdot(gap, own) for own in self._own), *np.ravel(self._all.T @ gap)])

    def _curvature(self, prior: np.ndarray) -> np.ndarray:
        """Minus the second derivative of the likelihood of known classes by the weights."""
        features, classes = self._all.shape[1], self.classes
        curvature = np.diag(self._held + _TRIFLE)
        weighed = [prior * own for own in self._own]
        middle = [each.sum(axis=1) for each in weighed]
        for i, each in enumerate(weighed):
            for j, own in enumerate(self._own):
                curvature[i, j] += np.vdot(each, own) - middle[i] @ middle[j]
            curvature[i, 2:] += np.ravel(self._all.T @ (each - prior * middle[i][:, None]))
            curvature[2:, i] = curvature[i, 2:]
        spread = np.reshape(self._all[:, :, None] * prior[:, None, :], (len(prior), -1))
        blocks = -np.reshape(spread.T @ spread, (features, classes, features, classes))
        for t in range(classes):
            blocks[:, t, :, t] += self._all.T @ (self._all * prior[:, t, None])
        curvature[2:, 2:] += blocks.reshape(features * classes, features * classes)
        return curvature


def even_noise(rate: float, classes: int) -> np.ndarray:
    """The noise matrix of which every wrong label is any other class alike."""
    noise = np.full((classes, classes), rate / (classes - 1))
    np.fill_diagonal(noise, 1.0 - rate)
    return noise


def _kappa(predicted: np.ndarray, given: np.ndarray, classes: int) -> float:
    shares = [np.bincount(labels, minlength=classes) / len(given) for labels in (predicted, given)]
    by_chance = float(shares[0] @ shares[1])
    agreed = float(np.mean(predicted == given))
    return (agreed - by_chance) / (1.0 - by_chance) if by_chance < 1.0 else 0.0

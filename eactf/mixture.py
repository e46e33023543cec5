"""This module judges by its loss how likely a sample's label is clean, with two Gaussians.

Networks learn clean labels first: early in training, losses of clean and of wrong labels form two
heaps. A mixture of two Gaussians is fitted to the losses of all samples, and the probability that a
label is clean is that of its loss being of the heap with the smaller mean (Li, Socher, Hoi,
"DivideMix", ICLR 2020, section 3.1). NumPy only.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from eactf.wording import counted, enumerated

__all__ = ["LossHistory", "Mixture", "clean_probability", "fit"]

_ROUNDS = 10
_TOLERANCE = 1e-2
_ADDED_VARIANCE = 5e-4
"""As published: EM ends after ten rounds, or when the mean log-likelihood changes by less than the
tolerance; a component's standard deviation is never below 0.022 of the range of the losses."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """Two Gaussians fitted to losses that lie in [0, 1], the one with the smaller mean first.

    `weights`, `means` and `variances` are `(2,)` float64; `iterations` is how many rounds of EM
    were made, 0 where all losses are equal. `clean_probability` is `(N,)` float64 in [0, 1], each
    sample's probability of belonging to the first component.
    """

    weights: np.ndarray
    means: np.ndarray
    variances: np.ndarray
    iterations: int
    clean_probability: np.ndarray


def clean_probability(
    losses: Any, monotone: bool = False, clip_quantile: float | None = None
) -> np.ndarray:
    """The probability that each sample's label is clean, `(N,)` float64 in [0, 1].

    `losses` is `(N,)`, each sample's loss with its given label, in evaluation mode. They are
    brought to [0, 1] by their least and greatest and `fit` explains them. Where all are equal
    nothing speaks against any label: 1. The two components' variances differ, so that very small
    losses may be called noisy; `monotone` raises each probability to the greatest of any sample
    whose loss is no smaller. A few extreme losses can take a component for themselves;
    `clip_quantile` in (0, 1], 0.999 for instance, lowers all losses above that quantile to it
    beforehand. Raises `ValueError` for losses of another shape or that are not finite, saying
    where, and a quantile out of range.

    >>> clean_probability([0.1, 0.2, 0.1, 2.1, 2.3]).round(3)
    array([1., 1., 1., 0., 0.])
    """
    scaled = _scaled(losses, clip_quantile)
    found = _fit_scaled(scaled).clean_probability
    return _raised_to_greater_losses(scaled, found) if monotone else found


def fit(losses: Any) -> Mixture:
    """The mixture of two Gaussians that explains losses `(N,)`, brought to [0, 1] beforehand.

    Maximum likelihood by EM (Dempster, Laird, Rubin, 1977) with the published settings and with
    scikit-learn's conventions: the first round's division is the start's, the parameters are those
    of the last round, `clean_probability` is computed with them. Raises as `clean_probability`.

    >>> mixture = fit([0.0, 0.1, 0.0, 0.9, 1.0])
    >>> mixture.means.round(3), mixture.weights.round(3), mixture.iterations
    (array([0.033, 0.95 ]), array([0.6, 0.4]), 2)
    """
    # Deviates: the published start is one run of k-means from a random state, and EM ends so soon
    # that it decides the result. Ours is the best division there is, the same every time.
    return _fit_scaled(_scaled(losses, None))


class LossHistory:
    """The losses of the last epochs, whose mean is steadier than any of them.

    For 90 % noise DivideMix fits its mixture to the mean of the last five epochs' losses. Each
    epoch's are brought to [0, 1] by themselves, their mean is not. Every epoch has the same samples
    in the same order.

    >>> history = LossHistory(length=2)
    >>> for losses in ([0.0, 1.0, 2.0], [3.0, 3.0, 1.0], [1.0, 2.0, 1.5]):
    ...     probability = history.clean_probability(losses)
    >>> history.mean()
    array([0.5 , 1.  , 0.25])
    """

    def __init__(self, length: int = 5) -> None:
        """A history of at most `length` epochs; `ValueError` for a length that is not above 0."""
        if length != int(length) or length < 1:
            raise ValueError(f"length must be a whole number above 0; received {length!r}")
        self._epochs: deque[np.ndarray] = deque(maxlen=int(length))

    @property
    def epochs(self) -> np.ndarray:
        """What is remembered, `(epochs, N)` float64 in [0, 1], the oldest first."""
        return np.stack(self._epochs) if self._epochs else np.zeros((0, 0))

    def restore(self, epochs: Any) -> None:
        """Remember `epochs`, as another history gave them, and nothing else.

        Raises `ValueError` for another shape than `(epochs, N)` and numbers outside [0, 1].
        """
        rows = np.array(epochs, np.float64)
        if rows.ndim != 2:
            raise ValueError(f"epochs must be (epochs, n); received shape {rows.shape}")
        if not ((rows >= 0) & (rows <= 1)).all():
            raise ValueError("epochs must be of numbers in [0, 1], as a history gives them")
        self._epochs.clear()
        self._epochs.extend(rows)

    def add(self, losses: Any, clip_quantile: float | None = None) -> np.ndarray:
        """Remember an epoch's losses `(N,)`; the mean over the last epochs, `(N,)`.

        Raises `ValueError` as `clean_probability`, and for another number of samples than before.
        """
        scaled = _scaled(losses, clip_quantile)
        if self._epochs and scaled.shape != self._epochs[-1].shape:
            expected = f"losses must be of the {counted(len(self._epochs[-1]), 'sample')} before"
            raise ValueError(f"{expected}; received shape {scaled.shape}")
        self._epochs.append(scaled)
        return self.mean()

    def mean(self) -> np.ndarray:
        """The mean over the epochs that are remembered, `(N,)` in [0, 1], not scaled again."""
        if not self._epochs:
            raise ValueError("a history needs the losses of one epoch at least; received none")
        mean: np.ndarray = np.mean(self._epochs, axis=0)
        return mean

    def fit(self) -> Mixture:
        """The mixture that explains the mean as it is."""
        return _fit_scaled(self.mean())

    def clean_probability(
        self, losses: Any, monotone: bool = False, clip_quantile: float | None = None
    ) -> np.ndarray:
        """As `clean_probability`, by the mean of these losses and those of the epochs before."""
        mean = self.add(losses, clip_quantile)
        found = _fit_scaled(mean).clean_probability
        return _raised_to_greater_losses(mean, found) if monotone else found


def _scaled(losses: Any, clip_quantile: float | None) -> np.ndarray:
    """Losses in float64 between 0, the least, and 1, the greatest; noughts where all are equal."""
    values = np.array(losses, np.float64)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"losses must be (n,), n at least 1; received shape {values.shape}")
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        places = enumerated(f"{values[place]} at {place}" for place in wrong)
        raise ValueError(f"losses must be finite; not so {len(wrong)} of {len(values)}: {places}")
    if clip_quantile is not None:
        if not 0 < clip_quantile <= 1:
            raise ValueError(f"clip_quantile must be in (0, 1]; received {clip_quantile!r}")
        values = np.minimum(values, np.quantile(values, clip_quantile))
    least, spread = values.min(), np.ptp(values)
    return (values - least) / spread if spread > 0 else np.zeros_like(values)


def _fit_scaled(losses: np.ndarray) -> Mixture:
    """The mixture of losses in [0, 1]."""
    order = np.argsort(losses, kind="stable")
    ascending = losses[order]  # so that the order in which they came changes no sum
    if ascending[0] == ascending[-1]:
        level, least = np.full(2, ascending[0]), np.full(2, _ADDED_VARIANCE)
        return Mixture(np.array([1.0, 0.0]), level, least, 0, np.ones_like(losses))
    parameters, iterations = _most_likely(ascending)
    _, shares = _expected(ascending, *parameters)
    both = np.argsort(parameters[1], kind="stable")
    probability = np.empty_like(losses)
    probability[order] = shares[both[0]]
    weights, means, variances = (numbers[both] for numbers in parameters)
    return Mixture(weights, means, variances, iterations, probability)


_Parameters = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Weights, means and variances, `(2,)` each."""


def _most_likely(ascending: np.ndarray) -> tuple[_Parameters, int]:
    """The parameters after the last round of EM, and how many rounds there were."""
    is_low = np.arange(len(ascending)) < _low_count(ascending)
    parameters = _maximised(ascending, np.stack([is_low, ~is_low]).astype(np.float64))
    likelihood, change, iterations = -np.inf, np.inf, 0
    while iterations < _ROUNDS and not change < _TOLERANCE:
        before = likelihood
        likelihood, shares = _expected(ascending, *parameters)
        parameters = _maximised(ascending, shares)
        change = abs(likelihood - before)
        iterations += 1
    return parameters, iterations


def _low_count(ascending: np.ndarray) -> int:
    """How many of the losses are in the lower part of the division of least squared distances.

    The best division of numbers into two parts is between two neighbours; all are tried. Equal
    losses stay together; of equally good divisions the one with the smaller lower part is taken.
    """
    count = len(ascending)
    lower = np.arange(1, count)
    sums = np.cumsum(ascending - ascending.mean())[:-1]
    between = np.square(sums) * (count / (lower * (count - lower)))
    between[ascending[1:] == ascending[:-1]] = -1.0
    return int(lower[np.argmax(between)])


def _maximised(losses: np.ndarray, shares: np.ndarray) -> _Parameters:
    """The weights, means and variances, `(2,)`, given each component's shares `(2, N)`."""
    counts = shares.sum(axis=1) + 10 * np.finfo(np.float64).eps
    means = (shares * losses).sum(axis=1) / counts
    squares = np.square(losses - means[:, None])
    variances = (shares * squares).sum(axis=1) / counts + _ADDED_VARIANCE
    return counts / counts.sum(), means, variances


def _expected(
    losses: np.ndarray, weights: np.ndarray, means: np.ndarray, variances: np.ndarray
) -> tuple[float, np.ndarray]:
    """The mean log-likelihood, and each component's share `(2, N)` of each loss."""
    squares = np.square(losses - means[:, None]) / variances[:, None]
    constants = np.log(weights) - 0.5 * np.log(2 * np.pi * variances)
    logs = constants[:, None] - 0.5 * squares
    total = np.logaddexp(logs[0], logs[1])
    return float(total.mean()), np.exp(logs - total)


def _raised_to_greater_losses(losses: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Each probability, or the greatest of any sample whose loss is no smaller."""
    order = np.argsort(losses, kind="stable")[::-1]
    raised = np.empty_like(probability)
    raised[order] = np.maximum.accumulate(probability[order])
    return raised

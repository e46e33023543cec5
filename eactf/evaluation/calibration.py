"""`reliability` compares how sure a classifier is with how often it is right. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Reliability", "reliability"]


@dataclass(frozen=True)
class Reliability:
    """Images binned by the probability of their predicted class, bins of equal width over [0, 1].

    `counts`, `confidences` (mean probability) and `accuracies` (share that is right) are `(bins,)`;
    the latter two are 0 in an empty bin.
    """

    counts: np.ndarray
    confidences: np.ndarray
    accuracies: np.ndarray

    @property
    def expected_error(self) -> float:
        """The mean of |accuracy - confidence| over the bins, weighed by their images."""
        weights = self.counts / self.counts.sum()
        return float(np.sum(weights * np.abs(self.accuracies - self.confidences)))

    @property
    def mean_confidence(self) -> float:
        """The mean probability of the predicted classes."""
        return float(np.sum(self.counts * self.confidences) / self.counts.sum())

    @property
    def accuracy(self) -> float:
        """The share of all images that is predicted rightly."""
        return float(np.sum(self.counts * self.accuracies) / self.counts.sum())


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> Reliability:
    """The reliability of class `probabilities` `(n, classes)` on true `labels` `(n,)`, n >= 1.

    A probability of p falls into bin k where k / bins < p <= (k + 1) / bins, as Guo et al. have it
    ("On calibration of modern neural networks", ICML 2017, eq. 3), whose expected calibration
    error, with 15 bins, is `expected_error`. Raises `ValueError` for arrays that do not fit.

    >>> reliability(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 1])).accuracy
    0.5
    """
    if probabilities.ndim != 2 or len(probabilities) != len(labels) or not len(labels):
        raise ValueError(
            f"probabilities must be (n, classes), a row a label, n >= 1; received "
            f"{probabilities.shape} and {len(labels)} labels"
        )
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    full = np.maximum(counts, 1)
    return Reliability(
        counts,
        np.bincount(place, confidence, minlength=bins) / full,
        np.bincount(place, right, minlength=bins) / full,
    )

"""Measures of what a trained network predicts, on a whole test set. NumPy only."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["concordance"]


def concordance(predicted: Any, given: Any) -> Any:
    """The concordance correlation coefficient of each column, `(D,)`; of numbers `(N,)` a float.

    2 cov / (var_p + var_g + (mean_p - mean_g)^2), all with 1/N, over all N samples (Lin,
    "A concordance correlation coefficient to evaluate reproducibility", Biometrics 1989): 1 only
    where both are the same, 0 without any relation, -1 for the reverse of equal spread and level.
    `predicted` and `given` are both `(N,)` or both `(N, D)`, valence and arousal for instance. nan
    for a column in which neither varies and both are alike. Raises `ValueError` for other shapes,
    for no sample, and for numbers that are not finite.

    >>> concordance([[0.0, 0.0], [0.5, 1.0], [1.0, 2.0]], [[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]])
    array([1.        , 0.61538462])
    """
    predictions, truth = _checked(predicted, given)
    # A common origin changes nothing but this: what never varies has squares of exactly 0.
    predictions, truth = predictions - truth[0], truth - truth[0]
    means = predictions.mean(axis=0), truth.mean(axis=0)
    covariance = ((predictions - means[0]) * (truth - means[1])).mean(axis=0)
    spread = predictions.var(axis=0) + truth.var(axis=0) + np.square(means[0] - means[1])
    found = np.full(np.shape(spread), np.nan)
    np.divide(2.0 * covariance, spread, out=found, where=spread > 0)
    return found if found.ndim else float(found)


def _checked(predicted: Any, given: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both in float64, of one shape, finite."""
    predictions, truth = (np.asarray(array, np.float64) for array in (predicted, given))
    if predictions.ndim not in (1, 2) or not len(predictions):
        raise ValueError(
            "predicted must be (n,) or (n, columns), n at least 1; "
            f"received shape {predictions.shape}"
        )
    if truth.shape != predictions.shape:
        expected = f"given must be of predicted's shape {predictions.shape}"
        raise ValueError(f"{expected}; received shape {truth.shape}")
    for name, array in (("predicted", predictions), ("given", truth)):
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must be of finite numbers")
    return predictions, truth

"""These losses compare a batch's predictions with soft targets, with certainty and with a prior.

Each is a scalar. The mean over no rows at all is 0, so that an empty part of a batch costs nothing.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from eactf.losses.arguments import check_shape, checked_prior, raised

__all__ = [
    "mean_squared_probability_error",
    "negative_entropy",
    "prior_penalty",
    "row_squared_errors",
    "soft_cross_entropies",
    "soft_cross_entropy",
    "symmetric_divergence",
]

Tensor = Any


def negative_entropy(logits: Tensor) -> Tensor:
    """The confidence penalty: mean over rows of sum_c p_c log p_c, p the softmax of the logits.

    `logits` is `(N, L)`; from -log(L), where all classes are alike, to 0, where one is certain.
    Added to cross-entropy in the warm-up under noise that depends on the class (Li, Socher, Hoi,
    "DivideMix", ICLR 2020, eq. 2, weight 1). Computed from log-softmax, so that a class
    whose probability underflows counts 0. Gradients reach the logits. Raises `ValueError` for
    other shapes.

    >>> round(float(negative_entropy([[0.0, 0.0], [0.0, 200.0]])), 4)
    -0.3466
    """
    log_probabilities = _log_softmax(logits)
    return _mean(ops.sum(ops.exp(log_probabilities) * log_probabilities, axis=-1))


def soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean over rows of the cross-entropy with soft targets, -sum_c t_c log p_c.

    `logits` and `targets` are `(N, L)`; rows of targets sum to 1 (DivideMix, eq. 9). Gradients
    reach both. Raises `ValueError` for other shapes.

    >>> round(float(soft_cross_entropy([[0.0, 0.0]], [[0.3, 0.7]])), 4)
    0.6931
    """
    return _mean(soft_cross_entropies(logits, targets))


def mean_squared_probability_error(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean over rows and classes of the squared distance of probabilities from targets.

    `logits` and `targets` are `(N, L)`. As in DivideMix's published code the mean is over classes
    too, an L-th of the sum over classes in the paper's eq. 10; its weights of 25 to 150 are meant
    for this mean. In [0, 2 / L] for targets that are distributions. Gradients reach both. Raises
    `ValueError` for other shapes.

    >>> float(mean_squared_probability_error([[0.0, 0.0]], [[1.0, 0.0]]))
    0.25
    """
    return _mean(row_squared_errors(logits, targets))


def prior_penalty(logits: Tensor, prior: Tensor | None = None) -> Tensor:
    """How far the mean prediction of a batch is from a prior: sum_c pi_c log(pi_c / mean p_c).

    `logits` is `(N, L)`, the mean is over all N rows. `prior` is `(L,)`, how often each class is
    expected, as counts or as shares; None: all alike, as in DivideMix (eq. 11). A class whose share
    is 0 counts nothing. The divergence of the mean prediction from the prior is >= 0, and is 0
    however uncertain or certain the single rows are, as long as their mean is the prior. Computed
    from log-softmax: no mean underflows. Gradients reach the logits. Raises `ValueError` for other
    shapes and a prior with negative numbers or of nothing but noughts, where its numbers are known.

    >>> round(float(prior_penalty([[0.0, 0.0], [0.0, 0.0]], prior=[3, 1])), 4)
    0.1308
    """
    log_probabilities = _log_softmax(logits)
    count, classes = ops.shape(log_probabilities)[0], log_probabilities.shape[-1]
    dtype = log_probabilities.dtype
    prior = checked_prior(ops.ones(classes) if prior is None else prior, classes, dtype)
    shares = prior / ops.sum(prior)
    log_shares = ops.log(ops.where(shares > 0, shares, 1.0))
    rows = ops.cast(ops.maximum(count, 1), dtype)
    log_mean = ops.logsumexp(log_probabilities, axis=0) - ops.log(rows)
    divergence = ops.sum(shares * (log_shares - ops.where(shares > 0, log_mean, 0.0)))
    return ops.where(count > 0, divergence, 0.0)


def symmetric_divergence(logits: Tensor, others: Tensor, counted: Tensor | None = None) -> Tensor:
    """Mean over rows of KL(p || q) + KL(q || p), p and q the softmax of either's logits.

    Both are `(N, L)`, of two views of the same images; 0 where all predictions are alike. The mean
    is over the rows that `counted` `(N,)` booleans name, all where it is None. What a
    variant of Ada-CM has in the place of the contrast of features. Computed from log-softmax.
    Gradients reach both. Raises `ValueError` for other shapes.

    >>> round(float(symmetric_divergence([[0.0, 0.0]], [[0.0, 1.0]])), 4)
    0.2311
    """
    logits, others = _alike(logits, others, name="others")
    logs, other_logs = ops.log_softmax(logits, axis=-1), ops.log_softmax(others, axis=-1)
    differences = ops.exp(logs) - ops.exp(other_logs)
    values = ops.sum(differences * (logs - other_logs), axis=-1)
    if counted is None:
        return _mean(values)
    counts = ops.cast(counted, values.dtype)
    return ops.sum(counts * values) / ops.maximum(ops.sum(counts), 1.0)


def soft_cross_entropies(logits: Tensor, targets: Tensor) -> Tensor:
    """The cross-entropy with soft targets of each row, `(N,)`."""
    logits, targets = _alike(logits, targets)
    return -ops.sum(targets * ops.log_softmax(logits, axis=-1), axis=-1)


def row_squared_errors(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean over classes of the squared error of probabilities of each row, `(N,)`."""
    logits, targets = _alike(logits, targets)
    return ops.mean(ops.square(ops.softmax(logits, axis=-1) - targets), axis=-1)


def _alike(logits: Tensor, targets: Tensor, name: str = "targets") -> list[Tensor]:
    logits, targets = raised(logits, targets)
    check_shape("logits must be (n, classes)", logits, (None, None))
    check_shape(f"{name} must be of the logits' shape {logits.shape}", targets, logits.shape)
    return [logits, targets]


def _log_softmax(logits: Tensor) -> Tensor:
    (logits,) = raised(logits)
    check_shape("logits must be (n, classes)", logits, (None, None))
    return ops.log_softmax(logits, axis=-1)


def _mean(values: Tensor) -> Tensor:
    """The mean of values `(N,)`; 0 where there are none."""
    return ops.sum(values) / ops.cast(ops.maximum(ops.shape(values)[0], 1), values.dtype)

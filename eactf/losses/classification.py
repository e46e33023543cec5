"""Losses of logits against labels, hard or soft, one number a sample."""

from __future__ import annotations

from typing import Any

from keras import ops

from eactf.losses.arguments import (
    check_number,
    check_shape,
    checked_labels,
    checked_prior,
    known_one_hot,
    raised,
)

__all__ = [
    "adjusted_logits",
    "cross_entropy",
    "generalized_cross_entropy",
    "smooth_labels",
    "weighted_mean",
]

Tensor = Any


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Softmax cross-entropy of each sample, `(N,)` (EAC, eq. 2, before the mean).

    `logits` is `(N, L)`. `labels` is `(N,)` class indices or `(N, L)` soft labels whose rows
    sum to 1. Computed in float32 from log-softmax, so that no logit overflows. A class index
    outside 0..L-1, or a fraction, has no loss: nan, where a row of noughts would train on nothing
    in silence. Raises `ValueError` for logits or labels of any other shape.
    """
    log_probabilities, labels = _log_probabilities(logits, labels)
    if len(labels.shape) == 1:
        known, hard = known_one_hot(labels, log_probabilities.shape[-1], "float32")
        return ops.where(known, -ops.sum(hard * log_probabilities, axis=-1), float("nan"))
    return -ops.sum(ops.cast(labels, "float32") * log_probabilities, axis=-1)


def adjusted_logits(logits: Tensor, prior: Tensor, tau: float = 1.0) -> Tensor:
    """The logits plus `tau` times the logarithm of the class prior, `(N, L)` float32.

    Cross-entropy of these, with the logits themselves for prediction, trains for the mean of the
    classes' recalls instead of for accuracy: a frequent class has to win by less (Menon et al.,
    "Long-tail learning via logit adjustment", ICLR 2021, eq. 10; tau = 1 is theirs, 0 leaves the
    logits as they are).

    `prior` is `(L,)`, how often each class is given as a label in training, as counts or as
    shares. A class without any has no logarithm: it is taken to be as rare as the rarest class
    that has some, so that its logit is finite and is still learnt to be low. Gradients reach the
    logits. Raises `ValueError` for other shapes, a negative tau, and a prior with negative numbers
    or of nothing but noughts, where its numbers are known.

    >>> import numpy as np
    >>> adjusted_logits(np.zeros((1, 3)), [90, 10, 0]).numpy().round(2)
    array([[-0.11, -2.3 , -2.3 ]], dtype=float32)
    """
    check_number("tau must be >= 0", tau, lambda number: number >= 0)
    logits = ops.cast(ops.convert_to_tensor(logits), "float32")
    check_shape("logits must be (n, classes)", logits, (None, None))
    prior = checked_prior(prior, logits.shape[-1], "float32")
    floor = ops.min(ops.where(prior > 0.0, prior, float("inf")))
    shares = ops.maximum(prior, floor) / ops.sum(prior)
    return logits + tau * ops.log(shares)


def weighted_mean(losses: Tensor, weights: Tensor | None = None) -> Tensor:
    """The mean of the losses `(N,)` of a batch, each times its weight, a scalar.

    `weights` is `(N,)` and is to average one over the batch; None: all count alike. The mean is
    over all N, so that a part of a batch enters the whole with its share of the samples. Raises
    `ValueError` for weights of another shape.
    """
    (losses,) = raised(losses)
    if weights is None:
        return ops.mean(losses)
    (weights,) = raised(weights)
    check_shape(f"weights must be of the losses' shape {losses.shape}", weights, losses.shape)
    return ops.mean(losses * ops.cast(weights, losses.dtype))


def generalized_cross_entropy(logits: Tensor, labels: Tensor, exponent: float = 0.7) -> Tensor:
    """Generalised cross-entropy of each sample, `(N,)`: (1 - p_label^q) / q.

    `exponent` q is in (0, 1]: towards 0 it is cross-entropy, at 1 the mean absolute error, which
    forgives wrong labels and learns slowly (Zhang and Sabuncu, NeurIPS 2018; 0.7 there). `labels`
    as in `cross_entropy`; with soft labels p is the expected probability. Computed from
    log-softmax. Raises `ValueError` for an exponent out of range and as `cross_entropy`.
    """
    check_number("exponent must be above 0 and at most 1", exponent, lambda q: 0 < q <= 1)
    labels = ops.convert_to_tensor(labels)
    if len(labels.shape) == 1:
        log_probability = -cross_entropy(logits, labels)
    else:
        logs, labels = _log_probabilities(logits, labels)
        shares = ops.log(ops.maximum(ops.cast(labels, "float32"), 1e-30))
        log_probability = ops.logsumexp(logs + shares, axis=-1)
    return -ops.expm1(exponent * log_probability) / exponent


def smooth_labels(labels: Tensor, classes: int, smoothing: float) -> Tensor:
    """Soft labels `(N, classes)`: `smoothing` of each label spread evenly over all classes.

    `labels` is `(N,)` class indices or `(N, classes)` soft labels; `smoothing` in [0, 1) (Szegedy
    et al., CVPR 2016, section 7), float32. A class index out of range gives nan, as in
    `cross_entropy`. Raises `ValueError` for labels of other shapes and a smoothing out of range.
    """
    check_number("smoothing must be in [0, 1)", smoothing, lambda share: 0 <= share < 1)
    labels = checked_labels(labels, None, classes)
    if len(labels.shape) == 1:
        known, rows = known_one_hot(labels, classes, "float32")
        labels = ops.where(known[:, None], rows, float("nan"))
    return (1.0 - smoothing) * ops.cast(labels, "float32") + smoothing / classes


def _log_probabilities(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The log-softmax of logits `(N, L)` in float32, and their labels as a tensor."""
    logits = ops.cast(ops.convert_to_tensor(logits), "float32")
    check_shape("logits must be (n, classes)", logits, (None, None))
    return ops.log_softmax(logits, axis=-1), checked_labels(labels, *logits.shape)

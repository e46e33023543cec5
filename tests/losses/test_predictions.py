"""Losses of soft targets, certainty and the mean prediction, against NumPy and central differences.

Logits are in double precision here, in which these losses stay.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numeric_slope import slope, slopes

from eactf.losses import (
    mean_squared_probability_error,
    negative_entropy,
    prior_penalty,
    soft_cross_entropy,
    symmetric_divergence,
)
from losses.examples import HARD, LOGITS, SOFT, gradients, log_softmax

PRIOR = np.array([5.0, 0.0, 1.0, 2.0, 2.0, 10.0])


def probabilities(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def negative_entropy_by_hand(logits):
    return np.mean([sum(p * np.log(p) for p in row) for row in probabilities(logits)])


def cross_entropy_by_hand(logits, targets):
    return np.mean(
        [-np.dot(t, np.log(p)) for t, p in zip(targets, probabilities(logits), strict=True)]
    )


def squared_error_by_hand(logits, targets):
    return np.square(probabilities(logits) - targets).sum() / targets.size


def divergence_by_hand(logits, others):
    p, q = probabilities(logits), probabilities(others)
    return np.mean((p * np.log(p / q) + q * np.log(q / p)).sum(axis=1))


def penalty_by_hand(logits, prior):
    prior = prior / prior.sum()
    mean = probabilities(logits).mean(axis=0)
    return sum(pi * np.log(pi / p) for pi, p in zip(prior, mean, strict=True) if pi > 0)


def test_negative_entropy_and_its_gradient_are_those_of_numpy():
    found = negative_entropy(LOGITS)
    assert found.dtype == tf.float64 and found.shape == ()
    np.testing.assert_allclose(found, negative_entropy_by_hand(LOGITS), rtol=1e-12)
    (gradient,) = gradients(negative_entropy, LOGITS)
    np.testing.assert_allclose(gradient, slope(negative_entropy_by_hand, LOGITS), atol=1e-9)


def test_negative_entropy_is_least_where_all_classes_are_alike_and_nought_where_one_is_certain():
    assert float(negative_entropy(np.zeros((3, 7)))) == pytest.approx(-np.log(7))
    certain = np.array([[1e4, 0.0, -1e4], [0.0, 0.0, 500.0]], "float32")  # p log p: no nan
    (gradient,) = gradients(negative_entropy, certain)
    assert float(negative_entropy(certain)) == 0.0
    np.testing.assert_array_equal(gradient, 0.0)


@pytest.mark.parametrize(
    "loss, by_hand",
    [
        (soft_cross_entropy, cross_entropy_by_hand),
        (mean_squared_probability_error, squared_error_by_hand),
        (symmetric_divergence, divergence_by_hand),
    ],
)
def test_losses_of_soft_targets_and_their_gradients_are_those_of_numpy(loss, by_hand):
    np.testing.assert_allclose(loss(LOGITS, SOFT), by_hand(LOGITS, SOFT), rtol=1e-12)
    expected = slopes(lambda arrays: by_hand(*arrays), [LOGITS, SOFT])
    for found, numeric in zip(gradients(loss, LOGITS, SOFT), expected, strict=True):
        np.testing.assert_allclose(found, numeric, atol=1e-9)


def test_the_squared_error_is_a_mean_over_classes_too():
    wrong = [[100.0, 0.0, 0.0, 0.0]] * 3
    error = mean_squared_probability_error(wrong, np.eye(4)[[1, 2, 3]])
    assert float(error) == pytest.approx(2 / 4)


def test_cross_entropy_of_targets_survives_logits_that_overflow_exp():
    logits = np.array([[1e4, -1e4], [0.0, 1e4]], "float32")
    assert float(soft_cross_entropy(logits, [[1.0, 0.0], [0.5, 0.5]])) == pytest.approx(2500.0)


@pytest.mark.parametrize("prior", [None, PRIOR, PRIOR / 20], ids=["uniform", "counts", "shares"])
def test_the_prior_penalty_and_its_gradient_are_those_of_numpy(prior):
    known = np.ones(6) if prior is None else prior
    found = prior_penalty(LOGITS, prior)
    np.testing.assert_allclose(found, penalty_by_hand(LOGITS, known), rtol=1e-12)
    (gradient,) = gradients(lambda logits: prior_penalty(logits, prior), LOGITS)
    numeric = slope(lambda logits: penalty_by_hand(logits, known), LOGITS)
    np.testing.assert_allclose(gradient, numeric, atol=1e-9)


def test_the_prior_penalty_asks_for_the_mean_alone():
    """A batch of undecided predictions and one of balanced certain ones cost the same: nothing."""
    for logits in (np.zeros((6, 6)), 100 * np.eye(6)):
        assert float(prior_penalty(logits)) == pytest.approx(0.0, abs=1e-12)
    collapsed = np.tile([300.0, 0.0, 0.0], (4, 1)).astype("float32")
    expected = np.log(1 / 3) + 200.0  # the other classes' mean underflows: its logarithm does not
    assert float(prior_penalty(collapsed)) == pytest.approx(expected, rel=1e-5)
    (gradient,) = gradients(prior_penalty, collapsed)
    assert np.isfinite(gradient).all() and (gradient[:, 0] > 0).all()


def test_the_prior_penalty_is_nought_where_the_mean_is_the_prior():
    shares = (PRIOR + 1) / (PRIOR + 1).sum()
    assert float(prior_penalty(np.log([shares] * 3), PRIOR + 1)) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("prior", [[1, 2], np.ones((6, 1)), np.ones(5, "float32")])
def test_a_prior_of_another_shape_is_refused(prior):
    with pytest.raises(ValueError, match=r"prior must be \(6,\); received shape"):
        prior_penalty(LOGITS, prior)


@pytest.mark.parametrize("prior", [np.zeros(6), -PRIOR, [np.nan, 1, 1, 1, 1, 1]])
def test_a_prior_that_is_none_is_refused(prior):
    with pytest.raises(ValueError, match="prior must be of numbers >= 0, not all 0"):
        prior_penalty(LOGITS, prior)


@pytest.mark.parametrize("loss", [negative_entropy, prior_penalty])
@pytest.mark.parametrize("shape", [(6,), (4, 1, 6), ()])
def test_logits_of_another_shape_are_refused(loss, shape):
    with pytest.raises(ValueError, match=r"logits must be \(n, classes\); received shape"):
        loss(np.zeros(shape))


@pytest.mark.parametrize("loss", [soft_cross_entropy, mean_squared_probability_error])
def test_targets_of_another_shape_than_the_logits_are_refused(loss):
    for targets in (HARD, SOFT[:1], SOFT[:, :1], SOFT[None]):
        with pytest.raises(ValueError, match=r"targets must be of the logits' shape \(4, 6\)"):
            loss(LOGITS, targets)
    with pytest.raises(ValueError, match="logits must be"):
        loss(LOGITS[0], SOFT[0])


def test_no_rows_cost_nothing():
    none = np.zeros((0, 6))
    for loss in (negative_entropy, prior_penalty):
        assert float(loss(none)) == 0.0
    for loss in (soft_cross_entropy, mean_squared_probability_error, symmetric_divergence):
        assert float(loss(none, none)) == 0.0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_types_are_computed_in_float32(dtype):
    logits, targets = tf.cast(LOGITS, dtype), tf.cast(SOFT, dtype)
    exact = log_softmax(tf.cast(logits, tf.float64).numpy())
    rows = tf.cast(targets, tf.float64).numpy()
    found = soft_cross_entropy(logits, targets)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, -(rows * exact).sum(axis=1).mean(), rtol=1e-5)


def test_rows_that_do_not_count_leave_the_divergence_alone():
    others, counted = LOGITS[::-1].copy(), np.array([True, False, True, True])
    found = symmetric_divergence(LOGITS, others, counted)
    np.testing.assert_allclose(found, divergence_by_hand(LOGITS[counted], others[counted]))
    assert float(symmetric_divergence(LOGITS, others, counted & False)) == 0.0

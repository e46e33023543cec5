"""RUL's mixtures by relative uncertainty, and the loss of a mixture's two labels."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numeric_slope import slope

from eactf.losses import add_up_loss, mix_by_uncertainty
from losses.examples import (
    HARD,
    LOG_VARIANCE,
    LOGITS,
    MU,
    PAIRS,
    PERMUTATION,
    gradients,
    log_softmax,
)

RNG = np.random.default_rng(0)


def mixed_by_hand(mu, log_variance):
    uncertainty = np.exp(log_variance).mean(axis=1)
    weight = uncertainty / (uncertainty + uncertainty[PERMUTATION])
    return weight[:, None] * mu + (1 - weight[:, None]) * mu[PERMUTATION], weight


def test_the_more_uncertain_sample_weighs_more_in_the_mixture():
    mixed, weight = mix_by_uncertainty(MU, LOG_VARIANCE, PERMUTATION)
    expected, expected_weight = mixed_by_hand(MU, LOG_VARIANCE)
    np.testing.assert_allclose(mixed, expected, rtol=1e-5)
    np.testing.assert_allclose(weight, expected_weight, rtol=1e-5)
    assert float(weight[2]) == pytest.approx(0.5)  # mixed with itself


def test_the_gradient_of_the_mixture_reaches_features_and_uncertainty():
    target = RNG.normal(size=MU.shape)

    def loss(mu, log_variance):
        mixed, _ = mix_by_uncertainty(mu, log_variance, PERMUTATION)
        return tf.reduce_sum(mixed * target)

    def by_hand(mu, log_variance):
        return np.sum(mixed_by_hand(mu, log_variance)[0] * target)

    to_mu, to_variance = gradients(loss, MU, LOG_VARIANCE)
    by_mu = slope(lambda mu: by_hand(mu, LOG_VARIANCE), MU)
    by_variance = slope(lambda v: by_hand(MU, v), LOG_VARIANCE)
    np.testing.assert_allclose(to_mu, by_mu, atol=1e-6)
    np.testing.assert_allclose(to_variance, by_variance, atol=1e-6)


def test_uncertainties_that_overflow_exp_still_mix():
    log_variance = np.full((2, 3), 500.0, "float32")
    _, weight = mix_by_uncertainty(MU[:2, :3].astype("float32"), log_variance, np.array([1, 0]))
    np.testing.assert_allclose(weight, [0.5, 0.5])


@pytest.mark.parametrize("first, second, expected", PAIRS)
def test_features_and_uncertainties_of_two_types_mix_in_the_wider_one(first, second, expected):
    mu, log_variance = tf.cast(4 * MU, first), tf.cast(4 * LOG_VARIANCE, second)
    exact = mixed_by_hand(*(tf.cast(x, tf.float64).numpy() for x in (mu, log_variance)))
    for found, value in zip(mix_by_uncertainty(mu, log_variance, PERMUTATION), exact, strict=True):
        assert found.dtype == expected
        np.testing.assert_allclose(found, value, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_features_of_half_types_mix_in_float32(dtype):
    mu, log_variance = tf.cast(MU, dtype), tf.cast(LOG_VARIANCE, dtype)
    exact = mixed_by_hand(*(tf.cast(x, tf.float64).numpy() for x in (mu, log_variance)))
    for found, value in zip(mix_by_uncertainty(mu, log_variance, PERMUTATION), exact, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint16", "uint32", "uint64", "int64"])
def test_a_permutation_may_be_of_any_integer_type(dtype):
    mixed, _ = mix_by_uncertainty(MU, LOG_VARIANCE, PERMUTATION.astype(dtype))
    np.testing.assert_allclose(mixed, mixed_by_hand(MU, LOG_VARIANCE)[0], rtol=1e-5)
    mixed, _ = mix_by_uncertainty(MU.tolist(), LOG_VARIANCE.tolist(), PERMUTATION.tolist())
    np.testing.assert_allclose(mixed, mixed_by_hand(MU, LOG_VARIANCE)[0], rtol=1e-4)


def test_what_cannot_be_mixed_is_refused():
    for permutation in (PERMUTATION[:4], PERMUTATION[:, None], 0):
        with pytest.raises(ValueError, match="permutation must be of shape \\(5,\\)"):
            mix_by_uncertainty(MU, LOG_VARIANCE, permutation)
    with pytest.raises(ValueError, match="permutation must be of integers; received float64"):
        mix_by_uncertainty(MU, LOG_VARIANCE, PERMUTATION + 0.5)
    with pytest.raises(ValueError, match="log_variance must be of mu's shape"):
        mix_by_uncertainty(MU, LOG_VARIANCE[:, :1], PERMUTATION)
    with pytest.raises(ValueError, match="mu must be"):
        mix_by_uncertainty(MU[0], LOG_VARIANCE[0], PERMUTATION)


def test_the_add_up_loss_is_half_of_each_labels_cross_entropy():
    other = np.array([1, 1, 4, 0])
    logs = log_softmax(LOGITS)
    expected = -0.5 * np.mean([logs[i, HARD[i]] + logs[i, other[i]] for i in range(4)])
    assert float(add_up_loss(LOGITS, HARD, other)) == pytest.approx(expected, rel=1e-5)

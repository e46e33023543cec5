"""The concordance of a batch against NumPy, its gradient by central differences."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numeric_slope import slopes

from eactf import metrics
from eactf.losses import concordance
from losses.examples import gradients

RNG = np.random.default_rng(3)
GIVEN = RNG.uniform(-1, 1, (8, 2))
PREDICTED = 0.7 * GIVEN + RNG.normal(0.1, 0.3, (8, 2))


def by_numpy(predicted, given):
    """Covariance over N, variances over N - 1."""
    covariance = ((predicted - predicted.mean(0)) * (given - given.mean(0))).mean(0)
    variances = predicted.var(0, ddof=1) + given.var(0, ddof=1)
    return 2 * covariance / (variances + (predicted.mean(0) - given.mean(0)) ** 2)


def test_each_columns_concordance_and_its_gradients_are_those_of_numpy():
    found = concordance(PREDICTED, GIVEN)
    assert found.shape == (2,) and found.dtype == tf.float64
    np.testing.assert_allclose(found, by_numpy(PREDICTED, GIVEN), rtol=1e-12)
    alone = concordance(PREDICTED[:, 0], GIVEN[:, 0])
    assert alone.shape == () and float(alone) == pytest.approx(float(found[0]), rel=1e-12)
    taped = gradients(lambda p, g: tf.reduce_sum(concordance(p, g)), PREDICTED, GIVEN)
    numeric = slopes(lambda arrays: by_numpy(*arrays).sum(), [PREDICTED, GIVEN])
    for gradient, expected in zip(taped, numeric, strict=True):
        np.testing.assert_allclose(gradient, expected, atol=1e-8)


def test_a_perfect_batch_falls_an_nth_short_of_the_measure_itself():
    np.testing.assert_allclose(concordance(GIVEN, GIVEN), 7 / 8, rtol=1e-12)
    np.testing.assert_allclose(metrics.concordance(GIVEN, GIVEN), 1.0, rtol=1e-12)
    many = np.random.default_rng(0).normal(size=(2, 4000))
    batch, whole = concordance(*many), metrics.concordance(*many)
    assert float(batch) == pytest.approx(whole, abs=1e-4)


@pytest.mark.parametrize("given", [[0.3, 0.3, 0.3], [0.3], []], ids=["constant", "one", "none"])
def test_what_never_varies_costs_nothing_and_moves_nothing(given):
    given = np.array(given, "float32")
    assert float(concordance(given, given)) == 0.0
    for gradient in gradients(concordance, given, given):
        np.testing.assert_array_equal(gradient, np.zeros_like(given))


def test_half_types_are_computed_in_float32():
    halves = [array.astype("float16") for array in (PREDICTED, GIVEN)]
    found = concordance(*halves)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, by_numpy(*(h.astype("float64") for h in halves)), rtol=1e-5)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"predicted must be \(n,\) or \(n, columns\)"):
        concordance(np.zeros((2, 2, 2)), np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match=r"given must be of predicted's shape \(8, 2\)"):
        concordance(PREDICTED, GIVEN[:, 0])

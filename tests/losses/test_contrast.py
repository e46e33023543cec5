"""The contrast of two views, row by row in NumPy, its gradient by central differences."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numeric_slope import slope

from eactf.losses import two_view_contrastive
from losses.examples import gradients

RAW = np.random.default_rng(0).normal(size=(5, 2, 8))
FEATURES = RAW / np.linalg.norm(RAW, axis=-1, keepdims=True)


def by_hand(features, temperature=0.07):
    """Each of the 2N views knows its partner among all rows but itself."""
    count = len(features)
    rows = [(i, view) for i in range(count) for view in (0, 1)]
    costs = []
    for i, view in rows:
        scores = {
            (j, other): features[i, view] @ features[j, other] / temperature
            for j, other in rows
            if (j, other) != (i, view)
        }
        largest = max(scores.values())
        among = largest + np.log(sum(np.exp(score - largest) for score in scores.values()))
        costs.append(among - scores[i, 1 - view])
    return np.mean(costs)


@pytest.mark.parametrize("temperature", [0.07, 0.5, 1.0])
def test_the_contrast_and_its_gradient_are_those_of_numpy(temperature):
    found = two_view_contrastive(FEATURES, temperature)
    assert found.shape == () and found.dtype == tf.float64
    np.testing.assert_allclose(found, by_hand(FEATURES, temperature), rtol=1e-12)
    (gradient,) = gradients(lambda f: two_view_contrastive(f, temperature), FEATURES)
    numeric = slope(lambda f: by_hand(f, temperature), FEATURES)
    np.testing.assert_allclose(gradient, numeric, atol=1e-7)


def test_the_default_temperature_is_that_of_ada_cm():
    assert float(two_view_contrastive(FEATURES)) == float(two_view_contrastive(FEATURES, 0.07))


@pytest.mark.parametrize("count", [0, 1])
def test_no_image_and_one_image_have_no_rivals(count):
    features = FEATURES[:count].astype("float32")
    assert float(two_view_contrastive(features)) == 0.0
    (gradient,) = gradients(two_view_contrastive, features)
    np.testing.assert_array_equal(gradient, np.zeros_like(features))


def test_equal_views_of_different_images_cost_less_than_mixed_up_ones():
    apart = np.repeat(np.eye(4)[:, None], 2, axis=1)
    mixed_up = np.stack([np.eye(4), np.roll(np.eye(4), 1, axis=0)], axis=1)
    assert float(two_view_contrastive(apart)) == pytest.approx(0.0, abs=1e-5)
    assert float(two_view_contrastive(mixed_up)) > 10


def test_the_order_of_images_and_of_views_does_not_matter():
    expected = float(two_view_contrastive(FEATURES))
    assert float(two_view_contrastive(FEATURES[::-1].copy())) == pytest.approx(expected)
    assert float(two_view_contrastive(FEATURES[:, ::-1].copy())) == pytest.approx(expected)


def test_what_cannot_be_contrasted_is_refused():
    for shape in ((4, 8), (4, 1, 8), (4, 3, 8), (4, 2, 2, 8)):
        with pytest.raises(ValueError, match=r"features must be \(n, 2, size\), two views"):
            two_view_contrastive(np.zeros(shape))
    for temperature in (0, -0.1, float("nan")):
        with pytest.raises(ValueError, match="temperature must be above 0; received"):
            two_view_contrastive(FEATURES, temperature)


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("left_out", [(), (0, 3), (0, 1, 2, 4), (0, 1, 2, 3, 4)], ids=str)
def test_images_that_do_not_count_are_as_if_they_were_not_there(left_out, compiled):
    counted = ~np.isin(np.arange(5), left_out)

    @tf.function(jit_compile=compiled)
    def cost_and_gradient(features, counted):
        with tf.GradientTape() as tape:
            tape.watch(features)
            cost = two_view_contrastive(features, 0.5, counted)
        return cost, tape.gradient(cost, features)

    cost, gradient = cost_and_gradient(tf.constant(FEATURES), tf.constant(counted))
    few = FEATURES[counted]
    np.testing.assert_allclose(cost, two_view_contrastive(few, 0.5), atol=1e-12)
    (expected,) = gradients(lambda f: two_view_contrastive(f, 0.5), few)
    np.testing.assert_allclose(gradient.numpy()[counted], expected, atol=1e-9)
    np.testing.assert_array_equal(gradient.numpy()[~counted], 0.0)

"""The losses of encoder, decoder and discriminator against NumPy, gradients by differences."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numeric_slope import slopes

from eactf.losses import discriminator_hinge, encoder_decoder_score
from losses.examples import gradients

RNG = np.random.default_rng(5)
ENCODED = RNG.normal(0.5, 1.5, (6, 5))
DECODED = RNG.normal(-0.5, 1.5, (6, 5))
WEIGHTS = np.array([1.0, 0.5, 2.0, 0.0, 3.0])


def hinge_by_numpy(encoded, decoded, weights):
    real = [max(0.0, 1 - w * s) for row in encoded for w, s in zip(weights, row, strict=True)]
    made = [max(0.0, 1 + w * s) for row in decoded for w, s in zip(weights, row, strict=True)]
    return sum(real) / len(real) + sum(made) / len(made)


def score_by_numpy(encoded, decoded, weights):
    return (encoded @ weights).mean() / len(weights) - (decoded @ weights).mean() / len(weights)


CASES = [(discriminator_hinge, hinge_by_numpy), (encoder_decoder_score, score_by_numpy)]


@pytest.mark.parametrize("loss, by_numpy", CASES)
def test_losses_and_gradients_are_those_of_numpy(loss, by_numpy):
    arrays = [ENCODED, DECODED, WEIGHTS]
    found = loss(*arrays)
    assert found.shape == () and found.dtype == tf.float64
    assert float(found) == pytest.approx(by_numpy(*arrays), rel=1e-12)
    numeric = slopes(lambda given: by_numpy(*given), arrays)
    for gradient, expected in zip(gradients(loss, *arrays), numeric, strict=True):
        np.testing.assert_allclose(gradient, expected, atol=1e-8)


@pytest.mark.parametrize("loss, by_numpy", CASES)
def test_every_weight_is_one_unless_given(loss, by_numpy):
    expected = by_numpy(ENCODED, DECODED, np.ones(5))
    assert float(loss(ENCODED, DECODED)) == pytest.approx(expected, rel=1e-12)


def test_the_encoder_and_the_decoder_want_the_opposite_of_the_discriminator():
    near = [np.full((2, 5), 0.5), np.full((2, 5), -0.5)]
    of_encoded, of_decoded = gradients(discriminator_hinge, *near)
    assert (of_encoded < 0).all() and (of_decoded > 0).all()
    np.testing.assert_allclose(gradients(encoder_decoder_score, *near)[0], -of_encoded)
    np.testing.assert_allclose(gradients(encoder_decoder_score, *near)[1], -of_decoded)


def test_no_score_costs_two_and_scores_beyond_the_margin_nothing():
    assert float(discriminator_hinge(np.zeros((3, 5)), np.zeros((3, 5)))) == 2.0
    assert float(discriminator_hinge(np.full((3, 5), 1.5), np.full((3, 5), -1.0))) == 0.0
    assert float(discriminator_hinge(np.zeros((0, 5)), np.zeros((0, 5)))) == 0.0


def test_scores_may_be_of_different_numbers_of_tuples_but_not_of_scores():
    assert float(encoder_decoder_score(np.ones((2, 3)), np.ones((5, 3)))) == 0.0
    with pytest.raises(ValueError, match=r"encoder_scores must be \(n, scores\)"):
        encoder_decoder_score(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match=r"decoder_scores must be \(n, 3\)"):
        discriminator_hinge(np.ones((2, 3)), np.ones((2, 1)))
    with pytest.raises(ValueError, match=r"weights must be \(3,\)"):
        discriminator_hinge(np.ones((2, 3)), np.ones((2, 3)), [1.0])

"""Guesses of two weak views, and what sure and unsure images cost."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from eactf.methods.margin_terms import guess, sure_cross_entropy, unsure_term

LOGITS = np.log([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4]]).astype("float32")
OTHERS = np.log([[0.7, 0.3], [0.5, 0.5], [0.2, 0.8]]).astype("float32")


def test_a_guess_is_of_the_mean_prediction_and_sure_from_the_margin_of_its_class_on():
    found = guess(LOGITS, OTHERS, np.array([0.8, 0.6], "float32") - 1e-6)
    np.testing.assert_array_equal(found.classes, [0, 1, 1])
    np.testing.assert_allclose(found.confidence, [0.8, 0.6, 0.6], rtol=1e-5)
    np.testing.assert_array_equal(found.is_sure, [True, True, True])
    above = guess(LOGITS, OTHERS, np.array([0.5, 0.65], "float32"))
    np.testing.assert_array_equal(above.is_sure, [True, False, False])


def test_sure_images_are_divided_by_all_and_guesses_get_no_gradient():
    weak, strong = tf.constant(LOGITS), tf.constant(OTHERS)
    with tf.GradientTape() as tape:
        tape.watch([weak, strong])
        found = guess(weak, weak, np.array([0.8, 0.8], "float32"))
        cost = sure_cross_entropy(strong, found)
    assert float(cost) == pytest.approx(-np.log(0.7) / 3, rel=1e-5)
    of_weak, of_strong = tape.gradient(cost, [weak, strong])
    assert of_weak is None
    np.testing.assert_allclose(of_strong, [[-0.1, 0.1], [0, 0], [0, 0]], atol=1e-6)


@pytest.mark.parametrize("kind", ["contrastive", "kl"])
def test_unsure_images_are_told_apart_and_sure_ones_left_out(kind):
    pairs = tf.math.l2_normalize(np.random.default_rng(0).normal(size=(5, 2, 4)), axis=-1)
    is_sure = np.array([False, True, False, False, True])
    cost = unsure_term(kind, pairs, is_sure, 0.5)
    few = tf.gather(pairs, [0, 2, 3])
    assert float(cost) == pytest.approx(float(unsure_term(kind, few, is_sure[:3] & False, 0.5)))
    assert float(cost) > 0.0
    with tf.GradientTape() as tape:
        tape.watch(pairs)
        cost = unsure_term(kind, pairs, np.ones(5, bool), 0.5)
    assert float(cost) == 0.0
    assert not np.any(tape.gradient(cost, pairs))

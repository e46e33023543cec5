"""Cross-entropy of hard and soft labels, value by value, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from eactf.losses import cross_entropy, generalized_cross_entropy, smooth_labels
from losses.examples import HARD, INDEX_TYPES, LOGITS, SOFT, gradients, log_softmax


@pytest.mark.parametrize("labels", [HARD, SOFT], ids=["hard", "soft"])
def test_cross_entropy_is_each_samples_own_and_its_gradient_is_softmax_less_label(labels):
    rows = np.eye(6)[labels] if labels.ndim == 1 else labels
    expected = [-sum(row * log) for row, log in zip(rows, log_softmax(LOGITS), strict=True)]
    np.testing.assert_allclose(cross_entropy(LOGITS, labels), expected, rtol=1e-5)
    (gradient,) = gradients(lambda z: cross_entropy(z, labels), LOGITS)
    np.testing.assert_allclose(gradient, np.exp(log_softmax(LOGITS)) - rows, atol=1e-6)


def test_cross_entropy_survives_logits_that_overflow_exp():
    logits = np.array([[1e4, -1e4, 0.0], [0.0, 1e4, 0.0]], "float32")
    np.testing.assert_allclose(cross_entropy(logits, np.array([0, 0])), [0.0, 1e4], rtol=1e-6)


def test_cross_entropy_of_half_precision_logits_is_computed_in_float32():
    logits = tf.cast(LOGITS, tf.bfloat16)
    loss = cross_entropy(logits, HARD)
    assert loss.dtype == tf.float32
    expected = -log_softmax(tf.cast(logits, tf.float64).numpy())[np.arange(4), HARD]
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_cross_entropy_of_a_label_outside_the_classes_is_not_a_number():
    loss = cross_entropy(LOGITS, np.array([6, -1, 0, 5])).numpy()
    assert np.isnan(loss).tolist() == [True, True, False, False]


@pytest.mark.parametrize("loss", [cross_entropy, generalized_cross_entropy])
@pytest.mark.parametrize("shape", [(4, 1), (4, 5), (4, 6, 1), (1,), (3,), (1, 6), (3, 6), ()])
def test_cross_entropies_refuse_labels_of_another_shape(loss, shape):
    with pytest.raises(ValueError, match="soft labels, n = 4; received shape"):
        loss(LOGITS, np.zeros(shape))


@pytest.mark.parametrize("shape", [(6,), (4, 1, 6)])
def test_cross_entropy_refuses_logits_of_another_shape(shape):
    with pytest.raises(ValueError, match="logits must be \\(n, classes\\); received shape"):
        cross_entropy(np.zeros(shape), np.zeros(shape[:1]))


@pytest.mark.parametrize("dtype", INDEX_TYPES)
def test_class_indices_are_taken_in_any_type(dtype):
    labels = np.array([0, 1, 1, 0])
    wide = np.tile(LOGITS, 60)  # more classes than an 8-bit index can tell
    expected = -log_softmax(wide)[np.arange(4), labels]
    for given in (labels.astype(dtype), tf.cast(labels, dtype)):
        np.testing.assert_allclose(cross_entropy(wide, given), expected, rtol=1e-5)
        np.testing.assert_array_equal(smooth_labels(given, 300, 0.0), np.eye(300)[labels])


@pytest.mark.parametrize("labels", [HARD, SOFT], ids=["hard", "soft"])
def test_losses_of_lists_are_those_of_arrays(labels):
    lists = LOGITS.tolist(), labels.tolist()
    for loss in (cross_entropy, generalized_cross_entropy):
        np.testing.assert_allclose(loss(*lists), loss(LOGITS, labels), rtol=1e-5)
    smoothed = smooth_labels(lists[1], 6, 0.1)
    np.testing.assert_allclose(smoothed, smooth_labels(labels, 6, 0.1), rtol=1e-6)


def test_a_fraction_is_no_class():
    assert np.isnan(cross_entropy(LOGITS, np.array([1.5, -0.5, np.nan, np.inf]))).all()

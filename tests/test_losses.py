"""The losses against NumPy, values and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from eactf.losses import class_activation_maps, cross_entropy, flip_consistency, map_spread

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(2, 4, 5, 3))
KERNEL = RNG.normal(size=(3, 6))
CAM = RNG.normal(size=(2, 4, 5, 6))
MIRRORED = RNG.normal(size=(2, 4, 5, 6))
LOGITS = RNG.normal(size=(4, 6)) * 3
HARD = np.array([0, 5, 2, 2])
SOFT = RNG.dirichlet(np.ones(6), 4)


def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def gradients(loss, *arguments):
    tensors = [tf.constant(argument) for argument in arguments]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = loss(*tensors)
    return [gradient.numpy() for gradient in tape.gradient(value, tensors)]


def finite_difference(loss, array, step=1e-5):
    gradient = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        ahead, behind = array.copy(), array.copy()
        ahead[place] += step
        behind[place] -= step
        gradient[place] = (float(loss(ahead)) - float(loss(behind))) / (2 * step)
    return gradient


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


@pytest.mark.parametrize("shape", [(4, 1), (4, 5), (4, 6, 1)])
def test_cross_entropy_refuses_labels_of_another_shape(shape):
    with pytest.raises(ValueError, match="soft labels; received shape"):
        cross_entropy(LOGITS, np.zeros(shape))


def test_maps_are_the_sum_over_channels_of_every_position():
    expected = np.zeros((2, 4, 5, 6))
    for n, h, w, j in np.ndindex(expected.shape):
        expected[n, h, w, j] = sum(FEATURES[n, h, w, c] * KERNEL[c, j] for c in range(3))
    np.testing.assert_allclose(class_activation_maps(FEATURES, KERNEL), expected, rtol=1e-12)


def test_logits_are_the_mean_of_the_maps_and_the_bias():
    bias = RNG.normal(size=6)
    maps = class_activation_maps(FEATURES, KERNEL).numpy()
    logits = FEATURES.mean(axis=(1, 2)) @ KERNEL + bias
    np.testing.assert_allclose(maps.mean(axis=(1, 2)) + bias, logits, rtol=1e-12)


def test_gradients_of_the_maps_reach_features_and_kernel():
    upstream = RNG.normal(size=CAM.shape)
    of_features, of_kernel = gradients(
        lambda f, k: tf.reduce_sum(class_activation_maps(f, k) * upstream), FEATURES, KERNEL
    )
    np.testing.assert_allclose(of_features, np.einsum("nhwl,cl->nhwc", upstream, KERNEL))
    np.testing.assert_allclose(of_kernel, np.einsum("nhwl,nhwc->cl", upstream, FEATURES))


def test_maps_never_hold_every_pair_of_channel_and_class():
    function = tf.function(class_activation_maps).get_concrete_function(
        tf.TensorSpec((None, 7, 7, 32)), tf.TensorSpec((32, 11))
    )
    shapes = [out.shape for op in function.graph.get_operations() for out in op.outputs]
    assert all(shape.rank is None or shape.rank <= 4 for shape in shapes)


def test_consistency_is_the_mean_over_all_four_axes_of_the_flipped_back_difference():
    total = 0.0
    for n, h, w, j in np.ndindex(CAM.shape):
        total += (CAM[n, h, w, j] - MIRRORED[n, h, CAM.shape[2] - 1 - w, j]) ** 2
    np.testing.assert_allclose(flip_consistency(CAM, MIRRORED), total / CAM.size, rtol=1e-12)


def test_consistency_is_nought_for_exact_mirrors_and_not_for_equal_maps():
    assert float(flip_consistency(CAM, CAM[:, :, ::-1])) == 0.0
    assert float(flip_consistency(CAM, CAM)) > 0.1
    assert float(flip_consistency(CAM, CAM[:, ::-1])) > 0.1


def test_the_gradient_of_the_consistency_reaches_both_maps():
    difference = CAM - MIRRORED[:, :, ::-1]
    of_cam, of_mirrored = gradients(flip_consistency, CAM, MIRRORED)
    np.testing.assert_allclose(of_cam, 2 * difference / CAM.size, rtol=1e-12)
    np.testing.assert_allclose(of_mirrored, -2 * difference[:, :, ::-1] / CAM.size, rtol=1e-12)
    np.testing.assert_allclose(
        of_mirrored, finite_difference(lambda m: flip_consistency(CAM, m), MIRRORED), atol=1e-8
    )


def test_the_consistency_reaches_the_features_of_both_views_by_its_closed_formula():
    second = RNG.normal(size=FEATURES.shape)

    def loss(first, mirrored):
        return flip_consistency(
            class_activation_maps(first, KERNEL), class_activation_maps(mirrored, KERNEL)
        )

    difference = FEATURES @ KERNEL - (second @ KERNEL)[:, :, ::-1]
    of_first, of_second = gradients(loss, FEATURES, second)
    np.testing.assert_allclose(of_first, 2 / CAM.size * difference @ KERNEL.T)
    np.testing.assert_allclose(of_second, -2 / CAM.size * difference[:, :, ::-1] @ KERNEL.T)


def test_the_spread_is_the_mean_deviation_over_positions_and_nought_for_flat_maps():
    np.testing.assert_allclose(map_spread(CAM), CAM.std(axis=(1, 2)).mean(), rtol=1e-10)
    flat = np.broadcast_to(RNG.normal(size=(2, 1, 1, 6)), CAM.shape)
    np.testing.assert_allclose(map_spread(flat), 0.0, atol=1e-12)

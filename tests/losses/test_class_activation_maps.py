"""Class activation maps and their spread against sums by hand."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from eactf.losses import class_activation_maps, map_spread
from losses.examples import CAM, FEATURES, KERNEL, gradients

RNG = np.random.default_rng(0)


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


def test_maps_of_other_channels_than_the_kernels_are_refused():
    with pytest.raises(ValueError, match="width, 3\\) for this kernel; received shape"):
        class_activation_maps(FEATURES[..., :2], KERNEL)
    with pytest.raises(ValueError, match="kernel must be"):
        class_activation_maps(FEATURES, KERNEL[0])


def test_the_spread_is_the_mean_deviation_over_positions_and_nought_for_flat_maps():
    np.testing.assert_allclose(map_spread(CAM), CAM.std(axis=(1, 2)).mean(), rtol=1e-10)
    flat = np.broadcast_to(RNG.normal(size=(2, 1, 1, 6)), CAM.shape)
    np.testing.assert_allclose(map_spread(flat), 0.0, atol=1e-12)


def test_the_spread_is_of_maps_of_four_axes():
    with pytest.raises(ValueError, match="cam must be"):
        map_spread(CAM[0])

"""The consistency of maps with those of the mirrored and of the smaller image."""

from __future__ import annotations

import numpy as np
import pytest
from numeric_slope import slope

from eactf.losses import class_activation_maps, flip_consistency, scale_consistency
from losses.examples import CAM, FEATURES, KERNEL, MIRRORED, gradients

RNG = np.random.default_rng(0)


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
        of_mirrored, slope(lambda m: flip_consistency(CAM, m), MIRRORED), atol=1e-8
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


def test_scale_consistency_compares_positions_at_the_least_common_size():
    small = RNG.normal(size=(2, 2, 2, 6))
    large = RNG.normal(size=(2, 3, 3, 6))
    expected = np.mean(
        (large.repeat(2, axis=1).repeat(2, axis=2) - small.repeat(3, axis=1).repeat(3, axis=2)) ** 2
    )
    assert float(scale_consistency(large, small)) == pytest.approx(expected)
    assert float(scale_consistency(large, large)) == 0.0


@pytest.mark.parametrize("shape", [(1, 4, 5, 6), (2, 4, 5, 1), (2, 4, 5), (2, 4, 1, 6)])
def test_maps_are_not_broadcast(shape):
    with pytest.raises(ValueError, match="mirrored_cam must be of cam's shape"):
        flip_consistency(CAM, np.zeros(shape))
    with pytest.raises(ValueError, match="cam must be"):
        flip_consistency(np.zeros((4, 5, 6)), np.zeros(shape))


@pytest.mark.parametrize("shape", [(1, 2, 5, 6), (2, 2, 5, 1), (2, 2, 5)])
def test_maps_of_two_sizes_are_of_the_same_images_and_classes(shape):
    with pytest.raises(ValueError, match="the images and classes of cam"):
        scale_consistency(CAM, np.zeros(shape))

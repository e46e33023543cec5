"""Sharpened, refined and guessed targets, and mixtures of rows, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numeric_slope import slope

from eactf.losses import guessed_targets, mixed, refined_targets, sharpen
from losses.examples import CAM, HARD, PERMUTATION, SOFT, gradients

OTHERS = np.random.default_rng(1).dirichlet(np.ones(6), (3, 4))
ONE_HOT = np.eye(6)[HARD]
CLEAN = np.array([0.0, 1.0, 0.3, 0.9])


def sharpened(rows, temperature):
    powers = rows ** (1 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 0.1, 2.0])
def test_sharpening_and_its_gradient_are_those_of_numpy(temperature):
    found = sharpen(SOFT, temperature)
    np.testing.assert_allclose(found, sharpened(SOFT, temperature), rtol=1e-12)
    weights = np.random.default_rng(2).normal(size=SOFT.shape)
    (gradient,) = gradients(lambda p: tf.reduce_sum(sharpen(p, temperature) * weights), SOFT)
    numeric = slope(lambda p: (sharpened(p, temperature) * weights).sum(), SOFT)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-6)


def test_sharpening_leaves_certainty_and_indifference_and_makes_the_rest_more_certain():
    rows = np.array([[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.3, 0.2]])
    found = sharpen(rows, 0.5).numpy()
    np.testing.assert_allclose(found[:2], rows[:2], rtol=1e-12)
    assert found[2, 0] > 0.5 and found[2, 2] < 0.2
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_sharpening_survives_powers_that_underflow():
    rows = np.array([[0.3, 0.3, 0.4], [0.0, 1.0, 0.0]], "float32")
    np.testing.assert_allclose(sharpen(rows, 0.001), [[0, 0, 1], [0, 1, 0]], atol=1e-6)
    (gradient,) = gradients(lambda p: sharpen(p, 0.5)[:, 0], rows)
    assert np.isfinite(gradient).all()
    assert np.isnan(sharpen(np.zeros((1, 3)), 0.5)).all()  # no distribution


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan")])
def test_a_temperature_that_is_not_above_nought_is_refused(temperature):
    functions = (
        lambda: sharpen(SOFT, temperature),
        lambda: guessed_targets([SOFT], temperature),
        lambda: refined_targets(ONE_HOT, CLEAN, SOFT, temperature),
    )
    for function in functions:
        with pytest.raises(ValueError, match="temperature must be above 0; received"):
            function()


def test_refined_targets_hold_to_the_given_label_as_far_as_it_is_clean():
    found = refined_targets(ONE_HOT, CLEAN, SOFT, 0.5).numpy()
    blended = np.stack([w * y + (1 - w) * p for w, y, p in zip(CLEAN, ONE_HOT, SOFT, strict=True)])
    np.testing.assert_allclose(found, sharpened(blended, 0.5), rtol=1e-12)
    np.testing.assert_array_equal(found[1], ONE_HOT[1])  # certainly clean
    np.testing.assert_allclose(found[0], sharpened(SOFT, 0.5)[0])  # certainly not
    column = refined_targets(ONE_HOT, CLEAN[:, None], SOFT, 0.5)
    np.testing.assert_array_equal(column, found)


def test_guessed_targets_are_the_sharpened_mean_of_all_predictions():
    found = guessed_targets([SOFT, *OTHERS], 0.5)
    mean = (SOFT + OTHERS[0] + OTHERS[1] + OTHERS[2]) / 4
    np.testing.assert_allclose(found, sharpened(mean, 0.5), rtol=1e-12)
    order = guessed_targets((OTHERS[2], SOFT, OTHERS[1], OTHERS[0]), 0.5)
    np.testing.assert_allclose(order, found, rtol=1e-12)


def test_no_gradient_passes_through_targets():
    rows = tf.constant(SOFT)
    with tf.GradientTape() as tape:
        tape.watch(rows)
        value = tf.reduce_sum(
            guessed_targets([rows, rows * rows], 0.5) ** 2
            + refined_targets(ONE_HOT, CLEAN, rows, 0.5) ** 2
        )
    assert tape.gradient(value, rows) is None


def test_targets_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"probabilities must be \(n, classes\); received shape"):
        sharpen(SOFT[0], 0.5)
    with pytest.raises(ValueError, match=r"list of \(n, classes\) arrays; received one array"):
        guessed_targets(SOFT, 0.5)
    with pytest.raises(ValueError, match="arrays; received an empty one"):
        guessed_targets([], 0.5)
    with pytest.raises(ValueError, match=r"list of \(n, classes\) arrays; received shape \(6,\)"):
        guessed_targets(list(SOFT), 0.5)
    with pytest.raises(ValueError, match=r"of the first one's shape \(4, 6\); received shape"):
        guessed_targets([SOFT, SOFT[:1]], 0.5)
    for clean in (CLEAN[:3], CLEAN[None], 0.5):
        with pytest.raises(ValueError, match=r"clean_probability must be \(4,\); received shape"):
            refined_targets(ONE_HOT, clean, SOFT, 0.5)
    with pytest.raises(ValueError, match=r"one_hot must be \(n, classes\); received shape \(4,\)"):
        refined_targets(HARD, CLEAN, SOFT, 0.5)
    with pytest.raises(ValueError, match="own_probabilities must be of one_hot's shape"):
        refined_targets(ONE_HOT, CLEAN, SOFT[:, :5], 0.5)


def test_targets_of_no_rows_are_no_rows():
    nothing = np.zeros((0, 3))
    assert sharpen(nothing, 0.5).shape == (0, 3)
    assert guessed_targets([nothing, nothing], 0.5).shape == (0, 3)


@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 4, 4, 3)])
def test_rows_of_any_shape_are_mixed_and_so_are_their_gradients(shape):
    rows = np.random.default_rng(3).normal(size=shape)
    found = mixed(rows, PERMUTATION, 0.8)
    by_hand = np.stack([0.8 * rows[i] + 0.2 * rows[other] for i, other in enumerate(PERMUTATION)])
    np.testing.assert_allclose(found, by_hand, rtol=1e-12)
    weights = np.arange(rows.size, dtype=float).reshape(shape)
    (gradient,) = gradients(lambda r: tf.reduce_sum(mixed(r, PERMUTATION, 0.8) * weights), rows)
    expected = 0.8 * weights
    np.add.at(expected, PERMUTATION, 0.2 * weights)
    np.testing.assert_allclose(gradient, expected, rtol=1e-12)


def test_a_coefficient_of_one_leaves_the_rows_and_of_nought_swaps_them():
    pixels = (np.arange(5 * 4).reshape(5, 4) * 12).astype("uint8")
    np.testing.assert_array_equal(mixed(pixels, PERMUTATION, 1.0), pixels.astype("float32"))
    np.testing.assert_array_equal(mixed(pixels, PERMUTATION, 0), pixels[PERMUTATION])
    assert mixed(pixels, PERMUTATION, tf.constant(0.5)).dtype == tf.float32


def test_what_cannot_be_mixed_is_refused():
    with pytest.raises(ValueError, match=r"shape \(2,\), a place for each row of rows"):
        mixed(CAM, PERMUTATION, 0.5)
    with pytest.raises(ValueError, match="permutation must be of integers; received float32"):
        mixed(CAM, [0.5, 1.0], 0.5)
    with pytest.raises(ValueError, match=r"rows must be \(n, ...\); received shape \(\)"):
        mixed(1.0, PERMUTATION, 0.5)
    for coefficient in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"coefficient must be in \[0, 1\]; received"):
            mixed(CAM, [1, 0], coefficient)

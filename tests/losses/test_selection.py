"""Which samples Co-teaching keeps, counted as the method's card says."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf

from eactf.losses import small_loss_selection

LOSSES = np.random.default_rng(0).permutation(128) / 100


def test_the_smallest_losses_are_kept_in_ascending_order():
    found = small_loss_selection([0.9, 0.1, 0.5, 0.3, 0.7], 0.4)
    assert found.dtype == tf.int32
    np.testing.assert_array_equal(found, [1, 3, 2])


def test_no_rate_keeps_all_and_any_rate_keeps_one():
    np.testing.assert_array_equal(small_loss_selection(LOSSES, 0.0), np.argsort(LOSSES))
    np.testing.assert_array_equal(small_loss_selection(LOSSES, 1.0), [LOSSES.argmin()])
    np.testing.assert_array_equal(small_loss_selection([2.0], 0.5), [0])
    assert small_loss_selection(np.zeros(0), 0.5).shape == (0,)


@pytest.mark.parametrize("size", [1, 2, 10, 31, 64, 100, 128])
def test_as_many_are_kept_as_exact_arithmetic_keeps(size):
    for percent in range(101):
        exact = max(1, int((1 - Fraction(percent, 100)) * size))
        for rate in (
            percent / 100,
            np.float32(percent / 100),
            tf.constant(percent / 100),
            tf.constant(percent / 100, tf.float64),
        ):
            assert len(small_loss_selection(LOSSES[:size], rate)) == exact, (percent, rate)


def test_nine_tenths_of_ten_leave_one_though_rounding_leaves_none():
    assert int((1 - 0.9) * 10) == 0
    np.testing.assert_array_equal(small_loss_selection(-np.arange(10.0), 0.9), [9])


def test_of_equal_losses_the_first_comes_first_and_what_is_no_number_comes_last():
    np.testing.assert_array_equal(small_loss_selection([1, 0, 1, 0, 1], 0.2), [1, 3, 0, 2])
    np.testing.assert_array_equal(small_loss_selection([np.nan, 3.0, -np.inf, np.nan], 0.5), [2, 1])


def test_a_rate_that_is_a_tensor_may_change_without_a_new_graph():
    traces = []

    @tf.function(input_signature=[tf.TensorSpec((None,)), tf.TensorSpec(())], autograph=False)
    def kept(losses, rate):
        traces.append(1)
        return small_loss_selection(losses, rate)

    for size, rate in ((10, 0.3), (7, 0.9), (1, 0.0)):
        losses = LOSSES[:size].astype("float32")
        np.testing.assert_array_equal(
            kept(losses, tf.constant(rate)), small_loss_selection(losses, rate)
        )
    assert len(traces) == 1


def test_swapped_selections_train_each_network_on_what_the_other_trusts():
    """With nothing left out both train on the whole batch, as two networks alone would."""
    one, other = np.array([0.1, 0.9, 0.2, 0.8]), np.array([0.9, 0.1, 0.3, 0.4])
    assert set(small_loss_selection(one, 0.5).numpy()) == {0, 2}
    assert set(small_loss_selection(other, 0.5).numpy()) == {1, 2}
    mean = float(tf.reduce_mean(tf.gather(one, small_loss_selection(other, 0.0))))
    assert mean == pytest.approx(one.mean())


def test_what_cannot_be_selected_from_is_refused():
    for shape in ((4, 1), (), (2, 3)):
        with pytest.raises(ValueError, match=r"per_sample_losses must be \(n,\); received shape"):
            small_loss_selection(np.zeros(shape), 0.5)
    for rate in (-0.1, 1.5, float("nan"), 20):
        with pytest.raises(ValueError, match=r"forget_rate must be in \[0, 1\]; received"):
            small_loss_selection(LOSSES, rate)

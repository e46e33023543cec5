"""Ramps and drop rates, value by value."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from eactf.schedules import forget_rates, ramp_up


def test_the_ramp_is_nought_at_the_first_step_after_the_warm_up_and_full_sixteen_epochs_later():
    assert [ramp_up(epoch, 10) for epoch in (0, 9.99, 10, 14, 18.4, 26, 300)] == [
        *(0.0, 0.0, 0.0, 0.25, (18.4 - 10) / 16, 1.0, 1.0)
    ]
    assert isinstance(ramp_up(12, 10), float)
    assert ramp_up(np.int64(12), np.float32(10), 4) == 0.5


def test_the_ramp_goes_by_fractions_of_epochs():
    steps = [ramp_up(10 + step / 8, 10) for step in range(9)]
    np.testing.assert_allclose(steps, np.arange(9) / 128)


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "float64"])
def test_the_ramp_of_tensors_is_that_of_numbers(dtype):
    for epoch in (0, 10, 13, 26, 40):
        found = ramp_up(tf.constant(epoch, dtype), 10)
        assert found.dtype == ("float64" if dtype == "float64" else "float32")
        np.testing.assert_allclose(found, ramp_up(epoch, 10), rtol=1e-6)
    np.testing.assert_allclose(ramp_up(13, tf.constant(10), tf.constant(4)), 0.75)
    np.testing.assert_allclose(ramp_up(np.array([0.0, 14.0, 99.0]), 10), [0, 0.25, 1])


def test_an_epoch_that_changes_builds_no_new_graph():
    traces = []

    @tf.function(jit_compile=True)
    def ramp(epoch):
        traces.append(1)
        return ramp_up(epoch, 10)

    found = [float(ramp(tf.constant(epoch))) for epoch in (9.0, 12.0, 99.0)]
    assert found == [0.0, 0.125, 1.0] and len(traces) == 1


@pytest.mark.parametrize("length", [0, -1, float("nan")])
def test_a_ramp_without_length_is_refused(length):
    with pytest.raises(ValueError, match="length must be above 0; received"):
        ramp_up(3, 1, length)


@pytest.mark.parametrize("exponent", [0.5, 1, 2])
def test_forget_rates_are_those_of_the_published_code(exponent):
    found = forget_rates(200, 0.5, 10, exponent)
    expected = [0.5**exponent * epoch / 9 if epoch < 10 else 0.5 for epoch in range(200)]
    np.testing.assert_allclose(found, expected, rtol=1e-15)
    assert found.dtype == np.float64 and found.shape == (200,)


def test_the_exponent_of_the_rate_makes_a_jump_where_the_ramp_ends():
    squared, root = forget_rates(12, 0.5, 10, 2), forget_rates(12, 0.5, 10, 0.5)
    np.testing.assert_allclose(squared[9:11], [0.25, 0.5])
    np.testing.assert_allclose(root[9:11], [0.7071067811865476, 0.5])
    np.testing.assert_allclose(forget_rates(12, 0.5, 10, 1)[9:11], 0.5)


@pytest.mark.parametrize("exponent", [0.5, 1, 2])
def test_the_exponent_of_the_epoch_is_that_of_the_paper(exponent):
    found = forget_rates(130, 0.4, 10, exponent, exponent_of="epoch")
    expected = [0.4 * min(epoch**exponent / 10, 1) for epoch in range(130)]
    np.testing.assert_allclose(found, expected, rtol=1e-15)
    assert (np.diff(found) >= 0).all() and found[-1] == 0.4


@pytest.mark.parametrize("exponent_of", ["rate", "epoch"])
def test_short_runs_and_short_ramps_have_rates_too(exponent_of):
    whole = forget_rates(20, 0.3, 10, 1, exponent_of)
    np.testing.assert_array_equal(forget_rates(4, 0.3, 10, 1, exponent_of), whole[:4])
    np.testing.assert_array_equal(forget_rates(3, 0.3, 0, 1, exponent_of), 0.3)
    np.testing.assert_allclose(forget_rates(3, 0.3, 1, 1, exponent_of), [0.0, 0.3, 0.3])
    np.testing.assert_array_equal(forget_rates(5, 0.0, 3, 1, exponent_of), 0.0)
    assert forget_rates(0, 0.3, 10, 1, exponent_of).shape == (0,)


def test_forget_rates_out_of_range_are_refused():
    for epochs in (-1, 2.5):
        with pytest.raises(ValueError, match="epochs must be a whole number >= 0"):
            forget_rates(epochs, 0.5, 10, 1)
    with pytest.raises(ValueError, match="gradual must be a whole number >= 0"):
        forget_rates(20, 0.5, -1, 1)
    for rate in (-0.1, 20, float("nan")):
        with pytest.raises(ValueError, match=r"rate must be in \[0, 1\]; received"):
            forget_rates(20, rate, 10, 1)
    for exponent in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="exponent must be above 0; received"):
            forget_rates(20, 0.5, 10, exponent)
    with pytest.raises(ValueError, match='exponent_of must be "rate" or "epoch"'):
        forget_rates(20, 0.5, 10, 1, "paper")

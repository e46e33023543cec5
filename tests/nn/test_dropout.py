"""Dropout by keys: how much it drops, what decides it, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.nn.dropout import drop


def some_keys(count, seed=1):
    return np.random.default_rng(seed).integers(0, 2**31, (count, 4)).astype("int32")


@pytest.mark.parametrize("rate", [0.5, 0.2])
def test_a_number_is_nought_at_the_rate_or_grows_by_what_the_others_lose(rate):
    features = np.random.default_rng(0).random((200, 100)).astype("float32") + 1
    dropped = drop(features, some_keys(200), rate).numpy()
    kept = dropped != 0
    np.testing.assert_allclose(dropped[kept], features[kept] / (1 - rate), rtol=1e-6)
    assert (~kept).mean() == pytest.approx(rate, abs=0.02)
    assert np.abs((~kept).mean(axis=0) - rate).max() < 5 * np.sqrt(rate * (1 - rate) / 200)


def test_a_key_a_row_decides_wherever_it_stands():
    features, keys = np.ones((4, 30), "float32"), some_keys(4)
    dropped = drop(features, keys).numpy()
    order = [2, 0, 3, 1]
    np.testing.assert_array_equal(drop(features, keys[order]), dropped[order])
    assert (dropped[0] != dropped[1]).any()


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_a_rate_that_keeps_nothing_or_more_than_all_is_refused(rate):
    with pytest.raises(ValueError, match="rate must be in"):
        drop(np.ones((1, 2), "float32"), some_keys(1), rate)

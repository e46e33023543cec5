import numpy as np
import pytest

from eactf.packed.hashing import uniform

# 99.9 % points of the chi-square distribution, from tables.
CHI2_99_DEGREES = 148.23
CHI2_9_DEGREES = 27.88


def chi_square(counts: np.ndarray) -> float:
    expected = counts.sum() / counts.size
    return float(((counts - expected) ** 2 / expected).sum())


def test_values_are_pinned_for_ever() -> None:
    assert uniform(0, np.arange(3), 0).tolist() == [
        0.1296456182997474,
        0.8513026201288322,
        0.8905966070102489,
    ]
    assert uniform(2026, np.array([0, 12345, 2**31 - 1]), 7).tolist() == [
        0.7493554829853623,
        0.6767598422662774,
        0.41214678408976735,
    ]
    assert uniform(-1, np.array([-5]), -2).tolist() == [0.9686513383527819]


def test_values_lie_in_zero_to_one() -> None:
    values = uniform(1, np.arange(100_000), 0)
    assert values.dtype == np.float64
    assert values.min() >= 0.0
    assert values.max() < 1.0


@pytest.mark.parametrize("seed", [0, 1, 2**63])
def test_consecutive_ids_are_uniform(seed: int) -> None:
    bins = (uniform(seed, np.arange(50_000), 3) * 100).astype(int)
    assert chi_square(np.bincount(bins, minlength=100)) < CHI2_99_DEGREES


def test_ids_that_differ_in_high_bits_only_are_uniform() -> None:
    bins = (uniform(0, np.arange(50_000) << 40, 3) * 100).astype(int)
    assert chi_square(np.bincount(bins, minlength=100)) < CHI2_99_DEGREES


def test_consecutive_draws_of_one_id_are_uniform() -> None:
    bins = (uniform(0, np.array([17]), np.arange(50_000)) * 100).astype(int)
    assert chi_square(np.bincount(bins, minlength=100)) < CHI2_99_DEGREES


def test_low_digits_are_uniform() -> None:
    low = uniform(5, np.arange(20_000), 1) * 2.0**40 % 1.0
    assert chi_square(np.bincount((low * 10).astype(int), minlength=10)) < CHI2_9_DEGREES


@pytest.mark.parametrize(("other_seed", "other_draw"), [(0, 1), (1, 0)])
def test_streams_and_seeds_are_independent(other_seed: int, other_draw: int) -> None:
    ids = np.arange(50_000)
    first = (uniform(0, ids, 0) * 10).astype(int)
    second = (uniform(other_seed, ids, other_draw) * 10).astype(int)
    pairs = np.bincount(first * 10 + second, minlength=100)
    assert chi_square(pairs) < CHI2_99_DEGREES


def test_neighbouring_ids_are_independent() -> None:
    bins = (uniform(0, np.arange(50_001), 0) * 10).astype(int)
    pairs = np.bincount(bins[:-1] * 10 + bins[1:], minlength=100)
    assert chi_square(pairs) < CHI2_99_DEGREES


def test_seed_and_draw_do_not_trade_places() -> None:
    assert uniform(1, np.arange(5), 2).tolist() != uniform(2, np.arange(5), 1).tolist()


def test_order_and_batch_of_ids_do_not_matter() -> None:
    ids = np.array([9, 2, 400, 2])
    values = uniform(3, ids, 4)
    assert values[1] == values[3]
    assert values.tolist() == [uniform(3, ids[i : i + 1], 4)[0] for i in range(4)]


def test_draws_broadcast_against_ids() -> None:
    ids = np.arange(4)
    grid = uniform(3, ids, np.arange(3)[:, None])
    assert grid.shape == (3, 4)
    np.testing.assert_array_equal(grid[2], uniform(3, ids, 2))


def test_ids_that_are_not_integers_are_refused() -> None:
    with pytest.raises(TypeError, match="int64"):
        uniform(0, np.array([0.5]), 0)

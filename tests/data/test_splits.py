"""Parts of a data set are chosen by a hash of seed and id."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.data.splits import limit, split_off_validation
from eactf.errors import DataError, UsageError
from eactf.packed.records import Samples


def make_samples(count=2000):
    images = np.zeros((count, 1, 1, 1), np.uint8)
    ids = np.arange(count) * 3
    return Samples(images=images, ids=ids, given=ids % 5)


def shuffled(samples):
    return samples.take(np.random.default_rng(0).permutation(len(samples)))


def test_the_parts_are_disjoint_complete_and_in_order():
    samples = make_samples()
    train, validation = split_off_validation(samples, 0.2, seed=1)
    assert sorted([*train.ids, *validation.ids]) == samples.ids.tolist()
    assert (np.diff(train.ids) > 0).all() and (np.diff(validation.ids) > 0).all()
    assert abs(len(validation) - 400) < 4 * np.sqrt(2000 * 0.2 * 0.8)


def test_the_parts_do_not_depend_on_order_or_on_other_samples():
    samples = make_samples()
    _, validation = split_off_validation(samples, 0.2, seed=1)
    _, mixed = split_off_validation(shuffled(samples), 0.2, seed=1)
    assert set(mixed.ids) == set(validation.ids)
    _, half = split_off_validation(samples.take(np.arange(1000)), 0.2, seed=1)
    assert set(half.ids) == {number for number in validation.ids if number < 3000}


def test_another_seed_gives_other_parts():
    one, two = (split_off_validation(make_samples(), 0.2, seed=seed)[1] for seed in (1, 2))
    assert set(one.ids) != set(two.ids)


@pytest.mark.parametrize("fraction", [0, 1, -0.5, float("nan")])
def test_a_fraction_that_is_none_is_refused(fraction):
    with pytest.raises(UsageError, match="between 0 and 1"):
        split_off_validation(make_samples(), fraction)


def test_an_empty_part_is_refused():
    with pytest.raises(DataError, match="leaves no validation samples"):
        split_off_validation(make_samples(3), 1e-9)
    with pytest.raises(DataError, match="leaves no training samples"):
        split_off_validation(make_samples(3), 1 - 1e-9)


def test_a_limit_keeps_so_many_in_order_whatever_the_order_was():
    samples = make_samples()
    kept = limit(samples, 100, seed=3)
    assert len(kept) == 100 and (np.diff(kept.ids) > 0).all()
    assert set(limit(shuffled(samples), 100, seed=3).ids) == set(kept.ids)
    assert set(limit(samples, 50, seed=3).ids) < set(kept.ids)
    assert set(limit(samples, 100, seed=4).ids) != set(kept.ids)


def test_a_limit_beyond_the_number_of_samples_keeps_all():
    samples = make_samples(5)
    assert limit(samples, 5) is samples
    with pytest.raises(UsageError, match="at least 1"):
        limit(samples, 0)

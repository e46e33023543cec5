"""Parts of a data set are chosen by a hash of seed and id, the validation split class by class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eactf.data.splits import held_out, limit, split_off_validation
from eactf.errors import DataError, UsageError
from eactf.packed.records import Samples


def make_samples(count=2000, given=None):
    ids = np.arange(count) * 3
    images = np.arange(count, dtype="<u4").view(np.uint8).reshape(count, 2, 2, 1)
    return Samples(images=images, ids=ids, given=ids % 5 if given is None else np.array(given))


def shuffled(samples):
    return samples.take(np.random.default_rng(0).permutation(len(samples)))


def test_the_parts_are_disjoint_complete_and_in_order():
    samples = make_samples()
    train, validation = split_off_validation(samples, 0.2, seed=1)
    assert sorted([*train.ids, *validation.ids]) == samples.ids.tolist()
    assert (np.diff(train.ids) > 0).all() and (np.diff(validation.ids) > 0).all()


def test_the_share_is_taken_of_each_class():
    given = [0] * 600 + [1] * 55 + [2] * 4
    _, validation = split_off_validation(make_samples(659, given), 0.2, seed=1)
    assert np.bincount(validation.given).tolist() == [120, 11, 1]


@pytest.mark.parametrize("seed", range(50))
def test_validation_has_each_class_that_has_two_images_and_training_has_every_class(seed):
    given = np.array([0] * 40 + [1] + [2] * 2 + [3] * 3)
    train, validation = split_off_validation(make_samples(len(given), given), 0.1, seed)
    assert set(validation.given) == {0, 2, 3}
    assert set(train.given) == {0, 1, 2, 3}


def test_the_parts_do_not_depend_on_order():
    samples = make_samples()
    _, validation = split_off_validation(samples, 0.2, seed=1)
    _, mixed = split_off_validation(shuffled(samples), 0.2, seed=1)
    assert set(mixed.ids) == set(validation.ids)


def test_one_image_more_moves_one_other_at_the_most():
    samples = make_samples(201)
    most = samples.take(np.arange(200))
    before = set(split_off_validation(most, 0.2, seed=1)[1].ids)
    after = set(split_off_validation(samples, 0.2, seed=1)[1].ids)
    assert len(before ^ after) <= 2


def test_another_seed_gives_other_parts():
    one, two = (split_off_validation(make_samples(), 0.2, seed=seed)[1] for seed in (1, 2))
    assert set(one.ids) != set(two.ids)


@pytest.mark.parametrize("seed", range(20))
def test_copies_of_an_image_stay_on_one_side_whatever_their_labels(seed):
    samples = make_samples(90)
    samples = replace(samples, images=samples.images[np.arange(90) // 3])
    train, validation = split_off_validation(samples, 0.3, seed)
    assert not set(train.ids // 9) & set(validation.ids // 9)
    assert set(train.given) == set(range(5))


@pytest.mark.parametrize("seed", range(20))
def test_a_class_whose_last_image_is_a_copy_of_one_held_out_keeps_it(seed):
    # Image 6 bears the label 1 and is a copy of 5, whose label is 0.
    given, copies = np.array([0, 0, 0, 0, 0, 0, 1]), np.array([0, 1, 2, 3, 4, 5, 5])
    held = held_out(given, np.arange(7), 0.8, seed, copies=copies)
    assert held.any() and not held[6] and not held[5]


@pytest.mark.parametrize("fraction", [0, 1, -0.5, float("nan")])
def test_a_fraction_that_is_none_is_refused(fraction):
    with pytest.raises(UsageError, match="between 0 and 1"):
        split_off_validation(make_samples(), fraction)


@pytest.mark.parametrize("fraction", [1e-9, 1 - 1e-9])
def test_neither_part_is_empty(fraction):
    train, validation = split_off_validation(make_samples(20), fraction)
    assert len(train) >= 5 and len(validation) >= 5


def test_images_of_which_no_class_has_two_are_refused():
    with pytest.raises(DataError, match="no class has two different ones"):
        split_off_validation(make_samples(3), 0.5)
    samples = make_samples(4, [0, 0, 1, 1])
    with pytest.raises(DataError, match="no class has two different ones"):
        split_off_validation(replace(samples, images=samples.images[[0, 0, 1, 1]]), 0.5)


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

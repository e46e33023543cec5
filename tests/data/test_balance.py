"""Rare classes are shown more often, by a rule that depends on seed, epoch and position alone."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.data.balance import BALANCES, balanced_order, class_quotas

GIVEN = np.repeat([0, 1, 2, 3], [900, 90, 9, 1])
COUNTS = np.bincount(GIVEN)


def test_class_gives_all_the_same_share_and_sqrt_the_roots():
    assert class_quotas(COUNTS, "class", 1000).tolist() == [250] * 4
    roots = np.sqrt(COUNTS) / np.sqrt(COUNTS).sum() * 1000
    assert np.abs(class_quotas(COUNTS, "sqrt", 1000) - roots).max() < 1
    assert class_quotas(COUNTS, "none", 1000).tolist() == COUNTS.tolist()


@pytest.mark.parametrize("balance", BALANCES)
@pytest.mark.parametrize("total", [1, 7, 999])
def test_quotas_fill_the_epoch_and_leave_empty_classes_out(balance, total):
    quotas = class_quotas(np.array([5, 0, 3, 1]), balance, total)
    assert quotas.sum() == total and quotas[1] == 0 and (quotas >= 0).all()


def test_what_is_left_over_goes_to_the_smaller_class_first():
    assert class_quotas(np.array([5, 3, 1]), "class", 4).tolist() == [1, 1, 2]


@pytest.mark.parametrize("balance", ["class", "sqrt"])
def test_an_epoch_has_its_length_and_each_class_its_share(balance):
    order = balanced_order(GIVEN, seed=3, epoch=2, balance=balance)
    assert order.dtype == np.int64 and len(order) == len(GIVEN)
    assert np.bincount(GIVEN[order]).tolist() == class_quotas(COUNTS, balance, 1000).tolist()


def test_samples_of_a_class_take_turns():
    shown = np.bincount(balanced_order(GIVEN, 0, 0, "class"), minlength=len(GIVEN))
    for label in range(4):
        of_class = shown[label == GIVEN]
        assert of_class.max() - of_class.min() <= 1


def test_every_sample_of_a_large_class_is_seen_in_some_epoch():
    seen = np.concatenate([balanced_order(GIVEN, 0, epoch, "class") for epoch in range(40)])
    assert len(np.unique(seen)) == len(GIVEN)


def test_the_order_depends_on_seed_and_epoch_and_on_nothing_else():
    order = balanced_order(GIVEN, 1, 5, "sqrt")
    np.testing.assert_array_equal(order, balanced_order(GIVEN, 1, 5, "sqrt"))
    assert (order != balanced_order(GIVEN, 2, 5, "sqrt")).any()
    assert (order != balanced_order(GIVEN, 1, 6, "sqrt")).any()


def test_classes_are_mixed_over_the_epoch():
    order = balanced_order(GIVEN, 1, 0, "class")
    halves = [np.bincount(GIVEN[half], minlength=4) for half in np.split(order, 2)]
    assert np.abs(halves[0] - halves[1]).max() < 60  # 4 deviations of 1000 * 1/4 in halves

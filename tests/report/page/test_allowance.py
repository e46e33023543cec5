"""How many images are looked at."""

from __future__ import annotations

import pytest

from eactf.report.page.allowance import BUDGET, MOST_OCCLUDED, allow


def spent(allowed, cost):
    return cost * (2 * (allowed.train + allowed.judged) + 9 * allowed.occluded)


def test_of_a_small_network_all_images_are_looked_at():
    allowed = allow(28_000, 3_500, cost=20e6)
    assert (allowed.train, allowed.judged) == (28_000, 3_500)
    assert allowed.occluded == MOST_OCCLUDED


@pytest.mark.parametrize("cost", [0.3e9, 0.9e9, 1.8e9])
def test_of_a_large_network_no_more_than_the_budget_allows(cost):
    allowed = allow(28_000, 3_500, cost)
    assert allowed.train < 28_000
    assert spent(allowed, cost) <= BUDGET


def test_some_images_are_looked_at_whatever_that_costs():
    allowed = allow(28_000, 3_500, cost=1e13)
    assert min(allowed.train, allowed.judged, allowed.occluded) == 100


def test_there_are_never_more_than_there_are():
    allowed = allow(30, 20, cost=1e13)
    assert (allowed.train, allowed.judged, allowed.occluded) == (30, 20, 20)


def test_a_budget_without_cost_is_for_all():
    assert allow(10**6, 10**5, cost=0.0).train == 10**6

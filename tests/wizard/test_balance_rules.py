"""Whether the plan shows rare classes more often follows from how uneven the classes are."""

from __future__ import annotations

import pytest

from eactf.recipe import load_recipe
from eactf.wizard.balance_rules import UNEVEN, balance, consistency_weight


@pytest.mark.parametrize("ratio", [1.0, UNEVEN - 0.1])
def test_classes_of_one_size_are_left_as_they_are(fingerprint, ratio):
    found = balance(fingerprint(imbalance=ratio), 40)
    assert [choice.value for choice in found.values()] == ["none"]
    assert f"{ratio:,.1f} times the smallest" in found["data.balance"].because
    assert consistency_weight(fingerprint(imbalance=ratio)).value == 5.0


@pytest.mark.parametrize(("epochs", "first"), [(40, 25), (10, 7), (2, 2), (1, 2)])
def test_uneven_classes_are_balanced_by_the_root_once_there_are_features(
    fingerprint, epochs, first
):
    found = balance(fingerprint(imbalance=UNEVEN), epochs)
    assert {key: choice.value for key, choice in found.items()} == {
        "data.balance": "sqrt",
        "data.balance_from": first,
    }
    assert consistency_weight(fingerprint(imbalance=UNEVEN)).value == 2.0
    load_recipe("own-data", [f"{key}={choice.value}" for key, choice in found.items()])

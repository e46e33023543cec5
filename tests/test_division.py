"""Divisions: their figures, the area under the curve against counting, tables, arrays and back."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from eactf.division import Division, area_under_curve, guess_figures

CLASSES = ("a", "b", "c")


def division(count=40, seed=0):
    numbers = np.random.default_rng(seed)
    clean = numbers.uniform(size=(count, 2)).round(2)
    return Division(
        epoch=3,
        ids=np.arange(100, 100 + count),
        clean=clean,
        kept=clean > 0.5,
        thresholds=np.array([[0.5] * 3, [0.25, 0.5, 0.75]]),
    )


def counted(scores, positive):
    """The share of pairs in which the positive one scores higher, ties one half."""
    pairs = [
        (score > other) + (score == other) / 2
        for score in scores[positive]
        for other in scores[~positive]
    ]
    return np.mean(pairs)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("digits", [0, 1, 8], ids="{} digits".format)
def test_the_area_is_the_share_of_pairs_in_order(seed, digits):
    numbers = np.random.default_rng(seed)
    scores, positive = numbers.normal(size=31).round(digits), numbers.uniform(size=31) < 0.3
    assert area_under_curve(scores, positive) == pytest.approx(counted(scores, positive))


def test_the_area_of_a_perfect_a_reversed_and_a_constant_score():
    positive = np.array([True, True, False])
    assert area_under_curve(np.array([3.0, 2.0, 1.0]), positive) == 1.0
    assert area_under_curve(np.array([1.0, 2.0, 3.0]), positive) == 0.0
    assert area_under_curve(np.ones(3), positive) == 0.5


@pytest.mark.parametrize("positive", [[], [True, True], [False]])
def test_the_area_is_not_defined_without_both_kinds(positive):
    assert area_under_curve(np.ones(len(positive)), np.array(positive, bool)) is None


def test_figures_count_what_each_network_keeps_and_how_much_of_it_is_right():
    found = division()
    numbers = np.random.default_rng(1)
    given, truth = numbers.integers(0, 3, (2, 40))
    for number, figures in enumerate(found.figures(given, truth, CLASSES)):
        kept, right = found.kept[:, number], given == truth
        assert figures["kept"] == kept.sum()
        for label, name in enumerate(CLASSES):
            assert figures["kept_per_class"][name] == (kept & (given == label)).sum()
            assert figures["thresholds"][name] == found.thresholds[number, label]
        assert figures["precision"] == (kept & right).sum() / kept.sum()
        assert figures["recall"] == (kept & right).sum() / right.sum()
        assert figures["area_under_curve"] == pytest.approx(counted(found.clean[:, number], right))


def test_samples_of_unknown_truth_do_not_count_in_what_needs_it():
    found = division()
    numbers = np.random.default_rng(1)
    given, truth = numbers.integers(0, 3, (2, 40))
    truth[::3] = -1
    known = truth >= 0
    part = Division(3, found.ids[known], found.clean[known], found.kept[known], found.thresholds)
    needs_truth = ("precision", "recall", "area_under_curve")
    for all_, some in zip(
        found.figures(given, truth, CLASSES),
        part.figures(given[known], truth[known], CLASSES),
        strict=True,
    ):
        assert [all_[name] for name in needs_truth] == [some[name] for name in needs_truth]
        assert all_["kept"] > some["kept"]


@pytest.mark.parametrize("truth", [None, np.full(40, -1)], ids=["none", "all unknown"])
def test_without_any_truth_there_are_no_figures_of_it(truth):
    (figures, _) = division().figures(np.zeros(40, int), truth, CLASSES)
    assert sorted(figures) == ["kept", "kept_per_class", "thresholds"]
    assert figures["kept_per_class"] == {"a": figures["kept"], "b": 0, "c": 0}


def test_figures_that_are_not_defined_are_none():
    found = division()
    nothing = Division(3, found.ids, found.clean, np.zeros_like(found.kept), found.thresholds)
    given = np.zeros(40, int)
    (figures, _) = nothing.figures(given, given, CLASSES)
    assert figures["precision"] is None
    assert figures["recall"] == 0.0
    assert figures["area_under_curve"] is None
    (wrong, _) = nothing.figures(given, given + 1, CLASSES)
    assert wrong["recall"] is None


def test_a_table_has_a_row_a_sample():
    found = division(count=3)
    rows = list(csv.DictReader(io.StringIO(found.csv_text(np.array(["x.png", "y,z.png", "ü"])))))
    assert [row["id"] for row in rows] == ["100", "101", "102"]
    assert [row["name"] for row in rows] == ["x.png", "y,z.png", "ü"]
    for number in (1, 2):
        clean, kept = found.clean[:, number - 1], found.kept[:, number - 1]
        assert [float(row[f"clean_{number}"]) for row in rows] == clean.tolist()
        assert [row[f"kept_{number}"] for row in rows] == kept.astype(int).astype(str).tolist()
    assert found.csv_text().splitlines()[0] == "id,clean_1,clean_2,kept_1,kept_2"


def test_arrays_give_the_division_back_and_copies_of_it():
    found = division()
    arrays = found.arrays()
    again = Division.from_arrays(arrays)
    assert again.epoch == 3
    assert again.networks == 2
    for name in ("ids", "clean", "kept", "thresholds"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
        assert not np.shares_memory(getattr(again, name), getattr(found, name))
    assert Division.from_arrays({"something": np.zeros(1)}) is None


def test_a_division_is_of_the_samples_whose_ids_and_digest_it_has():
    found = replace(division(), digest=7)
    again = Division.from_arrays(found.arrays())
    for known in (found, again):
        assert known.is_of(found.ids, 7)
        assert not known.is_of(found.ids, 8)
        assert not known.is_of(found.ids + 1, 7)
    assert division().is_of(found.ids, 8)  # as one that was stored without


def test_guesses_are_judged_where_the_truth_is_known():
    guessed, truth = np.array([0, 1, 1, 2, 0]), np.array([0, 1, 2, -1, 1])
    sure = np.array([True, True, False, True, False])
    assert guess_figures(guessed, None, "abc") == {}
    assert guess_figures(guessed, truth, "abc") == {"guess_accuracy": 0.5}
    found = guess_figures(guessed, truth, "abcd", sure)
    assert found["sure_accuracy"] == 1.0
    assert found["sure_per_class"] == {"a": 0.5, "b": 0.5, "c": 1.0, "d": None}
    assert guess_figures(guessed, truth, "abcd", ~sure)["sure_accuracy"] == 0.0
    none = np.zeros(5, bool)
    assert guess_figures(guessed, np.full(5, -1), "abcd", none).keys() == {"sure_per_class"}
    assert guess_figures(guessed, truth, "abcd", none)["sure_accuracy"] is None

"""Thresholds by class, as Ada-CM's card has them, and the samples that are above them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eactf.margins import class_thresholds, confidence_margins, kept

RNG = np.random.default_rng(0)
PROBABILITIES = RNG.dirichlet(np.full(4, 0.08), 400)
LABELS = np.where(
    RNG.uniform(size=400) < 0.7, PROBABILITIES.argmax(axis=1), RNG.integers(0, 4, 400)
)
CLEAN = RNG.beta(0.6, 0.4, 400)
PREDICTIONS = RNG.integers(0, 4, 400)


def by_hand(values, labels, counts, classes, epoch, factor, floor):
    thresholds = []
    for label in range(classes):
        own = [v for v, y, c in zip(values, labels, counts, strict=True) if c and y == label]
        mean = math.fsum(own) / len(own) if own else 0.0
        thresholds.append(max(floor, factor * mean / (1 + math.exp(-epoch))))
    return thresholds


@pytest.mark.parametrize("epoch", [1, 2, 3, 5, 20, 1000])
def test_confidence_margins_are_those_of_the_card(epoch):
    right = [row.argmax() == label for row, label in zip(PROBABILITIES, LABELS, strict=True)]
    confidence = [max(row) for row in PROBABILITIES]
    found = confidence_margins(PROBABILITIES, LABELS, epoch)
    expected = by_hand(confidence, LABELS, right, 4, epoch, 0.97, 0.8)
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    assert found.shape == (4,) and found.dtype == np.float64
    assert ((found >= 0.8) & (found <= 0.97)).all()


def test_the_margin_rises_with_the_epochs_of_certain_predictions():
    factors = [
        confidence_margins(np.eye(3), [0, 1, 2], epoch, floor=0.0)[0] for epoch in range(1, 7)
    ]
    np.testing.assert_allclose(factors, [0.709, 0.854, 0.924, 0.953, 0.964, 0.968], atol=6e-4)


def test_the_margin_is_the_floor_after_the_first_epoch_whatever_was_predicted():
    np.testing.assert_array_equal(confidence_margins(np.eye(3), [0, 1, 2], 1), 0.8)
    np.testing.assert_array_equal(confidence_margins(np.eye(3), [0, 1, 2], 0), 0.8)
    sure = np.array([[0.935, 0.065], [0.063, 0.937]])  # after the second: unless above 0.936
    found = confidence_margins(sure, [0, 1], 2)
    assert found[0] == 0.8 < found[1]


def test_a_class_that_is_never_predicted_right_keeps_the_floor():
    rows = np.array([[0.99, 0.01, 0.0], [0.98, 0.02, 0.0], [0.97, 0.03, 0.0]])
    found = confidence_margins(rows, [0, 0, 1], 9, floor=0.8)
    np.testing.assert_allclose(found, [0.97 * 0.985 / (1 + math.exp(-9)), 0.8, 0.8])
    np.testing.assert_array_equal(confidence_margins(np.zeros((0, 3)), [], 9), 0.8)


@pytest.mark.parametrize("epoch", [1, 3, 50])
def test_class_thresholds_are_those_of_the_card(epoch):
    found = class_thresholds(CLEAN, LABELS, PREDICTIONS, 6, epoch)
    expected = by_hand(CLEAN, LABELS, LABELS == PREDICTIONS, 6, epoch, 0.97, 0.5)
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    assert found.shape == (6,) and (found[4:] == 0.5).all()


@pytest.mark.parametrize("epoch", [1, 2, 10, 36])
def test_class_thresholds_lie_between_the_floor_and_beta(epoch):
    for clean in (np.zeros(40), np.ones(40), np.linspace(0, 1, 40)):
        labels = np.arange(40) % 4
        found = class_thresholds(clean, labels, labels, 4, epoch, beta=0.9, floor=0.3)
        assert ((found >= 0.3) & (found < 0.9)).all()


def test_samples_strictly_above_their_class_threshold_are_kept():
    thresholds = np.array([0.5, 0.9, 0.2, 0.7])
    expected = [w > thresholds[y] for w, y in zip(CLEAN, LABELS, strict=True)]
    np.testing.assert_array_equal(kept(CLEAN, LABELS, thresholds, minimum=0), expected)
    np.testing.assert_array_equal(kept(CLEAN, LABELS, thresholds), expected)  # none below 8
    assert kept([0.5, 0.5], [0, 1], [0.5, 0.4], minimum=0).tolist() == [False, True]


def test_a_class_of_low_probabilities_keeps_its_highest():
    clean = np.concatenate([np.linspace(0.6, 0.9, 30), np.linspace(0.0, 0.2, 20), [0.1, 0.05]])
    labels = np.array([0] * 30 + [1] * 20 + [2] * 2)
    mask = kept(clean, labels, np.full(4, 0.5))
    assert mask[:30].all()
    np.testing.assert_array_equal(mask[30:50], np.arange(20) >= 12)  # the highest eight
    assert mask[50:].all()  # both of a class of two; the fourth class has none


def test_a_class_just_short_of_the_minimum_is_filled_up_and_not_added_to():
    clean = np.array([0.9, 0.8, 0.4, 0.3, 0.2])
    labels = np.zeros(5, int)
    assert kept(clean, labels, [0.5], minimum=3).tolist() == [True, True, True, False, False]
    assert kept(clean, labels, [0.5], minimum=2).tolist() == [True, True, False, False, False]
    assert kept(clean, labels, [0.5], minimum=1).tolist() == [True, True, False, False, False]


def test_of_equal_probabilities_the_first_samples_are_kept():
    assert kept(np.zeros(4), [0, 1, 0, 0], [0.5, 0.5], minimum=2).tolist() == [
        True,
        True,
        True,
        False,
    ]


def test_no_samples_are_no_mask():
    assert kept([], [], [0.5, 0.5]).shape == (0,)
    np.testing.assert_array_equal(class_thresholds([], [], [], 2, 1), 0.5)


def test_probabilities_that_are_none_are_refused():
    for wrong in (np.nan, -0.1, 1.5):
        clean = np.array([0.5, wrong, 0.5, wrong])
        for call in (
            lambda clean=clean: kept(clean, [0] * 4, [0.5]),
            lambda clean=clean: class_thresholds(clean, [0] * 4, [0] * 4, 1, 1),
            lambda clean=clean: confidence_margins(clean[:, None], [0] * 4, 1),
        ):
            with pytest.raises(ValueError, match=r"must be in \[0, 1\]; 2 numbers: "):
                call()


def test_probabilities_of_half_types_may_be_a_little_above_one():
    assert confidence_margins(np.array([[1.0009765625]], np.float16), [0], 20)[0] < 0.98


@pytest.mark.parametrize("label", [-1, 4, 1.5, np.nan])
def test_labels_that_are_no_class_are_refused(label):
    labels = [0.0, label]
    with pytest.raises(ValueError, match=r"labels must be whole numbers in 0\.\.3; received"):
        kept([0.5, 0.5], labels, np.full(4, 0.5))
    with pytest.raises(ValueError, match=r"predictions must be whole numbers in 0\.\.3"):
        class_thresholds([0.5, 0.5], [0, 0], labels, 4, 1)
    with pytest.raises(ValueError, match=r"labels must be whole numbers in 0\.\.3"):
        confidence_margins(np.full((2, 4), 0.25), labels, 1)


def test_arrays_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"probabilities must be \(n, classes\); received shape"):
        confidence_margins(CLEAN, LABELS, 1)
    with pytest.raises(ValueError, match=r"labels must be \(400,\) class indices; received shape"):
        confidence_margins(PROBABILITIES, PROBABILITIES, 1)
    with pytest.raises(ValueError, match=r"clean_probability must be \(n,\); received shape"):
        class_thresholds(PROBABILITIES, LABELS, PREDICTIONS, 4, 1)
    with pytest.raises(ValueError, match=r"predictions must be \(400,\) class indices"):
        class_thresholds(CLEAN, LABELS, PREDICTIONS[:5], 4, 1)
    with pytest.raises(ValueError, match=r"thresholds must be \(classes,\); received shape \(\)"):
        kept(CLEAN, LABELS, 0.5)


def test_numbers_out_of_range_are_refused():
    for floor in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"floor must be in \[0, 1\]; received"):
            confidence_margins(PROBABILITIES, LABELS, 1, floor=floor)
    with pytest.raises(ValueError, match=r"factor must be in \[0, 1\]; received"):
        confidence_margins(PROBABILITIES, LABELS, 1, factor=97)
    with pytest.raises(ValueError, match=r"beta must be in \[0, 1\]; received"):
        class_thresholds(CLEAN, LABELS, PREDICTIONS, 4, 1, beta=97)
    with pytest.raises(ValueError, match="epoch must be >= 0; received"):
        class_thresholds(CLEAN, LABELS, PREDICTIONS, 4, -1)
    with pytest.raises(ValueError, match="classes must be a whole number above 0"):
        class_thresholds(CLEAN, LABELS, PREDICTIONS, 0, 1)
    for minimum in (-1, 2.5):
        with pytest.raises(ValueError, match="minimum must be a whole number >= 0"):
            kept(CLEAN, LABELS, np.full(4, 0.5), minimum)
    with pytest.raises(ValueError, match="thresholds must be numbers"):
        kept(CLEAN, LABELS, np.full(4, np.nan))

"""Reliability and the expected calibration error, against a loop over images."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.evaluation.calibration import reliability


def expected_error_by_hand(probabilities, labels, bins):
    """Guo et al., eq. 3, written as it stands there."""
    total = 0.0
    for number in range(bins):
        inside = [
            (max(row), int(np.argmax(row) == label))
            for row, label in zip(probabilities, labels, strict=True)
            if number / bins < max(row) <= (number + 1) / bins
        ]
        if inside:
            confidence = sum(sure for sure, _ in inside) / len(inside)
            accuracy = sum(right for _, right in inside) / len(inside)
            total += len(inside) / len(labels) * abs(accuracy - confidence)
    return total


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_the_expected_calibration_error_is_that_of_the_paper(bins):
    draws = np.random.default_rng(4)
    probabilities = draws.dirichlet([0.5, 0.5, 0.5], size=200)
    labels = draws.integers(3, size=200)
    found = reliability(probabilities, labels, bins)
    by_hand = expected_error_by_hand(probabilities, labels, bins)
    assert found.expected_error == pytest.approx(by_hand)
    assert found.counts.sum() == 200


def test_one_who_is_sure_and_right_has_no_error():
    found = reliability(np.eye(3), np.arange(3))
    assert found.expected_error == 0.0
    assert found.counts[-1] == 3


def test_one_who_is_sure_and_wrong_has_an_error_of_one():
    assert reliability(np.eye(3), np.array([1, 2, 0])).expected_error == 1.0


def test_the_means_are_those_of_all_images():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]])
    found = reliability(probabilities, np.array([0, 1, 1]))
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.mean_confidence == pytest.approx((0.9 + 0.6 + 0.7) / 3)


@pytest.mark.parametrize(("shape", "labels"), [((3, 2), 2), ((0, 2), 0), ((4,), 4)])
def test_arrays_that_do_not_fit_are_refused(shape, labels):
    with pytest.raises(ValueError, match="a row a label"):
        reliability(np.ones(shape), np.zeros(labels, int))

"""The estimate of label noise on made-up predictions whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.errors import DataError
from eactf.noise import draw_noise
from eactf.noise.estimate import LEAST_SAMPLES, estimate_noise


def predictions(count, classes, *, skill, sharpness=1.0, seed=0, shares=None):
    """True classes and what a network of some skill says of them, over- or under-confident."""
    numbers = np.random.default_rng(seed)
    true = numbers.choice(classes, count, p=shares)
    evidence = numbers.standard_normal((count, classes))
    evidence[np.arange(count), true] += skill
    powers = np.exp(sharpness * skill * evidence)
    return true, powers / powers.sum(axis=1, keepdims=True)


def noisy(true, classes, kind, rate, seed=1):
    return draw_noise(true, np.arange(len(true)), classes, kind=kind, rate=rate, seed=seed)


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.4])
@pytest.mark.parametrize(("skill", "sharpness"), [(3.0, 1.0), (2.0, 0.4), (2.0, 2.5)])
def test_planted_symmetric_noise_is_found_whatever_the_networks_confidence(rate, skill, sharpness):
    true, probabilities = predictions(2000, 7, skill=skill, sharpness=sharpness)
    found = estimate_noise(probabilities, noisy(true, 7, "symmetric", rate))
    assert found.rate == pytest.approx(rate, abs=0.035)
    assert found.low <= rate <= found.high
    assert not found.paired


def test_a_network_that_is_often_wrong_does_not_make_clean_labels_noisy():
    true, probabilities = predictions(2000, 7, skill=1.5)
    found = estimate_noise(probabilities, true)
    assert found.disagreement > 0.3
    assert found.rate < 0.03
    assert found.low == 0.0


def test_labels_that_a_perfect_network_confirms_are_clean_beyond_doubt():
    true, _ = predictions(1000, 5, skill=1.0)
    found = estimate_noise(np.eye(5)[true], true)
    assert found.rate < 1e-3
    assert found.high < 0.05
    assert not len(found.suspects())


def test_a_perfect_networks_contradictions_are_the_noise():
    true, _ = predictions(2000, 5, skill=1.0)
    given = noisy(true, 5, "symmetric", 0.3)
    found = estimate_noise(np.eye(5)[true], given)
    assert found.rate == pytest.approx(np.mean(given != true), abs=0.01)
    assert set(found.suspects()) == set(np.flatnonzero(given != true))


@pytest.mark.parametrize("rate", [0.2, 0.35])
def test_noise_between_pairs_of_classes_is_found_and_told_from_even_noise(rate):
    true, probabilities = predictions(3000, 6, skill=2.5)
    found = estimate_noise(probabilities, noisy(true, 6, "pair", rate))
    assert found.paired
    assert found.rate == pytest.approx(rate, abs=0.04)
    successors = found.noise[np.arange(6), (np.arange(6) + 1) % 6]
    assert successors == pytest.approx(np.full(6, rate), abs=0.1)


def test_classes_of_very_different_size_change_little():
    shares = np.array([0.5, 0.25, 0.13, 0.07, 0.05])
    true, probabilities = predictions(4000, 5, skill=2.5, shares=shares)
    found = estimate_noise(probabilities, noisy(true, 5, "symmetric", 0.2))
    assert found.rate == pytest.approx(0.2, abs=0.03)
    # Noise from the large class floods the small one.
    assert found.per_class[4] > 2 * found.per_class[0]


def test_two_classes_are_enough():
    true, probabilities = predictions(2000, 2, skill=3.0)
    found = estimate_noise(probabilities, noisy(true, 2, "symmetric", 0.2))
    assert found.rate == pytest.approx(0.2, abs=0.03)


def test_a_class_without_any_label_has_no_rate_and_spoils_none():
    true, probabilities = predictions(1500, 4, skill=3.0, shares=[0.4, 0.3, 0.3, 0.0])
    found = estimate_noise(probabilities, true)
    assert np.isnan(found.per_class[3])
    assert found.rate < 0.02
    assert np.isfinite(found.score).all()


def test_a_network_that_knows_nothing_claims_nothing():
    numbers = np.random.default_rng(0)
    true = numbers.integers(0, 7, 1000)
    probabilities = numbers.dirichlet(np.full(7, 5.0), 1000)
    found = estimate_noise(probabilities, true)
    assert not found.tells
    assert found.low == 0.0
    assert found.high > 0.7


def test_probabilities_all_alike_claim_nothing_either():
    given = np.arange(600) % 3
    found = estimate_noise(np.full((600, 3), 1 / 3), given)
    assert not found.tells
    assert np.isfinite([found.rate, found.low, found.high]).all()


def test_fewer_labels_give_a_wider_interval():
    true, probabilities = predictions(4000, 7, skill=2.0)
    given = noisy(true, 7, "symmetric", 0.3)
    few, many = (estimate_noise(probabilities[:n], given[:n]) for n in (300, 4000))
    assert few.high - few.low > many.high - many.low


def test_the_worst_suspects_are_wrong_labels_and_come_first():
    true, probabilities = predictions(3000, 7, skill=3.0)
    given = noisy(true, 7, "symmetric", 0.1)
    found = estimate_noise(probabilities, given)
    rows = found.suspects()
    assert np.mean(given[rows[:100]] != true[rows[:100]]) > 0.97
    assert (np.diff(found.score[rows]) <= 0).all()
    assert (found.likely[rows] != given[rows]).all()


def test_the_counts_hold_every_label_once():
    true, probabilities = predictions(500, 4, skill=2.0)
    given = noisy(true, 4, "symmetric", 0.2)
    found = estimate_noise(probabilities, given)
    assert found.counts.sum(axis=0) == pytest.approx(np.bincount(given, minlength=4))
    assert found.noise.sum(axis=1) == pytest.approx(np.ones(4))
    assert 1 - np.trace(found.counts) / 500 == pytest.approx(found.rate)


def test_the_order_of_the_samples_does_not_matter():
    true, probabilities = predictions(800, 4, skill=2.0)
    given = noisy(true, 4, "symmetric", 0.2)
    turned = estimate_noise(probabilities[::-1], given[::-1])
    assert turned.rate == pytest.approx(estimate_noise(probabilities, given).rate, abs=1e-6)


def test_what_cannot_be_estimated_is_refused_with_a_reason():
    even = np.full((LEAST_SAMPLES, 2), 0.5)
    given = np.arange(LEAST_SAMPLES) % 2
    for probabilities, labels, reason in (
        (even[1:], given[1:], "too few"),
        (even[:, :1], given * 0, "2 classes"),
        (even, given[1:], "do not fit"),
        (even, given + 1, "expected 0 to 1"),
        (even * np.nan, given, "finite"),
    ):
        with pytest.raises(DataError, match=reason):
            estimate_noise(probabilities, labels)


def test_labels_that_read_as_clean_have_suspects_all_the_same():
    true, probabilities = predictions(2000, 5, skill=3.0)
    wrong = np.flatnonzero(probabilities[np.arange(2000), true] > 0.9999)[:3]
    given = true.copy()
    given[wrong] = (given[wrong] + 1) % 5
    found = estimate_noise(probabilities, given)
    assert found.rate < 0.01
    assert set(wrong) <= set(found.suspects()[:10])

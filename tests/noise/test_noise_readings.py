"""Whether wrong labels go to certain classes, where networks have habits of their own."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.noise import draw_noise
from eactf.noise.estimate import estimate_noise
from eactf.noise.gain_by_chance import gain_by_chance
from eactf.noise.latent import LatentModel

CLASSES, COUNT = 6, 1500


def habits(seed):
    """True classes, and a network that is wrong two times in five, most often in certain ways."""
    numbers = np.random.default_rng(seed)
    true = numbers.integers(0, CLASSES, COUNT)
    evidence = numbers.standard_normal((COUNT, CLASSES))
    evidence[np.arange(COUNT), true] += 1.6
    for own, other, strength in ((0, 1, 1.0), (2, 3, 0.8), (4, 5, 1.2)):
        evidence[true == own, other] += strength
    powers = np.exp(1.6 * evidence)
    return true, powers / powers.sum(axis=1, keepdims=True)


def mixed_up(true, seed):
    """One label in ten is wrong: most of them two classes on, where the network does not err."""
    steps = np.eye(CLASSES)
    matrix = 0.88 * steps + 0.09 * np.roll(steps, 2, axis=1) + 0.03 * np.roll(steps, 3, axis=1)
    return draw_noise(true, np.arange(COUNT), CLASSES, kind="matrix", matrix=matrix, seed=seed)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_networks_habits_are_not_taken_for_wrong_labels(seed):
    true, probabilities = habits(seed)
    found = estimate_noise(probabilities, true)
    assert found.disagreement > 0.35
    assert not found.paired
    assert found.rate < 0.02
    assert found.low == 0.0
    assert found.highest == found.disagreement


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_labels_that_go_to_certain_classes_are_read_beside_such_habits(seed):
    true, probabilities = habits(seed)
    given = mixed_up(true, seed)
    found = estimate_noise(probabilities, given)
    assert found.rate == pytest.approx(np.mean(given != true), abs=0.07)
    assert found.high > np.mean(given != true)
    assert found.paired or found.high > found.rate + 0.03


@pytest.mark.parametrize("seed", [0, 1])
def test_by_chance_pairs_gain_less_than_half_their_parameters(seed):
    true, probabilities = habits(seed)
    model = LatentModel(probabilities, true, confusing=True)
    gain = gain_by_chance(model, model.fit_even())
    assert 0 < gain < (CLASSES * (CLASSES - 1) - 1) / 2


def test_the_chance_is_the_same_each_time():
    true, probabilities = habits(0)
    model = LatentModel(probabilities, true, confusing=True)
    even = model.fit_even()
    assert gain_by_chance(model, even) == gain_by_chance(model, even)

"""Every rule from an estimate to advice, by table."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.noise.advice import CLEAN, RAMPED, ByPeople, advise
from eactf.noise.estimate import NoiseEstimate
from eactf.recipe import load_recipe

NAMES = ("cat", "dog", "fox")


def estimate(rate, low, high, disagreement, *, paired=False):
    counts = np.array([[90.0, 5, 1], [2, 80, 3], [1, 2, 70]])
    rows = np.zeros(0)
    return NoiseEstimate(
        rate, low, high, disagreement, paired, counts, np.eye(3), rows, counts[:0], rows
    )


@pytest.mark.parametrize(
    ("found", "method", "words"),
    [
        (estimate(0.0, 0.0, 0.03, 0.12), "cross_entropy", "plain cross-entropy is enough"),
        (estimate(0.01, 0.0, CLEAN - 1e-6, 0.24), "cross_entropy", "enough"),
        (estimate(0.0, 0.0, 0.03, 0.56), "eac", "hard images or wrong labels"),
        (estimate(0.0, 0.0, 0.2, 0.56), "eac", "hard images or wrong labels"),
        (estimate(0.02, 0.0, CLEAN, 0.12), "eac", "learns fewer of the wrong labels"),
        (estimate(0.1, 0.06, 0.15, 0.3), "eac", "learns fewer of the wrong labels"),
        (estimate(0.4, 0.35, 0.45, 0.6), "eac", "learns fewer of the wrong labels"),
        (estimate(0.2, 0.0, 0.4, 0.7), "eac", "know too little"),
        (estimate(0.0, 0.0, 0.4, 0.7), "eac", "know too little"),
        (estimate(0.65, 0.6, 0.7, 0.8), "eac", "mend labels first"),
    ],
)
def test_the_method_follows_from_rate_interval_and_contradictions(found, method, words):
    advice = advise(found, NAMES, 2000)
    assert advice.method == method
    assert advice.settings["method.name"] == method
    assert words in advice.text


@pytest.mark.parametrize(("samples", "ramped"), [(500, True), (RAMPED, False)])
def test_eac_gets_a_ramp_where_networks_are_small(samples, ramped):
    settings = advise(estimate(0.3, 0.25, 0.35, 0.5), NAMES, samples).settings
    assert ("method.consistency_ramp" in settings) is ramped


def test_the_evidence_begins_with_what_was_found_in_the_data():
    first = advise(estimate(0.3, 0.25, 0.35, 0.5), NAMES, 2000).evidence[0]
    assert first.startswith("25% to 35% of the labels wrong, 50% contradicted")


def test_noise_between_pairs_names_the_worst_one():
    grounds = advise(estimate(0.2, 0.15, 0.25, 0.4, paired=True), NAMES, 2000).evidence
    assert any("cat given as dog" in ground for ground in grounds)
    plain = advise(estimate(0.2, 0.15, 0.25, 0.4), NAMES, 2000).evidence
    assert not any("given as" in ground for ground in plain)


@pytest.mark.parametrize("disagreement", [0.1, 0.6])
def test_a_recipe_takes_the_settings_as_they_are(disagreement):
    advice = advise(estimate(0.0, 0.0, 0.03, disagreement), NAMES, 2000)
    overrides = [f"{key}={value}" for key, value in advice.settings.items()]
    recipe = load_recipe("quickstart", overrides, {}).recipe
    assert recipe.method.name == advice.method


@pytest.mark.parametrize(
    ("told", "method", "words"),
    [
        (ByPeople(0.01, 0.0, 0.03, "200 checks"), "cross_entropy", "enough"),
        (ByPeople(0.37, 0.33, 0.41, "200 checks"), "eac", "learns fewer of the wrong labels"),
        (ByPeople(0.03, 0.0, 0.09, "30 checks"), "eac", "learns fewer of the wrong labels"),
        (ByPeople(0.7, 0.6, 0.8, "30 checks"), "eac", "mend labels first"),
    ],
)
def test_what_people_say_goes_before_what_networks_say(told, method, words):
    # By the networks these labels are clean, and much contradicted.
    advice = advise(estimate(0.0, 0.0, 0.03, 0.56), NAMES, 2000, told)
    assert advice.method == method
    assert words in advice.text
    assert told.source in advice.evidence[0]

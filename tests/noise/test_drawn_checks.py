"""Labels picked for a check, and the rate of wrong ones read from the answers, by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.noise.checked_rate import FEWEST_CHECKS, checked_rate
from eactf.noise.draw_checks import FOLDS, check_folds, draw_checks
from eactf.noise.wrong_chance import WrongChance

IDS = np.arange(400) * 7


def population(rate, *, skill=1.5, seed=0, count=400):
    """Given labels, what a network says of the samples, and which labels are wrong.

    Labels are wrong more often in the first class, and where the network errs.
    """
    numbers = np.random.default_rng(seed)
    true = numbers.integers(0, 4, count)
    evidence = numbers.standard_normal((count, 4))
    evidence[np.arange(count), true] += skill
    powers = np.exp(evidence)
    doubt = (evidence.argmax(axis=1) != true) + 2.0 * (true == 0)
    wrong = numbers.random(count) < rate * (0.3 + doubt) / np.mean(0.3 + doubt)
    given = np.where(wrong, (true + 1) % 4, true)
    return given, powers / powers.sum(axis=1, keepdims=True), wrong.astype(float)


def answered(given, probabilities, wrong, sizes, seed, *, last=None):
    """The rate after rounds of these sizes, all truly answered; `last` answers to the last one."""
    ids = IDS[: len(given)]
    model, fold = WrongChance(probabilities, given), check_folds(ids, seed)
    rounds, answers = [], []
    rows, known = np.empty(0, np.int64), np.empty(0)
    for size in sizes:
        chance = model.learned(rows, known)
        rounds.append(draw_checks(ids, given, chance, size, before=rows, seed=seed))
        answers.append(wrong[rounds[-1].rows])
        rows = np.concatenate([rows, rounds[-1].rows])
        known = wrong[rows]
    if last is not None:
        answers[-1] = answers[-1][:last]
    return checked_rate(model, fold, rounds, answers)


@pytest.mark.parametrize(
    ("sizes", "last"), [([60], None), ([30, 30], None), ([60], 37), ([30, 60], 20)]
)
@pytest.mark.parametrize("rate", [0.05, 0.35])
def test_the_rate_is_unbiased_whatever_the_rounds_and_how_far_they_are_answered(rate, sizes, last):
    given, probabilities, wrong = population(rate)
    found = [
        answered(given, probabilities, wrong, sizes, seed, last=last).unbiased
        for seed in range(300)
    ]
    error = np.std(found) / len(found) ** 0.5
    assert np.mean(found) == pytest.approx(wrong.mean(), abs=3.0 * error)


def test_a_model_that_believes_the_opposite_biases_nothing():
    given, probabilities, wrong = population(0.3)
    upside_down = probabilities.max(axis=1, keepdims=True) - probabilities + 1e-3
    upside_down /= upside_down.sum(axis=1, keepdims=True)
    found = [answered(given, upside_down, wrong, [60], seed).unbiased for seed in range(300)]
    assert np.mean(found) == pytest.approx(wrong.mean(), abs=3.0 * np.std(found) / 300**0.5)


@pytest.mark.parametrize("rate", [0.0, 0.03, 0.2, 0.5])
def test_the_interval_holds_the_truth_nine_times_in_ten(rate):
    given, probabilities, wrong = population(rate)
    found = [answered(given, probabilities, wrong, [60], seed) for seed in range(200)]
    held = np.mean([each.low <= wrong.mean() <= each.high for each in found])
    assert held >= 0.85
    assert all(0 <= each.low <= each.rate <= each.high <= 1 for each in found)


def test_choosing_tells_more_than_an_even_draw():
    given, probabilities, wrong = population(0.35)
    found = [answered(given, probabilities, wrong, [80], seed).unbiased for seed in range(300)]
    even = (wrong.mean() * (1 - wrong.mean()) / 80 * (1 - 80 / 400)) ** 0.5
    assert np.std(found) < 0.9 * even


def test_more_answers_narrow_the_interval():
    given, probabilities, wrong = population(0.3)
    few, more = (answered(given, probabilities, wrong, sizes, 0) for sizes in ([40], [40, 160]))
    assert more.high - more.low < 0.7 * (few.high - few.low)


def test_a_check_of_every_label_leaves_no_doubt():
    given, probabilities, wrong = population(0.3, count=60)
    found = answered(given, probabilities, wrong, [30, 30], 0)
    assert found.rate == pytest.approx(wrong.mean())
    assert found.high - found.low < 1e-6
    assert found.checked == 60


def test_answers_that_cannot_tell_widen_the_interval_both_ways():
    given, probabilities, wrong = population(0.3)
    ids = IDS
    model, fold = WrongChance(probabilities, given), check_folds(ids, 0)
    round_ = draw_checks(ids, given, model.learned(np.empty(0, int), np.empty(0)), 60)
    sure = wrong[round_.rows]
    unsure = np.where(np.arange(60) % 4 == 0, 0.5, sure)
    plain, open_ = (checked_rate(model, fold, [round_], [each]) for each in (sure, unsure))
    assert open_.unsure == 15
    assert open_.low < plain.low
    assert open_.high > plain.high


@pytest.mark.parametrize("count", [1, 7, 60, 399, 400, 1000])
def test_each_round_holds_so_many_different_samples_and_none_of_an_earlier_one(count):
    given, probabilities, _ = population(0.3)
    chance = WrongChance(probabilities, given).learned(np.empty(0, int), np.empty(0))
    before = np.arange(0, 400, 9)
    round_ = draw_checks(IDS, given, chance, count, before=before)
    assert len(set(round_.rows)) == len(round_.rows) == min(count, 400 - len(before))
    assert not set(round_.rows) & set(before)
    assert round_.inclusion.sum() == pytest.approx(len(round_.rows))
    assert (round_.inclusion[before] == 0).all()
    assert round_.inclusion.max() <= 1.0


def test_samples_are_met_as_often_as_their_probability_says():
    given, probabilities, _ = population(0.3)
    chance = WrongChance(probabilities, given).learned(np.empty(0, int), np.empty(0))
    met, meant = np.zeros(400), np.zeros(400)
    for seed in range(400):
        round_ = draw_checks(IDS, given, chance, 80, seed=seed)
        met[round_.rows] += 1
        meant += round_.inclusion
    assert np.abs(met - meant).max() < 5 * np.sqrt(meant.max())
    assert np.corrcoef(met, meant)[0, 1] > 0.5
    assert meant.min() > 0.3 * meant.mean()


def test_a_draw_depends_on_its_arguments_alone():
    given, probabilities, _ = population(0.3)
    chance = WrongChance(probabilities, given).learned(np.empty(0, int), np.empty(0))
    draws = [draw_checks(IDS, given, chance, 50, seed=seed).rows for seed in (3, 3, 4)]
    assert (draws[0] == draws[1]).all()
    assert set(draws[0]) != set(draws[2])


def test_the_parts_are_of_equal_size():
    assert set(np.bincount(check_folds(IDS, 5))) == {len(IDS) // FOLDS}


def test_the_chance_learns_which_classes_are_wrong():
    given, probabilities, wrong = population(0.3)
    model = WrongChance(probabilities, given)
    rows = np.arange(150)
    before = model.learned(np.empty(0, np.int64), np.empty(0))
    after = model.learned(rows, wrong[rows])
    rest = np.arange(150, 400)

    def off(chance):
        return np.mean((chance[rest] - wrong[rest]) ** 2)

    assert off(after) < off(before)
    assert ((after > 0) & (after < 1)).all()


def test_thousands_of_classes_take_no_more_room_than_their_labels():
    given = np.arange(4000)
    model = WrongChance(np.broadcast_to(0.2, (4000, 4000)), given)
    chance = model.learned(np.arange(30), np.ones(30))
    assert chance[:30].min() > chance[30:].max()


def test_too_few_answers_and_gaps_between_rounds_are_refused():
    given, probabilities, wrong = population(0.3)
    with pytest.raises(ValueError, match="at least"):
        answered(given, probabilities, wrong, [60], 0, last=FEWEST_CHECKS - 1)
    model, fold = WrongChance(probabilities, given), check_folds(IDS, 0)
    chance = model.learned(np.empty(0, int), np.empty(0))
    first = draw_checks(IDS, given, chance, 30)
    second = draw_checks(IDS, given, chance, 30, before=first.rows)
    with pytest.raises(ValueError, match="not answered to its end"):
        checked_rate(model, fold, [first, second], [np.zeros(29), np.zeros(30)])

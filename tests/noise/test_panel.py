"""What a few people's votes say of labels, on made-up people who disagree on hard images."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.errors import DataError
from eactf.noise.panel import panel_reading

CLASSES = 4


def voted(count, people, *, seed=0, spare=1):
    """Votes in four classes and `spare` further columns, and the class endless people would choose.

    Each image has shares of its own about its class; some are easy, some are close calls.
    """
    numbers = np.random.default_rng(seed)
    laws = np.full((CLASSES, CLASSES + spare), 0.3) + 4.0 * np.eye(CLASSES, CLASSES + spare)
    laws[0, 1] += 1.5  # people who see the first class often take it for the second
    shares = numbers.standard_gamma(laws[numbers.integers(0, CLASSES, count)])
    shares /= shares.sum(axis=1, keepdims=True)
    votes = numbers.multinomial(people, shares)
    return votes, shares[:, :CLASSES].argmax(axis=1)


@pytest.mark.parametrize("people", [3, 10])
@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_labels_made_apart_from_the_votes_lie_between_two_readings(people, rate):
    votes, true = voted(3000, people)
    wrong = np.random.default_rng(1).random(3000) < rate
    given = np.where(wrong, (true + 1) % CLASSES, true)
    found = panel_reading(votes, CLASSES, given)
    assert found.low <= np.mean(given != true) <= found.high
    assert found.low < found.rate < found.high
    told_by_majority = np.mean(votes[:, :CLASSES].argmax(axis=1) != given)
    assert abs(found.rate - rate) < abs(told_by_majority - rate)


def test_the_label_of_one_more_person_lies_between_them_too():
    votes, true = voted(3000, 10)
    numbers = np.random.default_rng(2)
    people = np.repeat(np.arange(CLASSES + 1)[None], 3000, axis=0)
    one = np.array(
        [numbers.choice(np.repeat(row, vote)) for row, vote in zip(people, votes, strict=True)]
    )
    votes[np.arange(3000), one] -= 1
    kept = one < CLASSES
    found = panel_reading(votes[kept], CLASSES, one[kept])
    assert found.rate == pytest.approx(np.mean(one[kept] != true[kept]), abs=0.04)
    assert found.low <= np.mean(one[kept] != true[kept]) <= found.high


@pytest.mark.parametrize("people", [5, 10])
def test_the_votes_own_consensus_is_judged_too(people):
    votes, true = voted(3000, people)
    consensus = votes[:, :CLASSES].argmax(axis=1)
    found = panel_reading(votes, CLASSES, consensus)
    assert found.rate == pytest.approx(np.mean(consensus != true), abs=0.04)


def test_more_people_leave_less_doubt():
    rates = []
    for people in (3, 12):
        votes, _ = voted(2000, people)
        rates.append(panel_reading(votes, CLASSES, votes[:, :CLASSES].argmax(axis=1)).rate)
    assert rates[1] < 0.7 * rates[0]


def test_people_who_all_agree_leave_none():
    true = np.arange(600) % CLASSES
    votes = 10 * np.eye(CLASSES, dtype=np.uint8)[true]
    assert panel_reading(votes, CLASSES, true).rate < 0.01
    assert panel_reading(votes, CLASSES, (true + 1) % CLASSES).rate > 0.99


def test_the_likely_class_is_a_probability_for_each_image_with_votes():
    votes, true = voted(500, 5)
    votes[7] = 0
    votes[8] = np.eye(CLASSES + 1)[2]
    found = panel_reading(votes, CLASSES, true)
    assert np.isnan(found.likely[[7, 8]]).all()
    known = ~np.isnan(found.likely[:, 0])
    assert known.sum() > 480
    assert found.likely[known].sum(axis=1) == pytest.approx(np.ones(known.sum()))
    assert np.mean(found.likely[known].argmax(axis=1) == true[known]) > 0.75


def test_the_same_votes_read_the_same():
    votes, true = voted(400, 5)
    one, other = (panel_reading(votes, CLASSES, true) for _ in range(2))
    assert one.rate == other.rate
    as_float = panel_reading(votes.astype(np.float32), CLASSES, true)
    assert as_float.rate == one.rate


@pytest.mark.parametrize(
    ("votes", "reason"),
    [
        (np.full((10, 4), 0.25), "whole numbers"),
        (np.full((10, 4), -1), "whole numbers"),
        (np.eye(10, 4), "no image has two votes"),
    ],
)
def test_shares_and_single_votes_are_refused(votes, reason):
    with pytest.raises(DataError, match=reason):
        panel_reading(votes, 4, np.zeros(10, int))

"""Votes become labels under the three rules, as FERPlus's own figures say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eactf.errors import DataError, UsageError
from eactf.intake.votes import EMOTIONS, RULES, VOTE_COLUMNS, decide_votes, resolve_votes

FERPLUS = Path(__file__).parents[3] / "shared" / "data" / "ferplus.npz"


def row(**votes):
    """One row of votes by column name."""
    return np.array([[votes.get(column, 0) for column in VOTE_COLUMNS]], dtype=np.uint8)


def decide(rule, classes=8, **votes):
    result = resolve_votes(row(**votes), rule, classes=classes)
    return EMOTIONS[result.label[0]], bool(result.keep[0]), str(result.reason[0])


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ({"happiness": 6, "neutral": 4}, ("happiness", True, "")),
        ({"neutral": 5, "sadness": 5}, ("neutral", True, "")),
        ({"sadness": 4, "anger": 4, "NF": 2}, ("sadness", True, "")),
        ({"anger": 5, "unknown": 5}, ("anger", True, "")),
        ({"anger": 5, "NF": 5}, ("anger", True, "")),
        ({"anger": 4, "unknown": 5, "fear": 1}, ("anger", False, "unknown")),
        ({"anger": 1, "NF": 9}, ("anger", False, "not a face")),
        ({"unknown": 5, "NF": 5}, ("neutral", False, "unknown")),
        ({}, ("neutral", False, "no votes")),
    ],
)
def test_argmax_keeps_what_has_an_emotion_on_top_of_all_columns(votes, expected):
    assert decide("argmax", **votes) == expected


@pytest.mark.parametrize(
    ("votes", "keep", "reason"),
    [
        ({"fear": 6, "surprise": 4}, True, ""),
        ({"fear": 5, "surprise": 5}, False, "no majority"),
        ({"fear": 5, "surprise": 2, "unknown": 3}, False, "no majority"),
        ({"fear": 5, "surprise": 4}, True, ""),
        ({"fear": 4, "unknown": 6}, False, "unknown"),
    ],
)
def test_majority_asks_for_more_than_half_of_all_votes(votes, keep, reason):
    assert decide("majority", **votes) == (decide("argmax", **votes)[0], keep, reason)


def test_soft_targets_are_the_emotions_shares_of_the_emotion_votes():
    votes = np.concatenate([row(anger=6, fear=2, unknown=2), row(unknown=10)])
    result = resolve_votes(votes, "soft")
    assert result.keep.tolist() == [True, False]
    assert result.targets is not None and result.targets.dtype == np.float32
    expected = np.zeros((2, 8))
    expected[0, [4, 6]] = [0.75, 0.25]
    np.testing.assert_array_equal(result.targets, expected)


@pytest.mark.parametrize("rule", ["argmax", "majority"])
def test_only_the_soft_rule_gives_targets(rule):
    assert resolve_votes(row(anger=10), rule).targets is None


def test_seven_classes_leave_out_contempt():
    assert decide("argmax", 7, contempt=6, anger=4) == ("contempt", False, "contempt")
    result = resolve_votes(row(contempt=4, anger=6), "soft", classes=7)
    assert result.targets is not None
    assert result.targets.tolist() == [[0, 0, 0, 0, 1, 0, 0]]


def test_counts_and_ties_are_reported():
    votes = np.concatenate([row(anger=5, fear=5), row(anger=10), row(NF=10), row(unknown=10)])
    result = resolve_votes(votes)
    assert (result.kept, result.ties) == (2, 1)
    assert result.dropped == {"not a face": 1, "unknown": 1}


@pytest.mark.parametrize(
    ("votes", "rule", "classes", "error"),
    [
        (np.zeros((2, 9), int), "argmax", 8, DataError),
        (np.zeros((2, 10)), "argmax", 8, DataError),
        (np.full((2, 10), -1), "argmax", 8, DataError),
        (np.zeros((2, 10), int), "median", 8, UsageError),
        (np.zeros((2, 10), int), "argmax", 6, UsageError),
    ],
)
def test_what_makes_no_sense_is_refused(votes, rule, classes, error):
    with pytest.raises(error, match="expected"):
        resolve_votes(votes, rule, classes=classes)


@pytest.mark.skipif(not FERPLUS.exists(), reason="the real votes are not here")
@pytest.mark.parametrize(
    ("split", "valid", "strict", "ties"), [("train", 28386, 21809, 1292), ("val", 3553, 2862, 137)]
)
def test_the_real_votes_give_the_known_counts(split, valid, strict, ties):
    with np.load(FERPLUS, allow_pickle=False) as arrays:
        votes, label = arrays[f"{split}_votes"], arrays[f"{split}_label"]
        kept = {"argmax": arrays[f"{split}_valid"], "majority": arrays[f"{split}_strict"]}
    kept["soft"] = kept["argmax"]
    results = {rule: resolve_votes(votes, rule) for rule in RULES}
    assert [results[rule].kept for rule in RULES] == [valid, strict, valid]
    assert results["argmax"].ties == ties
    for rule, result in results.items():
        np.testing.assert_array_equal(result.keep, kept[rule])
        np.testing.assert_array_equal(result.label, label)


def test_votes_for_any_classes_are_decided_by_the_same_rules():
    votes = np.array([[2.0, 3, 1], [1, 1, 1], [0.5, 0.25, 4], [0, 0, 0]])
    result = decide_votes(votes, "majority", classes=("cat", "dog"), others=("blurred",))
    assert result.label.tolist()[:2] == [1, 0]
    assert result.reason.tolist() == ["no majority", "no majority", "blurred", "no votes"]
    soft = decide_votes(votes, "soft", classes=("cat", "dog"), others=("blurred",))
    assert soft.keep.tolist() == [True, True, False, False]
    assert soft.targets is not None
    np.testing.assert_allclose(soft.targets, [[0.4, 0.6], [0.5, 0.5], [0, 0], [0, 0]])


@pytest.mark.parametrize("votes", [[[1, -1]], [[1, np.nan]], [[1, 2, 3]]])
def test_votes_for_any_classes_are_checked(votes):
    with pytest.raises(DataError, match="votes: expected"):
        decide_votes(np.array(votes, float), classes=("cat", "dog"))

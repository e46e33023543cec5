"""Classes in several spellings are found, joined when asked, and put in a person's order."""

from __future__ import annotations

import pytest

from eactf.intake.findings import Severity
from eactf.intake.sources.spellings import natural_order, same_spelling, settle_spellings, tidy


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Happy", "happy"),
        ("happy ", "HAPPY"),
        ("happy_face", "happy face"),
        ("Happy-Face", "happyface"),
        ("caf\u00e9", "cafe\u0301"),
        ("03", "3"),
        ("3.0", "3"),
        ("class 1", "class_1"),
    ],
)
def test_two_spellings_of_a_class_are_recognised(one, other):
    assert same_spelling(one) == same_spelling(other)


@pytest.mark.parametrize(
    ("one", "other"), [("1_1", "11"), ("1", "10"), ("-1", "1"), ("sad", "sadness"), ("-", "_")]
)
def test_different_classes_are_not_taken_for_one(one, other):
    assert same_spelling(one) != same_spelling(other)


def test_blanks_around_a_name_and_decomposed_accents_are_tidied():
    assert tidy("\ufeff caf\u0065\u0301\xa0 ") == "caf\u00e9"


def test_numbers_in_names_are_ordered_by_value():
    assert natural_order(["10", "2", "b10", "B9", "a"]) == ["2", "10", "a", "B9", "b10"]


def test_unmerged_spellings_stay_classes_and_are_an_error():
    class_of, (finding,) = settle_spellings({"Happy": 2, "happy": 5, "sad": 3}, merge=False)
    assert class_of == {"Happy": "Happy", "happy": "happy", "sad": "sad"}
    assert (finding.code, finding.severity) == ("class-in-two-spellings", Severity.ERROR)
    assert finding.files == ("Happy", "happy")
    assert "--merge-spellings" in finding.fix


def test_merged_spellings_take_the_most_frequent_one():
    class_of, (finding,) = settle_spellings({"Happy": 2, "happy": 5, "sad": 3}, merge=True)
    assert class_of == {"Happy": "happy", "happy": "happy", "sad": "sad"}
    assert finding.severity is Severity.NOTE


def test_of_two_equally_frequent_spellings_the_first_stands_for_both():
    class_of, _ = settle_spellings({"sad": 1, "SAD": 1}, merge=True)
    assert set(class_of.values()) == {"SAD"}


def test_numbers_of_any_length_have_an_order_and_a_spelling():
    long = "1" * 5_000
    names = ["2", "007", "10", long, long + "0"]
    assert natural_order(reversed(names)) == names
    assert same_spelling(long) == long

"""A person's answers, as words and as a table that a spreadsheet has been at."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.checked.answers import HEADER, AnswerTable, read_answer, wrongness, wrongness_of
from eactf.errors import DataError

NAMES = ("cat", "dog", "no")
GIVEN = ["cat", "dog", "cat"]


def table(path, answers, **columns):
    rows = {
        number: {"given": given, "answer": answer, **columns}
        for number, (given, answer) in enumerate(zip(GIVEN, answers, strict=True), start=1)
    }
    return AnswerTable(path, (*HEADER, *columns), {}).with_rows(rows)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("right", "right"),
        (" Y ", "right"),
        ("wrong", "wrong"),
        ("n", "wrong"),
        ("?", "unsure"),
        ("Dog", "dog"),
        ("no", "no"),  # a class here
    ],
)
def test_an_answer_is_a_word_or_a_class(text, read):
    assert read_answer(text, NAMES) == read


@pytest.mark.parametrize("text", ["", "maybe", "fox", "0.5"])
def test_any_other_answer_is_refused_with_what_is_expected(text):
    with pytest.raises(ValueError, match=r"expected right, wrong, unsure or a class \(cat, dog"):
        read_answer(text, NAMES)


def test_two_classes_that_differ_in_capitals_alone_are_not_guessed_at():
    assert read_answer("Cat", ["cat", "Cat"]) == "Cat"
    with pytest.raises(ValueError, match="expected"):
        read_answer("CAT", ["cat", "Cat"])


def test_the_given_class_is_right_another_one_wrong():
    said = [wrongness(answer, "cat") for answer in ("right", "cat", "dog", "wrong", "unsure")]
    assert said == [0.0, 0.0, 1.0, 1.0, 0.5]


def test_answers_count_up_to_the_first_gap():
    assert wrongness_of(["dog", "", "right"], GIVEN).tolist() == [1.0]
    assert np.array_equal(wrongness_of(["right", "wrong", "unsure"], GIVEN), [0, 1, 0.5])


def test_a_table_comes_back_as_it_was_written_with_columns_of_the_persons_own(tmp_path):
    path = tmp_path / "checks.csv"
    table(path, ["right", "", "dog"], note='says "sad", twice').write()
    again = AnswerTable.read(path)
    assert again.answers(GIVEN, NAMES) == ["right", "", "dog"]
    again.with_rows({2: {"answer": "unsure"}}).write()
    last = AnswerTable.read(path)
    assert last.answers(GIVEN, NAMES) == ["right", "unsure", "dog"]
    assert {row["note"] for row in last.rows.values()} == {'says "sad", twice'}


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_what_a_spreadsheet_made_of_it_is_read(tmp_path, delimiter):
    path = tmp_path / "checks.csv"
    table(path, ["right", "wrong", ""]).write()
    lines = path.read_text(encoding="utf-8-sig").replace(",", delimiter).splitlines()
    path.write_text("\r\n".join([lines[0], *reversed(lines[1:])]), encoding="utf-8-sig")
    assert AnswerTable.read(path).answers(GIVEN, NAMES) == ["right", "wrong", ""]


def test_every_bad_answer_is_told_at_once(tmp_path):
    path = tmp_path / "checks.csv"
    table(path, ["maybe", "right", "fox"]).write()
    with pytest.raises(DataError) as raised:
        AnswerTable.read(path).answers(GIVEN, NAMES)
    assert "number 1: answer 'maybe'" in str(raised.value)
    assert "number 3: answer 'fox'" in str(raised.value)


def test_a_label_changed_in_its_own_column_is_no_answer(tmp_path):
    path = tmp_path / "checks.csv"
    table(path, ["", "", ""]).with_rows({2: {"given": "cat"}}).write()
    with pytest.raises(DataError, match="write the right class into the column answer"):
        AnswerTable.read(path).answers(GIVEN, NAMES)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("number,given\n1,cat\n", "no column answer"),
        ("number,answer\n1,right\n1,wrong\n", "line 3: number 1 a second time"),
        ("number,answer\nx,right\n", "line 2: number 'x'"),
        ("number,answer\n4,right\n", "only 3 labels were drawn"),
    ],
)
def test_a_table_of_another_form_is_refused_with_the_place(tmp_path, text, words):
    path = tmp_path / "checks.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        AnswerTable.read(path).answers(GIVEN, NAMES)


def test_a_table_that_is_gone_is_told(tmp_path):
    with pytest.raises(DataError, match="put it back"):
        AnswerTable.read(tmp_path / "checks.csv")

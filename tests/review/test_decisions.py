"""Decisions are read from any table that has them, wrong ones told all at once."""

from __future__ import annotations

import csv

import pytest

from eactf.errors import DataError, UsageError
from eactf.review.decisions import Choice, Decision, read_decisions, write_decisions

CLASSES = ("anger", "joy", "fear")


def written(tmp_path, *lines):
    path = tmp_path / "decisions.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_decisions_come_back_as_they_were_written(tmp_path):
    path = tmp_path / "decisions.csv"
    made = [
        Decision(Choice.RELABEL, 3, 'a,"b".png', "joy", "fear"),
        Decision(Choice.DROP, None, "c.png", "joy"),
        Decision(Choice.KEEP, 5, "", "anger"),
    ]
    write_decisions(path, made)
    found = read_decisions(path, CLASSES)
    assert [(d.choice, d.id, d.filepath, d.given, d.label) for d in found] == [
        (d.choice, d.id, d.filepath, d.given, d.label) for d in made
    ]


def test_a_suspects_file_filled_in_with_a_spreadsheet_is_a_file_of_decisions(tmp_path):
    path = written(
        tmp_path,
        "\ufeffid,filepath,given_label,predicted_label,score,decision,label",
        "1,a.png,joy,fear,3.5,Relabel ,",
        "2,b.png,joy,fear,3.1,,",
        "3,c.png,joy,fear,2.9,relabel,anger",
    )
    first, second = read_decisions(path, CLASSES)
    assert (first.id, first.label) == (1, "fear")  # the likely one, where none is named
    assert (second.id, second.label) == (3, "anger")


def test_every_line_that_does_not_fit_is_named(tmp_path):
    path = written(
        tmp_path,
        "id,decision,label",
        "1,relabl,joy",
        "2,relabel,jooy",
        "x,drop,",
        ",drop,",
        "5,keep,",
        "5,drop,",
    )
    with pytest.raises(DataError) as failure:
        read_decisions(path, CLASSES)
    told = str(failure.value)
    for words in (
        "5 decisions do not fit",
        "line 2: expected keep, relabel or drop; received 'relabl' (did you mean relabel?)",
        "line 3: expected a class of the data as label; received 'jooy' (did you mean joy?)",
        "line 4: expected a whole number as id; received 'x'",
        "line 5: it names no sample",
        "line 7: id 5 is decided otherwise in line 6",
    ):
        assert words in told


@pytest.mark.parametrize("line", ["a,b", "", "decision", "id"])
def test_another_table_is_refused_with_the_columns_that_are_expected(tmp_path, line):
    with pytest.raises(DataError, match="columns decision"):
        read_decisions(written(tmp_path, line, "1,2"), CLASSES)


def test_a_file_that_is_not_there_and_one_that_is_no_text(tmp_path):
    with pytest.raises(UsageError, match="there is no file"):
        read_decisions(tmp_path / "none.csv", CLASSES)
    (tmp_path / "image.csv").write_bytes(b"\xff\xfe\x00decision")
    with pytest.raises(DataError, match="cannot be read"):
        read_decisions(tmp_path / "image.csv", CLASSES)


def test_names_survive_a_round_trip_through_csv(tmp_path):
    path = tmp_path / "decisions.csv"
    write_decisions(path, [Decision(Choice.DROP, None, 'new\nline, "quoted".png')])
    with path.open(newline="", encoding="utf-8") as file:
        assert next(csv.DictReader(file))["filepath"] == 'new\nline, "quoted".png'

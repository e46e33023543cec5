"""`eactf data noise --checked`: drawing, answering in a table, going on; nothing trains here."""

from __future__ import annotations

import json

import numpy as np
import pytest

from eactf.checked.answers import AnswerTable
from eactf.faces import drawn_face_dataset
from eactf.noise import apply_noise
from eactf.packed import open_packed, write_packed


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """140 faces with three labels in ten wrong, in the folder one is in, predicted at once."""
    from dataclasses import replace

    from eactf.training import noise_audit

    drawn = drawn_face_dataset(train=140, validation=3, test=0, size=16, difficulty=0.0)
    train, _ = apply_noise(
        drawn.splits["train"], drawn.class_names, kind="symmetric", rate=0.3, seed=1
    )
    write_packed(tmp_path / "faces.h5", replace(drawn, splits={"train": train}))
    trained = []

    def at_once(samples, classes, plan, **_):
        trained.append(len(samples))
        said = np.random.default_rng(0).dirichlet(np.ones(classes), len(samples))
        said[np.arange(len(samples)), samples.clean] += 1.0
        return said / said.sum(axis=1, keepdims=True)

    monkeypatch.setattr(noise_audit, "out_of_fold", at_once)
    monkeypatch.chdir(tmp_path)
    return trained


def answer(truly=None, until=None):
    """Fill in the table of answers, rightly or with the same text for all."""
    from pathlib import Path

    dataset = open_packed(Path("faces.h5"))
    train = dataset.splits["train"]
    clean = dict(zip(train.ids.tolist(), train.clean, strict=True))
    table = AnswerTable.read(Path("faces.checks/checks.csv"))
    rows = {
        number: {"answer": truly or dataset.class_names[clean[int(row["id"])]]}
        for number, row in table.rows.items()
        if until is None or number <= until
    }
    table.with_rows(rows).write()


def event(result, name="noise"):
    events = [json.loads(line) for line in result.stdout.splitlines()]
    return next(each for each in events if each["event"] == name)


def test_the_first_call_draws_and_says_how_to_answer(packed, invoke):
    result = invoke("data", "noise", "faces.h5", "--checked", 30)
    assert result.exit_code == 0, result.output
    assert "30 labels to check: look at faces.checks/index.html" in result.output
    assert "give the command again" in result.output
    assert "by 30 checks" not in result.output


def test_the_second_call_trains_nothing_and_reads_the_answers(packed, invoke):
    invoke("data", "noise", "faces.h5", "--checked", 60)
    answer()
    result = invoke("data", "noise", "faces.h5", "--checked", 60)
    assert len(packed) == 1
    assert "by 60 checks" in result.output
    assert "all 60 checks are answered; --checked 120" in result.output
    assert "by 60 checks\n" in result.output  # the advice rests on them
    found = event(invoke("data", "noise", "faces.h5", "--checks", "faces.checks", "--json"))
    assert found["by"] == "60 checks"
    assert found["checked"]["checked"] == 60
    assert found["low"] <= found["true_rate"] <= found["high"]
    assert found["rate"] == found["checked"]["rate"]
    assert len(packed) == 1


def test_labels_that_people_find_right_need_no_other_method(packed, invoke):
    invoke("data", "noise", "faces.h5", "--checked", 140)
    answer("right")
    found = event(invoke("data", "noise", "faces.h5", "--checked", 140, "--json"))
    assert found["rate"] == 0.0
    assert found["advice"]["method"] == "cross_entropy"


def test_more_checks_are_drawn_when_the_first_are_answered(packed, invoke):
    invoke("data", "noise", "faces.h5", "--checked", 30)
    answer(until=20)
    refused = invoke("data", "noise", "faces.h5", "--checked", 60)
    assert refused.exit_code == 2
    assert "from number 21 on" in refused.stderr
    answer()
    found = invoke("data", "noise", "faces.h5", "--checked", 60, "--json")
    assert event(found, "checks") == {
        "event": "checks",
        "folder": "faces.checks",
        "drawn": 60,
        "unanswered": 30,
    }
    assert event(found)["checked"]["checked"] == 30


def test_a_bad_answer_is_refused_with_its_number(packed, invoke):
    invoke("data", "noise", "faces.h5", "--checked", 30)
    answer("perhaps", until=2)
    result = invoke("data", "noise", "faces.h5", "--checked", 30)
    assert result.exit_code == 3
    assert "number 2: answer 'perhaps'" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--checked", "30", "--limit", "120"], 3, "about other labels"),
        (["--checked", "19"], 2, "19 is not in the range"),
        (["--checks", "elsewhere"], 2, "no folder of checks"),
        (["--checked", "30", "--checks", "faces.h5"], 2, "no folder of checks"),
    ],
)
def test_checks_of_other_labels_or_places_are_refused(packed, invoke, arguments, code, words):
    invoke("data", "noise", "faces.h5", "--checked", 30)
    result = invoke("data", "noise", "faces.h5", *arguments)
    assert result.exit_code == code
    assert words in result.stderr


def test_a_person_at_a_terminal_is_asked_and_may_stop(packed, invoke, monkeypatch):
    from eactf import console
    from eactf.cli.data import checking

    typed = iter(["y", "what?", "n", "?", "q"])
    asked = []

    def ask(question):
        asked.append(question)
        return next(typed)

    monkeypatch.setattr(console, "is_terminal", lambda: True)
    monkeypatch.setattr(console, "ask", ask)
    monkeypatch.setattr(checking, "_at_terminal", lambda: True)
    result = invoke("data", "noise", "faces.h5", "--checked", 30)
    assert result.exit_code == 0, result.output
    assert asked[1] == asked[2]
    assert "the first without an answer is number 4" in result.output
    table = AnswerTable.read(checking.Path("faces.checks/checks.csv"))
    assert [table.rows[number]["answer"] for number in (1, 2, 3, 4)] == [
        "right",
        "wrong",
        "unsure",
        "",
    ]


def test_an_interrupt_keeps_the_answers(packed, invoke, monkeypatch):
    from eactf import console
    from eactf.cli.data import checking

    typed = iter(["y"])

    def ask(question):
        for text in typed:
            return text
        raise KeyboardInterrupt

    monkeypatch.setattr(console, "ask", ask)
    monkeypatch.setattr(checking, "_at_terminal", lambda: True)
    result = invoke("data", "noise", "faces.h5", "--checked", 30)
    assert result.exit_code == 130
    assert "answers are kept" in result.stderr
    assert AnswerTable.read(checking.Path("faces.checks/checks.csv")).rows[1]["answer"] == "right"


def test_votes_are_read_where_there_are_any(packed, invoke, tmp_path):
    from dataclasses import replace

    dataset = open_packed(tmp_path / "faces.h5")
    train = dataset.splits["train"]
    columns = ("no_face", *reversed(dataset.class_names))
    votes = np.zeros((len(train), len(columns)), np.uint8)
    votes[np.arange(len(train)), len(dataset.class_names) - train.clean] = 5
    train = replace(train, votes=votes, images=np.asarray(train.images))
    voted = replace(dataset, splits={"train": train}, vote_columns=columns)
    write_packed(tmp_path / "voted.h5", voted)
    found = event(invoke("data", "noise", "voted.h5", "--json"))
    assert found["by"] == "5 votes an image"
    assert found["rate"] == pytest.approx(found["true_rate"], abs=0.02)
    assert found["by_votes"]["low"] <= found["true_rate"] <= found["by_votes"]["high"]
    told = invoke("data", "noise", "voted.h5").output
    assert "by the votes: a larger panel than" in told
    assert "by 5 votes an image" in told

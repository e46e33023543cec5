"""How answers are read, what `?` and defaults say, and files of answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from eactf.errors import UsageError
from eactf.intake.findings import Finding, Severity
from eactf.intake.sources.clean_flags import CleanOrFlagError
from eactf.wizard import questions
from eactf.wizard.answering import Answerer, Written, read_answers
from eactf.wizard.choices import Choice, Origin
from eactf.wizard.label_rules import GIVEN

USUAL = Choice(15, Origin.DATA, "about 40 epochs of resnet10")
SPELLINGS = Finding("class-in-two-spellings", Severity.ERROR, "", "", ("Happy", "happy "))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30", 30),
        ("2h", 120),
        ("2 h", 120),
        ("1.5 hours", 90),
        ("90 min", 90),
        ("1 day", 1440),
        ("0.6", 1),
    ],
)
def test_a_time_is_read_as_people_write_it(text, expected):
    assert questions.minutes(text) == expected


@pytest.mark.parametrize("text", ["", "soon", "h", "-5", "0", "1e9", "inf", "nan", "3 weeks"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="minutes"):
        questions.minutes(text)


@pytest.mark.parametrize(("text", "expected"), [("yes", True), ("Y", True), ("false", False)])
def test_yes_and_no_may_be_shortened(text, expected):
    assert questions.yes_or_no(text) is expected


@pytest.mark.parametrize("text", ["", "m", "perhaps", "cleanest"])
def test_an_ambiguous_word_is_refused_with_the_choices(text):
    with pytest.raises(ValueError, match="one of many, measure, clean"):
        questions.one_of(text, ("many", "measure", "clean"))


def test_a_whole_word_wins_over_longer_ones():
    assert questions.one_of("crowd", ("crowd2", "crowd")) == "crowd"


def test_a_recipe_gets_its_suffix_and_does_not_replace_a_file(tmp_path):
    assert questions.new_file(str(tmp_path / "a"), ".yaml", overwrite=False).name == "a.yaml"
    (tmp_path / "a.yaml").touch()
    with pytest.raises(ValueError, match="exists"):
        questions.new_file(str(tmp_path / "a"), ".yaml", overwrite=False)
    assert questions.new_file(str(tmp_path / "a"), ".yaml", overwrite=True)
    with pytest.raises(ValueError, match="folder that is there"):
        questions.new_file(str(tmp_path / "b" / "a"), ".yaml", overwrite=False)
    with pytest.raises(ValueError, match=r"ends in \.yaml"):
        questions.new_file(".yaml", ".yaml", overwrite=False)


def test_the_default_name_is_one_that_is_free(tmp_path):
    assert questions.ask_recipe(tmp_path, overwrite=False).default == "my-data.yaml"
    (tmp_path / "my-data.yaml").touch()
    question = questions.ask_recipe(tmp_path, overwrite=False)
    assert question.default == "my-data-2.yaml"
    assert "are taken" in question.reason
    (tmp_path / "my-data-2.h5").touch()
    assert questions.ask_recipe(tmp_path, overwrite=False).default == "my-data-3.yaml"


@pytest.mark.parametrize(
    ("train", "can_measure", "default", "reason"),
    [
        (3000, True, "measure", "quick networks judge"),
        (200, True, "some", "200 training images are too few"),
        (3000, False, "some", "nothing is measured"),
    ],
)
def test_label_quality_is_measured_by_default_where_that_can_be(
    fingerprint, train, can_measure, default, reason
):
    question = questions.ask_quality(fingerprint(splits={"train": train}), can_measure=can_measure)
    assert question.default == default
    assert reason in question.reason
    assert ("measure" in question.hint) is can_measure


def test_questions_that_do_not_arise_are_not_asked(fingerprint):
    assert questions.ask_merge([]) is None
    assert questions.ask_labels(fingerprint()) is None


def test_packing_is_refused_to_be_left_out_where_a_recipe_needs_it(tmp_path):
    question = questions.ask_pack(
        tmp_path / "a.yaml", "1 MB", source=tmp_path, needed="reasons", overwrite=False
    )
    with pytest.raises(ValueError, match="reasons"):
        question.parse("no")
    assert question.parse("yes") == tmp_path / "a.h5"
    (tmp_path / "a.h5").touch()
    again = questions.ask_pack(
        tmp_path / "a.yaml", "1 MB", source=tmp_path, needed="", overwrite=False
    )
    assert again.parse("yes") == tmp_path / "a-2.h5"
    assert question.parse(str(tmp_path / "other.h5")) == tmp_path / "other.h5"
    with pytest.raises(ValueError, match=r"ends in \.h5"):
        question.parse("yse")


def test_packing_never_replaces_the_images_themselves(tmp_path):
    images = tmp_path / "faces.h5"
    images.touch()
    question = questions.ask_pack(
        tmp_path / "faces.yaml", "1 MB", source=images, needed="", overwrite=True
    )
    assert question.parse("yes") == tmp_path / "faces-2.h5"
    with pytest.raises(ValueError, match="the images themselves"):
        question.parse(str(images))


def test_a_folder_that_takes_no_files_is_told_of_early(tmp_path, monkeypatch):
    monkeypatch.setattr("eactf.wizard.questions.os.access", lambda path, mode: False)
    with pytest.raises(ValueError, match="may be written to"):
        questions.new_file(str(tmp_path / "a"), ".yaml", overwrite=False)


@pytest.mark.parametrize("typed", ["'{}'", '"{}"', "{}"])
def test_a_path_dragged_into_the_terminal_is_read(tmp_path, typed):
    folder = tmp_path / "my faces"
    folder.mkdir()
    parse = questions.ask_data().parse
    assert parse(typed.format(folder)) == folder
    assert parse(str(folder).replace(" ", "\\ ")) == folder
    with pytest.raises(ValueError, match="there is no it's"):
        parse("it's")


def all_questions(fingerprint, tmp_path):
    sets = fingerprint(label_sets={"crowd": 0.2})
    return [
        questions.ask_data(),
        questions.ask_clean(CleanOrFlagError("m.csv", "clean", {"1", "0"}, 7)),
        questions.ask_merge([SPELLINGS]),
        questions.ask_missing({"NA": 3}, 9),
        questions.ask_labels(sets),
        questions.ask_quality(sets, can_measure=True),
        questions.ask_minutes(USUAL, "2 CPU cores"),
        questions.ask_recipe(tmp_path, overwrite=False),
        questions.ask_pack(
            tmp_path / "a.yaml", "1 MB", source=tmp_path, needed="", overwrite=False
        ),
        questions.ask_write([tmp_path / "a.yaml"]),
    ]


def test_all_questions_have_their_place_a_reason_and_more(fingerprint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = all_questions(fingerprint, tmp_path)
    assert tuple(question.key for question in asked) == questions.KEYS
    for question in asked:
        assert question.reason and question.hint
        assert len(question.more) > len(question.reason)
        if question.default is not None:
            question.parse(question.default)  # a default is an answer


def answers_file(tmp_path, text):
    path = tmp_path / "answers.yaml"
    path.write_text(text)
    return path


def test_answers_may_be_written_as_any_plain_value(tmp_path):
    path = answers_file(tmp_path, "minutes: 30\nmerge: true\nquality: some\n")
    answers, problems = read_answers(path)
    assert {key: written.text for key, written in answers.items()} == {
        "minutes": "30",
        "merge": "true",
        "quality": "some",
    }
    assert answers["merge"].where == f"{path}, line 2"
    assert problems == []


def test_every_fault_of_an_answers_file_is_told_at_once(tmp_path):
    path = answers_file(tmp_path, "minuts: 30\nquality: [some]\nminutes: soon\nlabels:\nzzz: 1\n")
    answers, problems = read_answers(path)
    answerer = Answerer(answers, defaults=True, problems=problems)
    assert answerer.ask(questions.ask_minutes(USUAL, "2 CPU cores")) == 15
    with pytest.raises(UsageError) as caught:
        answerer.finish()
    text = str(caught.value)
    assert "5 problems" in text
    assert f"minuts: unknown question  ({path}, line 1)" in text
    assert "did you mean minutes?" in text
    assert f"quality: not an answer  ({path}, line 2)" in text
    assert f"minutes = soon  ({path}, line 3)" in text
    assert "expected a number of minutes" in text
    assert f"labels: not an answer  ({path}, line 4)" in text
    assert "zzz: unknown question" in text


@pytest.mark.parametrize("text", ["", "- a\n", "{", "a: *b\n"])
def test_a_file_that_is_no_list_of_answers_is_refused(tmp_path, text):
    path = answers_file(tmp_path, text)
    with pytest.raises(UsageError, match=r"answers\.yaml"):
        answers, problems = read_answers(path)
        Answerer(answers, problems=problems).finish()


def test_an_answers_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"there is no file .*none\.yaml"):
        read_answers(tmp_path / "none.yaml")


def test_without_a_terminal_all_missing_answers_are_listed_with_choices_and_default(fingerprint):
    answerer = Answerer()
    assert answerer.ask(questions.ask_quality(fingerprint(), can_measure=True)) == "measure"
    answerer.ask(questions.ask_minutes(USUAL, "2 CPU cores"))
    with pytest.raises(UsageError) as caught:
        answerer.finish()
    text = str(caught.value)
    assert caught.value.exit_code == 2
    assert "2 answers are missing" in text
    assert "clean, some (are wrong), many (are wrong), measure; default measure" in text
    assert "default 15" in text
    assert "--yes" in text and "--answers" in text


def test_a_missing_path_cannot_be_defaulted():
    answerer = Answerer(defaults=True)
    assert answerer.ask(questions.ask_data()) is None
    with pytest.raises(UsageError, match="no default"):
        answerer.finish()


def test_who_answered_is_remembered():
    answerer = Answerer({"minutes": Written("9", "a.yaml, line 1")}, defaults=True)
    assert answerer.ask(questions.ask_minutes(USUAL, "a CPU")) == 9
    assert answerer.ask(questions.ask_write([Path("a.yaml")])) is True
    assert answerer.origins == {"minutes": Origin.YOU, "write": Origin.DEFAULT}
    assert answerer.given == {"minutes": "9", "write": "yes"}
    assert Answerer({"labels": Written(GIVEN, "x")}).unused() == ["labels"]


def test_labels_left_out_as_missing_are_asked_about_where_they_are_many():
    assert questions.ask_missing({"NA": 1}, 100) is None
    assert questions.ask_missing({}, 100) is None
    asked = questions.ask_missing({"NA": 30, "-1": 1}, 60)
    assert asked is not None
    assert "'NA' (30), '-1' (1)" in asked.text
    assert "31 of 60 images" in asked.reason

"""The wizard at a pseudo-terminal, as a person uses it."""

from __future__ import annotations

import pytest

from eactf.packed import open_packed
from eactf.recipe import load_recipe
from wizard.at_terminal import CTRL_C, CTRL_D, Terminal
from wizard.shapes import SHAPES

ASKED = {
    "data": "Where are the images?",
    "merge": "Are these the same class?",
    "labels": "Which labels to train on?",
    "quality": "Are the labels right?",
    "minutes": "How many minutes may training take?",
    "recipe": "Name of the recipe file?",
    "pack": "Pack the images into one file?",
    "write": "Write ",
}
KEYS = tuple(ASKED)


@pytest.fixture
def here(tmp_path):
    """The empty folder that the wizard is started in."""
    (tmp_path / "here").mkdir()
    return tmp_path / "here"


@pytest.fixture
def terminal(here, monkeypatch):
    """Starts `eactf wizard` at a terminal; whatever still runs afterwards is ended."""
    started = []
    monkeypatch.setenv("TERM", "xterm")

    def start(*arguments, columns=100):
        words = ["wizard", "--no-measure", *map(str, arguments)]
        started.append(Terminal(words, here, columns))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def everything(folder):
    """A manifest for which every question arises: two spellings, and a second label."""
    path = folder(splits=("all",), count=9)
    rows = []
    for index in range(9):
        rows.append(f"all/no/{index}.png,{'No' if index < 2 else 'no'},no")
        rows.append(f"all/yes/{index}.png,yes,{'no' if index < 3 else 'yes'}")
    (path / "faces.csv").write_text("path,label,crowd\n" + "\n".join(rows) + "\n")
    return path / "faces.csv"


def walk(wizard, everything, until):
    """Answer every question before `until` so that all of them arise."""
    replies = {"data": str(everything), "recipe": "mine"}
    for key in KEYS[: KEYS.index(until)]:
        wizard.see(ASKED[key])
        wizard.type(replies.get(key, ""))
    wizard.see(ASKED[until])


@pytest.mark.parametrize("key", KEYS)
def test_ctrl_c_at_any_question_leaves_nothing(terminal, everything, here, key):
    wizard = terminal()
    walk(wizard, everything, key)
    wizard.press(CTRL_C)
    assert wizard.end() == 130
    assert wizard.shown.endswith("\r\neactf: interrupted; nothing was written\r\n")
    assert list(here.iterdir()) == []


def test_the_end_of_input_is_an_interruption(terminal, folder, here):
    wizard = terminal(folder())
    wizard.press(CTRL_D)
    assert wizard.end() == 130
    assert "nothing was written" in wizard.shown
    assert list(here.iterdir()) == []


def test_all_eight_questions_can_be_answered_with_enter(terminal, everything, here):
    wizard = terminal()
    walk(wizard, everything, "write")
    wizard.type("")
    assert wizard.end() == 0
    assert "eactf train --recipe mine.yaml" in wizard.shown
    assert sorted(path.name for path in here.iterdir()) == ["mine.h5", "mine.yaml"]
    assert open_packed(here / "mine.h5").class_names == ("no", "yes")
    assert "8. Write" in wizard.shown


def test_a_question_mark_explains_and_a_wrong_answer_is_asked_again(terminal, folder, here):
    wizard = terminal(folder())
    wizard.type("?", "perhaps", "clean")  # quality
    wizard.type("soon", "7 min")
    wizard.type("no/such/folder", "mine")
    wizard.type("maybe", "no")  # pack
    wizard.type("")
    assert wizard.end() == 0
    for text in (
        "Erasing Attention",
        "expected one of clean, some, many",
        "expected a number of minutes",
        "expected a file in a folder that is there",
        "expected yes, no, or a file name",
    ):
        assert text in " ".join(wizard.shown.split())
    recipe = load_recipe(str(here / "mine.yaml")).recipe
    assert recipe.method.name == "cross_entropy"
    assert recipe.data.source == "images"


def test_no_at_the_end_writes_nothing(terminal, folder, here):
    wizard = terminal(folder())
    wizard.type("", "", "", "", "no")
    assert wizard.end() == 0
    assert "nothing was written" in wizard.shown
    assert list(here.iterdir()) == []


def test_a_line_typed_ahead_does_not_confirm_a_plan_unseen(terminal, folder, here):
    wizard = terminal(folder())
    wizard.type("", "", "mine", "\n")  # the last line is two: one for packing, one too many
    wizard.see(ASKED["write"])
    wizard.press(CTRL_C)
    assert wizard.end() == 130
    assert list(here.iterdir()) == []


def test_an_answers_file_leaves_only_the_rest_to_be_asked(terminal, folder, tmp_path, here):
    (tmp_path / "answers.yaml").write_text("quality: many\nminutes: 9\nrecipe: mine\n")
    wizard = terminal(folder(), "--answers", tmp_path / "answers.yaml")
    wizard.see("1. Pack the images")
    wizard.type("", "")
    assert wizard.end() == 0
    assert "# you: many labels are wrong" in (here / "mine.yaml").read_text()


@pytest.mark.parametrize("columns", [80, 100])
def test_nothing_the_wizard_says_is_wider_than_the_terminal(
    terminal, everything, columns, monkeypatch
):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    wizard = terminal(columns=columns)
    wizard.type(str(everything))
    typed = len(f"   {everything}")
    for key in KEYS[1:]:
        wizard.see(ASKED[key])
        wizard.type("?", "mine" if key == "recipe" else "")
    assert wizard.end() == 0
    lines = wizard.shown.replace("\r", "").split("\n")
    assert max(len(line) for line in lines if str(everything) not in line) <= columns
    assert typed > columns or len(lines) > 30


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_a_data_set_of_any_shape_can_be_walked_through(
    terminal, tmp_path, folder, draw, here, shape
):
    path, expected = shape(tmp_path, folder, draw)
    wizard = terminal(path)
    replies = {"labels": expected.get("noise.labels", ""), "recipe": "mine"}
    for key in KEYS[1:]:
        if key == "merge" and shape.__name__ != "two_spellings":
            continue
        if key == "labels" and "noise.labels" not in expected:
            continue
        if key == "quality" and shape.__name__.startswith("a_manifest_with"):
            continue
        wizard.see(ASKED[key])
        wizard.type(replies.get(key, ""))
    assert wizard.end() == 0, wizard.shown
    recipe = load_recipe(str(here / "mine.yaml")).recipe
    assert recipe.data.source == "packed"
    assert len(open_packed(here / "mine.h5").splits["train"])

"""The recipe file: it reads back as planned, and every line says where it came from."""

from __future__ import annotations

import re

import pytest

from eactf.recipe import load_recipe
from eactf.wizard.choices import Choice, Origin
from eactf.wizard.label_rules import GIVEN, WrongLabels
from eactf.wizard.plan import Answers, make_plan
from eactf.wizard.time_rules import Pace
from eactf.wizard.writing import recipe_text

SOME = WrongLabels(0.1, Origin.YOU, "some labels are wrong")
CLEAN = WrongLabels(0.0, Origin.YOU, "the labels are right")
LINE = re.compile(r"\s*[a-z_0-9]+: \S.*  # (you|from the data|from this machine|measured|default)")


def write(plan, **header):
    return recipe_text(plan.choices, **{"about": "EAC on faces.", **header})


@pytest.mark.parametrize("wrong", [SOME, CLEAN])
@pytest.mark.parametrize("splits", [{"train": 500}, {"train": 90_000, "validation": 9}])
def test_what_is_written_loads_as_it_was_planned(fingerprint, cpu, tmp_path, wrong, splits):
    answers = Answers(labels="crowd", minutes=5, data="/data/my faces.h5")
    faces = fingerprint(splits=splits, label_sets={"crowd": 0.3})
    plan = make_plan(faces, answers, wrong, Pace(cpu))
    path = tmp_path / "mine.yaml"
    path.write_text(write(plan))
    resolved = load_recipe(str(path))
    for key, choice in plan.choices.items():
        value = resolved.recipe
        for part in key.split("."):
            value = getattr(value, part)
        assert value == choice.value, key
        assert resolved.sources[key].startswith(str(path)), key


def test_every_value_says_where_it_came_from_in_one_column(fingerprint, gpu):
    plan = make_plan(fingerprint(), Answers(GIVEN, 30, "/f.h5"), SOME, Pace(gpu))
    lines = write(plan).splitlines()
    values = [line for line in lines if line and not line.startswith("#") and line[-1] != ":"]
    assert len(values) == len(plan.choices)
    for line in values:
        assert LINE.match(line), line
    assert len({line.index("  # ") for line in values}) == 1


def test_the_header_says_how_to_run_it_and_for_how_long(fingerprint, cpu, tmp_path):
    plan = make_plan(fingerprint(), Answers(GIVEN, 30, "/f.h5"), SOME, Pace(cpu))
    path = tmp_path / "mine.yaml"
    path.write_text(write(plan, run="eactf train --recipe mine.yaml", takes="a while"))
    header = load_recipe(str(path)).header
    assert header["about"] == "EAC on faces."
    assert header["run"] == "eactf train --recipe mine.yaml"
    assert header["takes"] == "a while"


def test_a_long_value_does_not_push_the_other_comments_away():
    long = "/data/" + "x" * 80
    lines = recipe_text(
        {
            "data.path": Choice(long, Origin.YOU),
            "data.image_size": Choice(48, Origin.DATA, "stored as 48x48"),
        },
        about="Faces.",
    ).splitlines()
    assert lines[-1] == "  image_size: 48  # from the data: stored as 48x48"
    assert lines[-2] == f"  path: {long}  # you"


@pytest.mark.parametrize("name", ["a\nseed: 7", "a\r\tb", "a # b", "\u2028a: b", 'say "cheese"'])
def test_names_of_files_cannot_break_out_of_their_line(name, tmp_path):
    text = recipe_text(
        {"seed": Choice(0, Origin.DEFAULT, name), "data.path": Choice(f"/{name}.h5", Origin.YOU)},
        about=f"EAC on {name}.",
        run=name,
    )
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    recipe = load_recipe(str(path)).recipe
    assert recipe.seed == 0
    assert recipe.data.path == f"/{name}.h5"


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-3, "1e-3"), (2.5e-4, "2.5e-4"), (0.05, "0.05"), (5.0, "5.0"), (None, "null"), (48, "48")],
)
def test_numbers_are_written_as_people_write_them(value, text):
    written = recipe_text({"seed": Choice(value, Origin.DEFAULT)}, about="x")
    assert written.splitlines()[-1] == f"seed: {text}  # default"

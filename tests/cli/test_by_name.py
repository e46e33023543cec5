"""A data set's name before a path: the commands that read by it do, the others say which does."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest
from PIL import Image

from eactf.intake.readers.catalogue import NAMES


@pytest.fixture
def raf(tmp_path, monkeypatch):
    """RAF-DB's folder of twelve images, noise in one label of them, in the folder worked in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raf" / "aligned").mkdir(parents=True)
    lines = []
    for number in range(12):
        name = f"{'test' if number % 4 == 3 else 'train'}_{number:05}"
        pixels = np.random.default_rng(number).integers(0, 256, (20, 20, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "raf" / "aligned" / f"{name}_aligned.jpg")
        lines.append(f"{name}.jpg {number % 7 + 1}\n")
    (tmp_path / "raf" / "list_patition_label.txt").write_text("".join(lines))
    noisy = [lines[0].replace(" 1", " 2"), *lines[1:]]
    (tmp_path / "noise.txt").write_text("".join(line for line in noisy if "train" in line))
    return tmp_path


def fingerprint(result):
    return json.loads(result.stdout.splitlines()[0])


def test_a_published_data_set_is_checked_by_its_reader(invoke, raf):
    result = invoke("data", "check", "raf-db", "raf", "--all")
    assert result.exit_code == 0, result.output
    assert "raf (raf-db): 12 images, 7 classes" in result.stdout
    assert "train has 9 images, published: 12,271" in result.stdout


def test_the_options_of_its_reader_and_of_checking_hold_together(invoke, raf):
    words = ["data", "check", "raf-db", "raf", "--json", "--max-bad", "0.5"]
    assert fingerprint(invoke(*words))["class_counts"]["train"]["fear"] == 2
    noisy = fingerprint(invoke(*words, "--noise-file", "noise.txt"))
    assert noisy["class_counts"]["train"]["fear"] == 3


def test_errors_in_a_published_data_set_end_with_code_3(invoke, raf):
    for path in (raf / "raf" / "aligned").glob("train*"):
        path.write_bytes(b"no image")
    result = invoke("data", "check", "raf-db", "raf")
    assert result.exit_code == 3
    assert "error not-an-image" in result.stdout


@pytest.mark.parametrize("name", NAMES)
def test_every_published_data_set_can_be_asked_how_it_is_checked(invoke, name):
    result = invoke("data", "check", name, "--help")
    assert result.exit_code == 0
    assert f"eactf data check {name}" in result.output.replace("Usage: cli", "Usage: eactf")


def test_a_folder_of_a_data_sets_name_is_checked_as_a_folder(invoke, raf):
    for number in range(6):
        place = raf / "raf-db" / f"class {number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.new("L", (20, 20), number).save(place / f"{number}.png")
    for words in ([], ["--max-bad", "0.5"]):
        assert "raf-db (folder): 6 images" in invoke("data", "check", "raf-db", *words).output


def test_ferplus_is_checked_once_it_is_packed(invoke, raf):
    result = invoke("data", "check", "ferplus", "--images", "a.csv", "--votes", "b.csv")
    assert result.exit_code == 2
    assert "eactf data pack ferplus --images FILE --votes FILE -o ferplus.h5" in result.stderr
    assert "eactf data check ferplus.h5" in result.stderr


@pytest.mark.parametrize("command", [["wizard"], ["data", "noise"]])
def test_what_takes_a_path_alone_leads_to_packing(invoke, raf, command):
    result = invoke(*command, "raf-db", "raf")
    assert result.exit_code == 2
    assert "takes no data set by its name, and raf-db was given" in result.stderr
    pack, then = (line.strip() for line in result.stderr.strip().splitlines()[-2:])
    assert pack == "eactf data pack raf-db raf -o raf-db.h5"
    assert then == f"eactf {' '.join(command)} raf-db.h5"
    assert invoke(*shlex.split(pack)[1:]).exit_code == 0
    assert "no file or folder" not in invoke(*command, "raf-db.h5", "--nonsense").stderr


@pytest.mark.parametrize("command", [["wizard"], ["data", "noise"]])
def test_a_path_behind_a_name_that_is_not_there_is_told_as_such(invoke, raf, command):
    result = invoke(*command, "raf-db", "nowhere")
    assert result.exit_code in (2, 3)
    assert "nowhere" in result.stderr and "raf-db" not in result.stderr


@pytest.mark.parametrize("command", [["check", "--all"], ["pack", "-o", "x.h5"]])
def test_a_name_behind_an_option_is_told_to_go_first(invoke, raf, command):
    result = invoke("data", *command, "raf-db", "raf")
    assert result.exit_code == 2
    assert "raf-db stands behind an option" in result.stderr
    assert f"data {command[0]} raf-db raf ..." in result.stderr


@pytest.mark.parametrize("command", [["wizard"], ["data", "noise"], ["data", "check", "--all"]])
def test_other_words_too_many_or_too_few_are_usage_errors(invoke, raf, command):
    result = invoke(*command, "raf", "noise.txt", "more")
    assert result.exit_code == 2
    assert "unexpected extra arguments (noise.txt more)" in result.stderr
    if command != ["wizard"]:
        assert "Missing argument 'PATH'" in invoke(*command, "--json").stderr

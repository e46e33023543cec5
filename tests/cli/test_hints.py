"""Every hint leads somewhere: a program that does what the hint says gets what it wanted."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eactf.data.opened import open_data
from eactf.errors import EactfError
from eactf.intake.advice import packing_commands
from eactf.packed import open_packed

ROWS = 24
OPTION = re.compile(r"--[a-z-]+(?: (?:'[^']*'|[^\s;,']+))?")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder to work in, with a few images."""
    monkeypatch.chdir(tmp_path)
    for number in range(ROWS * 3):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(f"{number}.png")
    return tmp_path


def table(header, *columns, name="faces.csv", between=",", rows=ROWS):
    """A table of the images and columns, each a function of the row's number."""
    lines = [] if header is None else [header]
    for number in range(rows):
        lines.append(between.join([f"{number}.png", *(str(column(number)) for column in columns)]))
    Path(name).write_text("\n".join(lines) + "\n")
    return name


def word(number):
    return ("glad", "sad", "calm")[number % 3]


def labels_unnamed():
    return table("path,first,second", word, word), {"NAME": "second"}


def labels_that_do_not_repeat():
    return table("path,label,more", lambda n: f"person {2 * n // 3}", word), {"NAME": "more"}


def labels_all_equal():
    return table("path,label,more", lambda n: "x", word), {"NAME": "more"}


def flags_named_clean():
    return table("path,label,clean", lambda n: n % 3, lambda n: n % 2), {}


def flags_beside_words():
    return table("path,label,clean", word, lambda n: n % 2), {}


def label_array_unnamed():
    images = np.random.default_rng(0).integers(0, 256, (2, ROWS, 8, 8), dtype=np.uint8)
    labels = np.arange(ROWS) % 3
    np.savez("faces.npz", train_x=images[0], train_mine=labels, test_x=images[1], test_y=labels)
    return "faces.npz", {}


def more_unreadable_images_than_allowed():
    for number in range(3):
        Path(f"{number}.png").write_text("no image")
    return table("path,label", word), {}


REFUSED = (
    labels_unnamed,
    labels_that_do_not_repeat,
    labels_all_equal,
    flags_named_clean,
    flags_beside_words,
    label_array_unnamed,
    more_unreadable_images_than_allowed,
)


def options_in(hint, names):
    """The options that a hint names, its placeholders filled."""
    filled = OPTION.findall(hint.replace("NAME", names.get("NAME", "")))
    return [shlex.split(option.rstrip(",.")) for option in filled]


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
@pytest.mark.parametrize("command", ["pack", "wizard"])
def test_the_options_that_a_command_advises_work_on_it(invoke, make, command):
    path, names = make()
    words = {
        "pack": ["data", "pack", path, "-o", "out.h5"],
        "wizard": ["wizard", path, "--yes", "--no-measure", "-o", "out.yaml"],
    }[command]
    result = invoke(*words)
    if "flags" in make.__name__ and command == "wizard":
        assert result.exit_code == 0  # it asks, and takes the default here
        return
    assert result.exit_code == 3, result.output
    advised = options_in(result.stderr.split("\n\n", 1)[1], names)
    assert advised, result.stderr
    for option in advised:
        followed = invoke(*words, *option, "--overwrite")
        if make is labels_all_equal and option[0] == "--missing":
            continue  # it holds only where a value was taken for a missing label
        if make is labels_that_do_not_repeat and command == "wizard" and followed.exit_code:
            assert "no class with two different images" in " ".join(followed.output.split())
            continue
        assert followed.exit_code == 0, (option, followed.output)


@pytest.mark.parametrize("make", REFUSED, ids=lambda make: make.__name__)
def test_what_train_and_evaluate_cannot_say_is_led_to_packing(invoke, make):
    path, names = make()
    if make is labels_all_equal:
        return  # opened as it is, for evaluating; training refuses it with words of its own
    with pytest.raises(EactfError) as caught:
        open_data(Path(path))
    hint = caught.value.hint or ""
    assert "then give --data faces.h5:" in hint
    commands = [line.strip() for line in hint.splitlines() if line.strip().startswith("eactf ")]
    assert commands
    for command in commands:
        words = shlex.split(command.replace("NAME", names.get("NAME", "NAME")))
        result = invoke(*words[1:], "--overwrite")
        assert result.exit_code == 0, (command, result.output)
        assert len(open_data(Path("faces.h5")).class_names) > 1


@pytest.mark.parametrize("between", [" ", "  \t", ","])
def test_a_header_as_advised_names_the_columns_of_a_list(invoke, between):
    name = "faces.txt" if between != "," else "faces.csv"
    path = table(None, word, lambda n: n % 5, name=name, between=between)
    result = invoke("data", "pack", path, "-o", "out.h5")
    assert result.exit_code == 3
    assert "3 columns without a header cannot be told apart" in result.stderr
    header = result.stderr.strip().rpartition("for example: ")[2]
    Path(path).write_text(header + "\n" + Path(path).read_text())
    result = invoke("data", "pack", path, "-o", "out.h5")
    assert result.exit_code == 0, result.output
    assert open_packed("out.h5").class_names == ("calm", "glad", "sad")


@pytest.mark.parametrize("header", ["path label split", "path,label,split", "path;label;split"])
def test_a_header_over_a_list_may_have_other_signs_between_its_names(invoke, header):
    split = ("train", "test")
    path = table(header, word, lambda n: split[n % 4 == 0], name="faces.txt", between=" ")
    result = invoke("data", "pack", path, "-o", "out.h5")
    assert result.exit_code == 0, result.output
    assert len(open_packed("out.h5").splits["test"]) == ROWS // 4


def test_a_list_with_splits_needs_no_header(invoke):
    path = table(None, word, lambda n: ("train", "val")[n % 2], name="f.txt", between=" ")
    assert invoke("data", "pack", path, "-o", "out.h5").exit_code == 0
    assert set(open_packed("out.h5").splits) == {"train", "validation"}


def test_a_header_too_short_is_told_with_one_that_fits(invoke):
    path = table("path label", word, lambda n: "train", name="faces.txt", between=" ")
    result = invoke("data", "pack", path, "-o", "out.h5")
    assert "expected a header of 3 names, for example: path label split" in result.stderr


@pytest.mark.parametrize("first", [0, 1])
def test_numbered_classes_of_few_images_are_taken_as_from_folders(invoke, first):
    path = table("path,label", lambda n: first + n % 36, rows=50)
    result = invoke("data", "pack", path, "-o", "out.h5")
    assert result.exit_code == 0, result.output
    assert len(open_packed("out.h5").class_names) == 36


def test_numbers_that_count_the_rows_are_no_classes(invoke):
    result = invoke("data", "pack", table("path,label", lambda n: n), "-o", "out.h5")
    assert result.exit_code == 3
    assert "these look like no classes" in result.stderr


@pytest.mark.parametrize("name", ["FER2013", "fer-2013", "raf_db", "cifar10", "Tiny_ImageNet"])
def test_a_data_set_written_otherwise_is_answered_with_its_command(invoke, name):
    result = invoke("data", "pack", name, "some folder", "-o", "x.h5")
    assert result.exit_code == 2
    meant = shlex.split(result.stderr.rpartition("meant is: ")[2])
    assert meant[:3] == ["eactf", "data", "pack"]
    followed = invoke(*meant[1:])
    assert "'some folder' does not exist" in followed.stderr or "some folder does" in (
        followed.stderr
    )


def test_an_unknown_name_before_a_path_is_answered_with_all_names(invoke):
    result = invoke("data", "pack", "zebra", "folder", "-o", "x.h5")
    assert result.exit_code == 2
    assert "there is no data set 'zebra', and no file or folder" in result.stderr
    assert "fer2013" in result.stderr and "eactf data pack PATH" in result.stderr


def test_the_name_of_a_data_set_is_no_path_to_check(invoke):
    result = invoke("data", "check", "raf-db")
    assert result.exit_code == 2
    words = shlex.split(result.stderr.rpartition("of that name: ")[2])
    assert invoke(*words[1:]).exit_code == 0


def test_ferplus_takes_the_folder_of_its_two_files_and_leads_to_fer2013_without_votes(invoke):
    result = invoke("data", "pack", "ferplus", "-o", "x.h5")
    assert result.exit_code == 2
    assert "eactf data pack fer2013 FILE -o fer2013.h5" in result.stderr
    Path("both").mkdir()
    result = invoke("data", "pack", "ferplus", "both", "-o", "x.h5")
    assert "both/fer2013new.csv does not exist" in result.stderr


def test_spellings_are_joined_by_the_option_that_check_names(invoke):
    path = table("path,label", lambda n: ("Glad", "glad", "sad")[n % 3])
    result = invoke("data", "check", path)
    assert result.exit_code == 3
    assert "--merge-spellings" in result.stdout
    assert invoke("data", "check", path, "--merge-spellings").exit_code == 0


def test_the_wizards_command_to_see_more_reads_the_data_as_the_wizard_did(invoke):
    path = table("path,first,second", word, word)
    words = ["wizard", path, "--yes", "--no-measure", "-o", "mine.yaml", "--label", "second"]
    result = invoke(*words)
    (command,) = re.findall(r"in all: (eactf .*)", result.stdout)
    assert command == "eactf data check faces.csv --label second"
    assert invoke(*shlex.split(command)[1:]).exit_code in (0, 3)


def test_only_options_that_the_caller_lacks_lead_to_packing():
    text = "take --label NAME, or leave out as many: --max-bad 0.05 (data.max_bad in a recipe)"
    start = "eactf data pack m.csv -o m.h5"
    both = packing_commands(text, Path("m.csv"))
    assert both == [f"{start} --label NAME", f"{start} --max-bad 0.05"]
    assert packing_commands(text, Path("m.csv"), reads=True) == [f"{start} --max-bad 0.05"]
    assert packing_commands("mend the file", Path("m.csv")) == []

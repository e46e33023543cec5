"""What a network said of RAF-DB's images: a further label set and values, joined by name."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from eactf.errors import DataError, UsageError
from eactf.intake.readers.catalogue import open_dataset
from eactf.intake.readers.machine_labels import Said, read_machine_labels
from eactf.noise import RAF_CLASSES

LINES = ["train_00001.jpg 5", "train_00002.jpg 7", "train_00003.jpg 1", "test_0001.jpg 4"]
BARE = "train_00003.jpg 1\ntrain_00001.jpg 6\ntrain_00002.jpg 7\n"


@pytest.fixture
def write(tmp_path):
    def to(text, name="machine.csv"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return to


@pytest.fixture
def raf(tmp_path):
    """A maker of the listing of RAF-DB with three training images and one test image."""
    (tmp_path / "raf" / "aligned").mkdir(parents=True)
    (tmp_path / "raf" / "list_patition_label.txt").write_text("\n".join(LINES))
    for line in LINES:
        Image.new("RGB", (8, 8)).save(
            tmp_path / "raf" / "aligned" / f"{line.split('.')[0]}_aligned.jpg"
        )

    def make(**options):
        settings = {name.replace("_", "-"): str(value) for name, value in options.items()}
        return open_dataset("raf-db", tmp_path / "raf", settings)

    return make


def codes(listing):
    return {finding.code for finding in listing.findings} - {"count-differs"}


@pytest.mark.parametrize(
    "text",
    [
        BARE,
        "train_00003_aligned.jpg,surprise\ntrain_00001_aligned.jpg,Angry\ntrain_00002.jpg,neutral\n",
        "path,predicted,probability_x\na/train_00003.jpg,1,0\ntrain_00001,6,0\ntrain_00002,7,1\n",
        "image\tarousal\tExpression\ntrain_00003\t\t1\ntrain_00001\t\t6\ntrain_00002\t\t7\n",
    ],
)
def test_classes_are_joined_by_name_in_every_form(raf, write, text):
    listing = raf(machine_labels=write(text))
    assert listing.labels["machine"].tolist() == [5, 6, 0, -1]
    assert listing.given.tolist() == [4, 6, 0, 3] and listing.clean is None
    assert codes(listing) == set()
    assert listing.notes["machine_labels"] == ["machine.csv"]


def test_affectnets_numbers_are_read_when_asked_for(raf, write):
    text = "train_00003.jpg 3\ntrain_00001.jpg 7\ntrain_00002.jpg 0\n"
    listing = raf(machine_labels=write(text), machine_numbers="affectnet")
    assert listing.labels["machine"].tolist() == [-1, 6, 0, -1]
    with pytest.raises(DataError, match="line 3: expected an expression, or a number from 1") as e:
        raf(machine_labels=write(text))
    assert "--machine-numbers" in e.value.hint


def test_a_wrong_numbering_is_doubted(raf, write):
    text = "train_00003.jpg 3\ntrain_00001.jpg 2\ntrain_00002.jpg 1\n"
    assert codes(raf(machine_labels=write(text))) == {"machine-labels-differ"}


def test_values_come_with_the_classes_and_are_clipped(raf, write):
    rows = ["train_00001,6,-1.25,0.5", "train_00002,7,,1.5", "train_00003,1,-2,0"]
    listing = raf(machine_labels=write("\n".join(["name,label,valence,arousal", *rows])))
    valence, arousal = listing.values["valence"], listing.values["arousal"]
    assert valence.dtype == arousal.dtype == np.float32
    np.testing.assert_array_equal(valence, [-1, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(arousal, [0.5, 1, 0, np.nan])
    (told,) = (f for f in listing.findings if f.code == "machine-values-clipped")
    assert told.what == "machine.csv: 2 values outside -1 to 1, brought to the nearer end"


def test_values_may_lie_in_a_file_of_their_own(raf, write):
    values = write(
        "train_00002.jpg 0.5 0.25\ntrain_00001.jpg -1 0\ntrain_00003.jpg 0 0\n", "va.txt"
    )
    listing = raf(machine_labels=write(BARE, "labels.txt"), machine_values=values)
    assert listing.labels["machine"].tolist() == [5, 6, 0, -1]
    np.testing.assert_array_equal(listing.values["valence"], [-1, 0.5, 0, np.nan])
    assert raf(machine_values=values).labels == {}
    assert listing.notes["machine_labels"] == ["labels.txt", "va.txt"]


def test_training_images_of_which_nothing_is_said_are_told(raf, write):
    listing = raf(machine_labels=write("train_00001.jpg 5\n"))
    (told,) = (f for f in listing.findings if f.code == "machine-labels-missing")
    assert "says nothing of 2 of 3 training images" in told.what
    assert told.files == ("train_00002", "train_00003")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train_00001.jpg 9\n", r"line 1: expected an expression, or a number.*received '9'"),
        ("train_00001.jpg,5,high,0\n", r"line 1, valence: expected a number.*received 'high'"),
        ("train_00001.jpg 5\ntrain_00001.jpg 6\n", "line 2: train_00001 stands there twice"),
        ("train_00009.jpg 5\n", "labels 1 image that the data set does not have"),
        ("train_00001 5\ntrain_00002 5\n", r"line 1: received 'train_00001, 5'"),
        ("name,comment\ntrain_00001.jpg,x\n", "line 1: received 'name, comment'"),
        ("train_00001.jpg,5,0,0,0\n", "5 columns without a header"),
        ("train_00001.jpg,0.5,0.5\n", "has no column of classes"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(raf, write, text, message):
    with pytest.raises(DataError, match=message):
        raf(machine_labels=write(text))


def test_a_file_that_is_not_there_or_has_no_values_is_refused(raf, write, tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        raf(machine_labels=tmp_path / "none.csv")
    with pytest.raises(DataError, match="has no column valence or arousal"):
        raf(machine_values=write(BARE))


def test_an_image_that_is_there_twice_alike_is_taken_once(write):
    text = "train_00001.jpg,5,,0\ntrain_00001_aligned.jpg,5,,0\n"
    found = read_machine_labels(write(text), RAF_CLASSES)
    assert list(found.by_stem) == ["train_00001"]
    assert found.columns == {"label", "valence", "arousal"}
    assert Said().label == -1

"""A column of two values that is named as true labels are is never taken for them unasked."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from eactf.errors import DataError
from eactf.intake.sources import SourceOptions, open_source
from eactf.intake.sources.clean_flags import CleanOrFlagError

CLASSES = np.arange(12) % 4
FLAGS = np.arange(12) % 2
NAMES = ("clean", "correct", "is_clean", "is_correct")


@pytest.fixture
def table(tmp_path):
    def make(name, values, labels=CLASSES):
        rows = [f"path,label,{name}"]
        for number, (label, value) in enumerate(zip(labels, values, strict=True)):
            Image.new("L", (4, 4), number).save(tmp_path / f"{number}.png")
            rows.append(f"{number}.png,{label},{value}")
        (tmp_path / "m.csv").write_text("\n".join(rows) + "\n")
        return tmp_path / "m.csv"

    return make


@pytest.fixture
def arrays(tmp_path):
    def make(name, values, labels=CLASSES, **more):
        images = np.zeros((len(labels), 4, 4), np.uint8)
        columns = {"x": images, "y": np.array(labels), name: np.array(values)}
        np.savez(tmp_path / "a.npz", **columns, **more)
        return tmp_path / "a.npz"

    return make


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("values", [FLAGS, np.ones(12, int)])
def test_two_values_beside_more_classes_are_refused_with_both_readings(table, arrays, name, values):
    for path in (table(name, values), arrays(name, values)):
        with pytest.raises(CleanOrFlagError, match=f"'{name}' has only the values") as caught:
            open_source(path)
        hint = caught.value.hint or ""
        assert f"--clean {name}" in hint and "--clean ''" in hint


def test_words_beside_numbers_are_offered_as_a_column_alone(table):
    with pytest.raises(CleanOrFlagError, match="of another kind") as caught:
        open_source(table("clean", FLAGS.astype(bool)))
    assert caught.value.hint == "to keep it as a column, whatever it says: --clean ''"


def test_true_and_false_in_an_array_are_one_and_zero(arrays):
    with pytest.raises(CleanOrFlagError, match="only the values 0, 1"):
        open_source(arrays("clean", FLAGS.astype(bool)))


@pytest.mark.parametrize("name", NAMES)
def test_each_reading_can_be_chosen(table, arrays, name):
    for path in (table(name, FLAGS), arrays(name, FLAGS)):
        true = open_source(path, SourceOptions(clean=name))
        assert true.clean.tolist() == FLAGS.tolist()
        flag = open_source(path, SourceOptions(clean=""))
        assert flag.clean is None
        assert flag.class_names == true.class_names == ("0", "1", "2", "3")
        assert flag.columns[name].tolist() == [str(value) for value in FLAGS]
        assert flag.labels == {}


def test_true_labels_of_more_classes_are_taken_as_before(table, arrays):
    clean = (CLASSES + (FLAGS > 0)) % 4
    for path in (table("clean", clean), arrays("clean", clean)):
        assert open_source(path).clean.tolist() == clean.tolist()


def test_two_classes_and_their_true_labels_are_no_question(table, arrays):
    for path in (table("clean", FLAGS[::-1], FLAGS), arrays("clean", FLAGS[::-1], FLAGS)):
        assert open_source(path).clean.tolist() == FLAGS[::-1].tolist()


def test_a_name_that_says_flag_is_a_question_beside_two_classes_too(table, arrays):
    for path in (table("is_clean", FLAGS, FLAGS), arrays("is_clean", FLAGS, FLAGS)):
        with pytest.raises(CleanOrFlagError):
            open_source(path)


def test_yes_and_no_beside_words_are_refused(table):
    words = np.array(["glad", "sad"])[FLAGS]
    with pytest.raises(CleanOrFlagError, match="only the values no, yes beside 2 classes"):
        open_source(table("clean", np.array(["no", "yes"])[FLAGS], words))


def test_true_labels_by_name_are_no_flags_beside_numbered_ones(arrays):
    names = np.array(["cat", "dog", "emu", "fox"])
    path = arrays("clean", names[FLAGS], class_names=names)
    assert open_source(path).clean.tolist() == FLAGS.tolist()


def test_a_column_correct_of_many_values_stays_a_column(table):
    listing = open_source(table("correct", np.arange(12)))
    assert listing.clean is None
    assert listing.columns["correct"].tolist() == [str(number) for number in range(12)]


def test_a_flag_is_an_error_of_the_data(table):
    assert issubclass(CleanOrFlagError, DataError)

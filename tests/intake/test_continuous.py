"""Continuous targets of a user's own data: known by name or named, read as numbers, never lost."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from PIL import Image

from eactf.errors import DataError, UsageError
from eactf.intake.findings import Severity
from eactf.intake.sources import SourceOptions, open_source

ROWS = ("a.png,sad", "b.png,glad", "c.png,sad")


@pytest.fixture
def manifest(tmp_path):
    """A maker of manifests with the columns path, label and `header`; a text a row."""

    def make(header: str, *cells: str, **options):
        for name in ("a.png", "b.png", "c.png"):
            Image.new("L", (2, 2)).save(tmp_path / name)
        rows = [f"{row},{more}" for row, more in zip(ROWS, cells, strict=True)]
        (tmp_path / "m.csv").write_text("\n".join([f"path,label,{header}", *rows]))
        return open_source(tmp_path / "m.csv", SourceOptions(**options))

    return make


def finding(listing, code):
    (found,) = (finding for finding in listing.findings if finding.code == code)
    return found


def same(values, expected):
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, np.float32(expected))


def test_valence_and_arousal_are_known_by_name_and_read_as_numbers(manifest):
    listing = manifest("Valence,AROUSAL,valence_std", "-0.5,1e-1,3", ',"0,25",4', "NA,+.5,5")
    assert list(listing.values) == ["valence", "arousal"]
    same(listing.values["valence"], [-0.5, np.nan, np.nan])
    same(listing.values["arousal"], [0.1, 0.25, 0.5])
    assert list(listing.columns) == ["valence_std"]
    assert listing.notes["manifest_columns"]["values"] == "Valence, AROUSAL"
    assert not listing.labels


def test_the_one_column_beside_path_valence_and_arousal_is_the_label(tmp_path):
    table = tmp_path / "m.csv"
    for name in ("a.png", "b.png"):
        Image.new("L", (2, 2)).save(tmp_path / name)
    table.write_text("Datei,Klasse,valence,arousal\na.png,sad,0,1\nb.png,glad,1,0\n")
    assert open_source(table).class_names == ("glad", "sad")
    table.write_text("path,valence\na.png,low\nb.png,high\n")
    listing = open_source(table)
    assert listing.class_names == ("high", "low") and not listing.values


def test_minus_two_is_affectnets_mark_for_no_valence_and_a_number_elsewhere(manifest):
    listing = manifest("valence,shift", "-2,-2", "-2.000,1", "0.5,1", values=("shift",))
    same(listing.values["valence"], [np.nan, np.nan, 0.5])
    same(listing.values["shift"], [-2, 1, 1])
    assert "valence is -2 2 times" in finding(listing, "value-mark").what


def test_a_column_of_valence_that_is_not_numbers_stays_text_and_that_is_told(manifest):
    listing = manifest("valence", "positive", "inf", "0.5")
    assert listing.values == {}
    assert listing.columns["valence"].tolist() == ["positive", "inf", "0.5"]
    told = finding(listing, "value-not-a-number")
    assert told.severity is Severity.WARNING and told.files == ("line 2", "line 3")
    assert "2 of its cells, such as 'positive'" in told.what


def test_the_user_names_columns_of_continuous_targets_which_must_be_numbers(manifest):
    listing = manifest("age", "31", "n/a", "7.5", values=("Age",))
    same(listing.values["age"], [31, np.nan, 7.5])
    assert "age" not in listing.columns
    wrong = r"line 3, column age: expected a number.*'old'; 1 more like it"
    with pytest.raises(DataError, match=wrong) as caught:
        manifest("age", "31", "old", "1e60", values=("age",))
    assert "--values" in caught.value.hint
    with pytest.raises(UsageError, match=r"--values agee: .* has no such column"):
        manifest("age", "31", "1", "2", values=("agee",))
    with pytest.raises(UsageError, match="'label' is named for two things"):
        manifest("age", "31", "1", "2", values=("label",), label="label")


def test_two_columns_of_one_target_are_both_kept(manifest):
    listing = manifest("Valence,valence", "1,0.25", "0,0.5", "0,0.75")
    same(listing.values["valence"], [1, 0, 0])
    assert listing.columns["valence"].tolist() == ["0.25", "0.5", "0.75"]
    assert "another one is taken" in finding(listing, "value-twice").what


def test_a_class_folder_has_no_continuous_targets(tmp_path):
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        Image.new("L", (2, 2)).save(tmp_path / name / "a.png")
    with pytest.raises(UsageError, match="--values does not apply to an image folder"):
        open_source(tmp_path, SourceOptions(values=("valence",)))


@pytest.fixture(params=["npz", "h5"])
def arrays(request, tmp_path):
    """A maker of files with six images, their labels and further arrays."""

    def make(options=None, **more):
        pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 4), np.uint8)
        more = {"x": pixels, "y": np.array([0, 1, 0, 1, 0, 1]), **more}
        path = tmp_path / f"a.{request.param}"
        if request.param == "npz":
            np.savez(path, **more)
        else:
            with h5py.File(path, "w") as file:
                for name, values in more.items():
                    text = np.asarray(values).dtype.kind == "U"
                    file[name] = values.astype(h5py.string_dtype()) if text else values
        return open_source(path, SourceOptions(values=options or ()))

    return make


def test_arrays_called_valence_and_arousal_are_read_whatever_their_type(arrays):
    listing = arrays(
        valence=np.array([0.5, -1, np.nan, 1, -2, 0]),
        arousal=np.array(["0.5", "", "-1", "NA", "0,25", "1"]),
        age=np.arange(6) + 0.5,
    )
    same(listing.values["valence"], [0.5, -1, np.nan, 1, np.nan, 0])
    same(listing.values["arousal"], [0.5, np.nan, -1, np.nan, 0.25, 1])
    assert list(listing.columns) == ["age"]
    assert "valence is -2 1 times" in finding(listing, "value-mark").what


def test_the_user_names_arrays_of_continuous_targets(arrays):
    ages = np.array([[3], [4], [5], [6], [7], [8]])
    listing = arrays(("age", "shift"), age=ages, shift=-np.arange(6))
    same(listing.values["age"], [3, 4, 5, 6, 7, 8])
    same(listing.values["shift"], [0, -1, -2, -3, -4, -5])
    assert not listing.columns and not listing.labels


def test_an_array_that_is_not_numbers_is_told_or_refused_where_it_is_named(arrays):
    infinite = np.array([0, 1, np.inf, 0, -np.inf, 0])
    listing = arrays(valence=infinite)
    assert listing.columns["valence"][2] == "inf" and not listing.values
    assert finding(listing, "value-not-a-number").files == ("valence[2]", "valence[4]")
    with pytest.raises(DataError, match=r"--values age: .* none in age\[2\] and 1 more"):
        arrays(("age",), age=infinite)
    with pytest.raises(DataError, match="expected a number an image"):
        arrays(("points",), points=np.zeros((6, 2)))
    with pytest.raises(UsageError, match=r"--values y: .* no such array"):
        arrays(("y",))


def test_of_two_arrays_of_one_target_the_second_stays_a_column(arrays):
    listing = arrays(Valence=np.arange(6) / 10, valence=np.arange(6) / 20)
    same(listing.values["valence"], np.arange(6) / 10)
    assert listing.columns["valence"][4] == "0.2"


def test_a_split_without_a_target_has_none(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 4), np.uint8)
    arrays = {"x_train": pixels, "y_train": [0, 1], "x_test": pixels, "y_test": [1, 0]}
    np.savez(tmp_path / "a.npz", **arrays, valence_test=[0.5, 0.25])
    same(open_source(tmp_path / "a.npz").values["valence"], [np.nan, np.nan, 0.5, 0.25])

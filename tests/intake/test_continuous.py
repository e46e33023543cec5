"""Continuous targets of a user's own data: known by name or named, read as numbers, never lost."""

from __future__ import annotations

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

"""Labels that usually mean "no label" are left out where two classes remain."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from eactf.errors import DataError, UsageError
from eactf.intake.checks import check
from eactf.intake.packing import pack
from eactf.intake.scan import scan
from eactf.intake.sources import SourceOptions, open_source
from eactf.intake.sources.missing import NOTE, choose_missing
from eactf.intake.two_classes import refuse_one_class
from eactf.packed import open_packed

PIXELS = np.arange(8 * 16, dtype=np.uint8).reshape(8, 4, 4)


@pytest.fixture
def table(tmp_path):
    """Writes a manifest with these labels, an image each."""

    def make(*labels, header="path,label"):
        for number, _ in enumerate(labels):
            Image.fromarray(PIXELS[number % 8]).save(tmp_path / f"{number}.png")
        rows = [f"{number}.png,{label}" for number, label in enumerate(labels)]
        (tmp_path / "labels.csv").write_text("\n".join([header, *rows]) + "\n")
        return tmp_path / "labels.csv"

    return make


@pytest.fixture
def arrays(tmp_path):
    """Saves a file of arrays with these labels, an image each."""

    def make(*labels, **others):
        values = np.array(labels)
        images = np.resize(PIXELS, (len(labels), 4, 4))
        np.savez(tmp_path / "a.npz", x=images, y=values, **others)
        return tmp_path / "a.npz"

    return make


def labels_of(path, **options):
    listing = open_source(path, SourceOptions(**options))
    names = (*listing.class_names, None)
    return [names[label] for label in listing.given]


def codes(path, **options):
    return {finding.code for finding in open_source(path, SourceOptions(**options)).findings}


@pytest.mark.parametrize(
    ("labels", "missing", "kept"),
    [
        (("happy", "sad", "NA", "null", "-", "?"), {"NA", "null", "-", "?"}, ()),
        (("0", "1", "-1", "-9"), {"-1", "-9"}, ()),
        (("-1", "1"), set(), ()),
        (("-1.0", "+1"), set(), ()),
        (("+", "-"), set(), ()),
        (("+", "-", "?"), {"?"}, ()),
        (("-1", "1", "NA"), {"NA"}, ()),
        (("happy", "NA"), set(), ("NA",)),
        (("-1", "0"), set(), ("-1",)),
        (("NA",), {"NA"}, ()),
        (("a", "b", ""), set(), ()),
        ((), set(), ()),
    ],
)
def test_labels_count_as_missing_where_that_leaves_two_classes(labels, missing, kept):
    chosen = choose_missing(labels)
    assert (chosen.texts, chosen.kept) == (frozenset(missing), kept)
    assert "" in chosen


@pytest.mark.parametrize(
    ("wanted", "missing"),
    [((), set()), (("na",), {"NA"}), (("NULL", "-1"), {"null", "-1.0"}), (("zebra",), set())],
)
def test_what_the_user_names_goes_before_what_is_usual(wanted, missing):
    assert choose_missing(("a", "b", "NA", "null", "-1.0"), wanted).texts == missing


@pytest.mark.parametrize("pair", [(-1, 1), ("+", "-"), ("-1", "1"), (-1.0, 1.0)])
def test_minus_and_plus_are_two_classes_in_tables_and_arrays(table, arrays, pair):
    for path in (table(*pair * 3), arrays(*pair * 3)):
        listing = open_source(path)
        assert len(listing.class_names) == 2
        assert np.bincount(listing.given).tolist() == [3, 3]
        assert not listing.findings or {f.code for f in listing.findings} == set()


def test_minus_one_and_one_are_the_first_and_second_of_two_class_names(arrays):
    path = arrays(-1, 1, 1, class_names=np.array(["off", "on"]))
    assert labels_of(path) == ["off", "on", "on"]


def test_not_a_number_is_no_label_beside_minus_one_and_one(arrays):
    assert labels_of(arrays(-1.0, 1.0, np.nan, 1.0)) == ["-1", "1", None, "1"]


def test_minus_one_beside_two_classes_is_no_label(table, arrays):
    for path in (table(-1, 0, 1), arrays(-1, 0, 1)):
        assert labels_of(path) == [None, "0", "1"]
        assert labels_of(path, missing=()) == ["-1", "0", "1"]
        assert labels_of(path, missing=("0",)) == ["-1", None, "1"]


def test_classes_that_are_named_like_missing_labels_are_kept_when_asked(table, arrays):
    labels = ("NA", "null", "None", "nan", "happy", "")
    for path in (table(*labels), arrays(*labels)):
        assert labels_of(path) == [None, None, "None", None, "happy", None]
        assert labels_of(path, missing=()) == ["NA", "null", "None", "nan", "happy", None]
        assert labels_of(path, missing=("none",)) == ["NA", "null", None, "nan", "happy", None]


def test_rows_left_out_are_told_with_what_they_say_and_the_option(table, arrays):
    for path in (table("NA", "a", "b", "NA", ""), arrays("NA", "a", "b", "NA", "")):
        listing = open_source(path)
        (found,) = (one for one in listing.findings if one.code == "missing-label")
        assert "'NA' 2 times" in found.what and "nothing once" in found.what
        assert "--missing ''" in found.fix
        assert listing.notes[NOTE] == {"NA": 2}


def test_a_mark_that_becomes_a_class_is_told_with_the_option_that_undoes_it(table, arrays):
    for path in (table("happy", "?", "happy"), arrays("happy", "?", "happy")):
        (found,) = (f for f in open_source(path).findings if f.code == "class-means-no-label")
        assert "'?' (once)" in found.what
        assert found.fix.endswith("--missing '?'")
        assert labels_of(path, missing=("?",)) == ["happy", None, "happy"]


def test_the_option_that_is_advised_keeps_the_labels_that_are_missing_already(table):
    path = table("a", "b", "NA", "unknown")
    (found,) = (f for f in open_source(path).findings if f.code == "class-means-no-label")
    assert found.fix.endswith("--missing NA,unknown")
    assert labels_of(path, missing=("NA", "unknown")) == ["a", "b", None, None]


def test_true_labels_that_are_unknown_do_not_make_a_class(table):
    path = table("0,-1", "1,1", "0,0", header="path,label,clean")
    assert open_source(path).clean.tolist() == [-1, 1, 0]


@pytest.mark.parametrize("label", ["x", "1"])
def test_one_class_is_an_error_in_tables_and_arrays(table, arrays, label):
    for path in (table(label, label), arrays(label, label)):
        listing = open_source(path)
        with pytest.raises(DataError, match="nothing to tell apart") as caught:
            refuse_one_class(listing)
        assert "--label" in (caught.value.hint or "")
        (found,) = (f for f in check(listing, scan(listing)) if f.code == "one-class")
        assert found.severity == "error"


def test_one_class_of_test_images_alone_is_no_error(tmp_path, table):
    listing = open_source(table("x,test", "x,test", header="path,label,split"))
    refuse_one_class(listing)
    pack(listing, tmp_path / "t.h5")
    assert len(open_packed(tmp_path / "t.h5").splits["test"]) == 2


def test_an_image_folder_takes_no_missing_labels(tmp_path):
    for name in ("NA", "happy"):
        (tmp_path / name).mkdir()
        Image.fromarray(PIXELS[0]).save(tmp_path / name / "1.png")
    assert open_source(tmp_path).class_names == ("happy", "NA")
    with pytest.raises(UsageError, match="--missing does not apply"):
        open_source(tmp_path, SourceOptions(missing=()))


def test_options_are_written_as_the_flags_that_give_them_again():
    options = SourceOptions(
        label="a b", votes=("x", "y"), missing=(), merge_spellings=True, no_links=True
    )
    assert options.flags() == [
        *("--label", "a b", "--votes", "x,y", "--no-links"),
        *("--missing", "", "--merge-spellings"),
    ]
    assert SourceOptions().flags() == []

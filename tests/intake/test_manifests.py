"""Manifests in the forms that people have are read, and what is wrong in them is told by line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from open_files import open_files
from PIL import Image

from eactf.errors import DataError, UsageError
from eactf.intake.findings import Severity
from eactf.intake.listing import BadImage
from eactf.intake.sources import SourceOptions, open_source
from eactf.packed.records import SPLITS

FACES = Path(__file__).parents[3] / "shared" / "data" / "ferplus_folder"
IMAGES = ("a.png", "b.png", "c.png", "d.png")


@pytest.fixture
def folder(tmp_path):
    return draw(tmp_path, *IMAGES)


def draw(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2)).save(root / name)
    return root


def read(folder: Path, text: str | bytes, name: str = "labels.csv", **options):
    """The listing of a manifest with this text, beside the images."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return open_source(path, SourceOptions(**options))


def labels_of(listing):
    """{name: class}; None where it has no label."""
    names = (*listing.class_names, None)
    return {str(n): names[g] for n, g in zip(listing.names, listing.given, strict=True)}


def splits_of(listing):
    return [SPLITS[split] for split in listing.splits]


def finding(listing, code):
    (found,) = (finding for finding in listing.findings if finding.code == code)
    return found


AB = {"a.png": "sad", "b.png": "glad"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.csv", "path,label\na.png,sad\nb.png,glad\n"),
        ("m.csv", "label,path\nsad,a.png\nglad,b.png\n"),
        ("m.csv", b"\xef\xbb\xbfpath;label\r\na.png;sad\r\nb.png;glad\r\n"),
        ("m.csv", "sep=;\r\npath;label\r\na.png;sad\r\nb.png;glad\r\n"),
        ("m.csv", "path;label;;\na.png;sad;;\n;;;\nb.png;glad;;\n"),
        ("m.tsv", "image\temotion\na.png\tsad\nb.png\tglad\n"),
        ("m.csv", '"Image Name","Class"\n"a.png","sad"\n"b.png","glad"\n'),
        ("m.csv", " File Path , Expression \n a.png , sad \nb.png,  glad  \n"),
        ("m.csv", ",filename,target\n0,a.png,sad\n1,b.png,glad\n"),
        ("m.csv", "Datei,Klasse\na.png,sad\nb.png,glad\n"),
        ("m.csv", "a.png,sad\nb.png,glad\n"),
        ("m.txt", "a.png sad\nb.png   glad\n\n"),
        ("m.txt", "path label\na.png sad\nb.png glad\n"),
        ("m.csv", "path,label\r./a.png,sad\r.//b.png,glad\r"),
        ("m.csv", "path|label\na.png|sad\nb.png|glad"),
    ],
)
def test_every_dialect_gives_the_same_labels(folder, name, text):
    listing = read(folder, text, name)
    assert labels_of(listing) == AB
    assert listing.class_names == ("glad", "sad")
    assert listing.kind == "manifest" and listing.findings == ()
    assert splits_of(listing) == ["train", "train"]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("faces\\A one.png", "faces/A one.png"),
        (".\\faces\\A one.png", "faces/A one.png"),
        ("Faces/a ONE.PNG", "faces/A one.png"),
        ("faces/A one", "faces/A one.png"),
        ("faces/cafe\u0301.png", "faces/caf\u00e9.png"),
        ("faces/../faces/A one.png", "faces/../faces/A one.png"),
    ],
)
def test_a_path_as_people_write_it_finds_the_file_meant(folder, written, found):
    draw(folder, "faces/A one.png", "faces/caf\u00e9.png")
    listing = read(folder, f"path,label\n{written},sad\nb.png,glad\n")
    assert listing.names[0] == found
    with listing.images.open(0) as image:
        assert image.size == (2, 2)


def test_a_path_that_could_mean_two_files_means_neither(folder):
    draw(folder, "b.jpg")
    listing = read(folder, "path,label\nb,sad\na.png,glad\n")
    with pytest.raises(BadImage, match="missing"):
        listing.images.open(0)


def test_an_absolute_path_is_taken_and_shortened_inside_the_folder(folder, tmp_path_factory):
    outside = draw(tmp_path_factory.mktemp("other"), "x.png") / "x.png"
    listing = read(folder, f"path,label\n{folder / 'a.png'},sad\n{outside},glad\n")
    assert listing.names.tolist() == ["a.png", str(outside)]
    assert finding(listing, "outside-the-folder").files == (str(outside),)
    listing.images.open(1).close()


def test_paths_may_start_from_another_folder(folder):
    draw(folder / "images", "x.png", "y.png")
    listing = read(folder, "path,label\nx.png,sad\ny.png,glad\n", root=folder / "images")
    listing.images.open(0).close()


def test_a_missing_file_is_listed_and_missing_when_opened(folder):
    listing = read(folder, "path,label\na.png,sad\ngone.png,glad\nb.png,glad\n")
    assert listing.names.tolist() == ["a.png", "gone.png", "b.png"]
    with pytest.raises(BadImage, match="missing"):
        listing.images.open(1)


def test_images_in_a_folder_below_are_found_and_that_is_told(folder):
    draw(folder / "images", "x.png", "y.png")
    listing = read(folder, "path,label\nx.png,sad\ny.png,glad\n")
    assert listing.names.tolist() == ["images/x.png", "images/y.png"]
    assert "images/<path>" in finding(listing, "images-found").what


def test_a_folder_above_that_the_paths_start_from_is_suggested(folder):
    draw(folder / "faces", "x.png", "y.png")
    (folder / "labels" / "deep").mkdir(parents=True)
    with pytest.raises(DataError, match="2 of 2 images are not there") as caught:
        read(folder / "labels" / "deep", "path,label\nfaces/x.png,sad\nfaces/y.png,glad\n")
    assert f"--root {folder}" in str(caught.value.hint)


@pytest.mark.parametrize("prefix", ["/home/someone/faces/", "C:\\Users\\someone\\faces\\", "old/"])
def test_the_prefix_of_another_machine_is_taken_off(folder, prefix):
    draw(folder, "train/x.png", "train/y.png")
    listing = read(folder, f"path,label\n{prefix}train/x.png,sad\n{prefix}train/y.png,glad\n")
    assert listing.names.tolist() == ["train/x.png", "train/y.png"]
    assert finding(listing, "prefix-taken-off").severity is Severity.NOTE


def test_web_addresses_are_not_fetched(folder):
    with pytest.raises(DataError) as caught:
        read(folder, "path,label\nhttps://host.example/x.png,sad\nhttps://host.example/y.png,b\n")
    assert "nothing is downloaded" in str(caught.value.hint)


def test_splits_clean_labels_label_sets_and_further_columns_are_kept(folder):
    listing = read(
        folder,
        "path,label,split,true_label,first rater,age\n"
        "a.png,sad,Training,sad,glad,31\n"
        "b.png,glad,PublicTest,sad,,\n"
        "c.png,glad,test,angry,sad,7\n",
    )
    assert listing.class_names == ("angry", "glad", "sad")
    assert splits_of(listing) == ["train", "validation", "test"]
    assert listing.given.tolist() == [2, 1, 1]
    assert listing.clean is not None and listing.clean.tolist() == [2, 2, 0]
    assert {name: set_.tolist() for name, set_ in listing.labels.items()} == {
        "first_rater": [1, -1, 2]
    }
    assert {n: c.tolist() for n, c in listing.columns.items()} == {"age": ["31", "", "7"]}
    assert listing.notes["manifest_columns"] == {
        "path": "path",
        "label": "label",
        "split": "split",
        "clean": "true_label",
    }


def test_the_user_names_the_columns(folder):
    text = "x1,x2,x3,x4,label\na.png,sad,dev,sad,1\nb.png,glad,train,sad,2\n"
    options = {"path_column": "x1", "label": "X2", "split_column": "x3", "clean": "x4"}
    listing = read(folder, text, **options)
    assert labels_of(listing) == AB
    assert splits_of(listing) == ["validation", "train"]
    assert listing.clean is not None and listing.clean.tolist() == [1, 1]
    assert list(listing.columns) == ["label"]


def test_whole_number_labels_are_classes_in_the_order_of_their_value(folder):
    listing = read(folder, "path,label,age\na.png,10,2\nb.png,2.0,10\nc.png,2,2\nd.png,-1,2\n")
    assert listing.class_names == ("2", "10")
    assert listing.given.tolist() == [1, 0, 0, -1]
    assert list(listing.columns) == ["age"] and not listing.labels


def test_an_age_is_no_label_set_where_labels_are_numbers_but_a_rater_is(folder):
    listing = read(folder, "path,label,age,rater_2\na.png,1,2,2\nb.png,2,1,2\n")
    assert list(listing.labels) == ["rater_2"] and list(listing.columns) == ["age"]


def test_columns_named_as_the_classes_are_votes(folder):
    listing = read(folder, "path,label,glad,sad,NF\na.png,sad,1,8,1\nb.png,glad,10,,\n")
    assert labels_of(listing) == AB
    assert listing.vote_columns == ("glad", "sad", "NF")
    assert listing.votes is not None and listing.votes.dtype == np.uint8
    assert listing.votes.tolist() == [[1, 8, 1], [10, 0, 0]]


VOTES = "path,sad,glad,unknown\na.png,6,4,0\nb.png,4,5,1\nc.png,1,2,7\nd.png,,,\n"


@pytest.mark.parametrize(
    ("rule", "given", "reasons"),
    [
        ("argmax", [0, 1, -1, -1], {"no votes": 1, "unknown": 1}),
        ("majority", [0, -1, -1, -1], {"no majority": 1, "no votes": 1, "unknown": 1}),
        ("soft", [0, 1, -1, -1], {"no votes": 1, "unknown": 1}),
    ],
)
def test_votes_make_the_labels_by_the_rule(folder, rule, given, reasons):
    listing = read(folder, VOTES, votes=("sad", "glad", "unknown"), vote_rule=rule)
    assert listing.class_names == ("sad", "glad")
    assert listing.given.tolist() == given
    assert listing.notes["dropped"] == reasons and listing.notes["vote_rule"] == rule
    assert finding(listing, "votes-without-label").files[-1] == "line 5"
    assert (listing.targets is not None) == (rule == "soft")
    if listing.targets is not None:
        np.testing.assert_allclose(listing.targets[1], [4 / 9, 5 / 9], rtol=1e-6)


def test_one_hot_shares_are_votes_and_a_label_beside_them_becomes_a_label_set(folder):
    text = "path,label,sad,glad\na.png,glad,0.7,0.3\nb.png,glad,0,1\n"
    listing = read(folder, text, votes=("sad", "glad"))
    assert listing.given.tolist() == [0, 1]
    assert listing.labels["label"].tolist() == [1, 1]
    assert listing.votes is not None and listing.votes.dtype == np.float32


@pytest.mark.parametrize("cell", ["", "NaN", "n/a", "NULL", " ? "])
def test_a_missing_label_is_told_by_line_and_the_row_left_unlabelled(folder, cell):
    listing = read(folder, f"path,label\na.png,sad\nb.png,{cell}\nc.png,glad\n")
    assert labels_of(listing) == {"a.png": "sad", "b.png": None, "c.png": "glad"}
    assert finding(listing, "missing-label").files == ("line 3",)


@pytest.mark.parametrize(
    ("text", "code", "severity", "labels"),
    [
        ("path,label\na.png,sad\nb.png,glad\na.png,sad\n", "named-twice", "warning", AB),
        (
            "path,label\na.png,sad\nb.png,glad\na.png,glad\nb.png,glad\nc.png,sad\nd.png,sad\n",
            "contradicting-labels",
            "error",
            {"a.png": None, "b.png": "glad", "c.png": "sad", "d.png": "sad"},
        ),
        ("path,label\na.png,sad\na.png,\nb.png,glad\n", "named-twice", "warning", AB),
        (
            "path,label\na.png,Sad\nb.png,sad\n",
            "class-in-two-spellings",
            "error",
            {"a.png": "Sad", "b.png": "sad"},
        ),
        (
            "path,label\na.png,unknown\nb.png,sad\n",
            "class-means-no-label",
            "warning",
            {"a.png": "unknown", "b.png": "sad"},
        ),
        (
            "path,label\na.png,3\nb.png,sad\n",
            "words-and-numbers",
            "warning",
            {"a.png": "3", "b.png": "sad"},
        ),
        ("path,label,class\na.png,sad,x\nb.png,glad,y\n", "label-column", "note", AB),
        ("path,label\na.png,sad\n,sad\nb.png,glad\n", "rows-without-path", "warning", AB),
        (f"path,label,b\na.png,sad,{'x' * 1100}\nb.png,glad,\n", "column-left-out", "note", AB),
        ("path,label\nA.png,sad\nb.png,glad\n", "paths-respelled", "note", AB),
    ],
)
def test_a_doubt_about_labels_is_a_finding(folder, text, code, severity, labels):
    listing = read(folder, text)
    found = finding(listing, code)
    assert found.severity == severity and found.fix
    assert labels_of(listing) == labels


def test_an_image_in_two_splits_stays_in_the_later_one(folder):
    text = "path,label,split\na.png,sad,test\na.png,sad,train\nb.png,glad,train\n"
    listing = read(folder, text)
    assert dict(zip(listing.names.tolist(), splits_of(listing), strict=True)) == {
        "a.png": "test",
        "b.png": "train",
    }
    assert finding(listing, "named-in-two-splits").files == ("a.png (lines 2, 3)",)


def test_spellings_are_merged_when_asked(folder):
    text = "path,label,clean\na.png,Sad,sad\nb.png,sad,SAD\nc.png,glad,sad\n"
    listing = read(folder, text, merge_spellings=True)
    assert listing.class_names == ("glad", "sad")
    assert listing.given.tolist() == [1, 1, 0]
    assert listing.clean is not None and listing.clean.tolist() == [1, 1, 1]


def test_folders_in_the_paths_say_the_split_where_no_column_does(folder):
    draw(folder, "train/x.png", "test/y.png")
    listing = read(folder, "path,label\ntrain/x.png,sad\ntest/y.png,glad\n")
    assert splits_of(listing) == ["train", "test"]
    assert "in the paths" in str(listing.notes["splits"])


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("test.csv", "test"),
        ("faces-val.tsv", "validation"),
        ("trainLabels.csv", "train"),
        ("PublicTest.csv", "validation"),
        ("latest.csv", "train"),
        ("train_test.csv", "train"),
    ],
)
def test_a_manifest_without_a_split_column_is_the_split_that_its_name_says(folder, name, split):
    listing = read(folder, "path,label\na.png,sad\nb.png,glad\n", name)
    assert splits_of(listing) == [split, split]
    assert listing.findings == ()


def test_a_manifest_that_is_read_alone_mentions_those_of_the_other_splits(folder):
    for other in ("faces_train.csv", "faces_val.csv", "houses_train.csv"):
        (folder / other).write_text("path,label\na.png,sad\n")
    listing = read(folder, "path,label\na.png,sad\nb.png,glad\n", "faces_test.csv")
    told = finding(listing, "manifest-beside")
    assert told.files == ("faces_train.csv", "faces_val.csv")
    assert told.fix == f"to use all of them pass the folder: {folder}"


def test_paths_that_say_another_split_are_a_doubt(folder):
    draw(folder, "test/x.png", "test/y.png")
    listing = read(folder, "path,label\ntest/x.png,sad\ntest/y.png,glad\n")
    assert splits_of(listing) == ["train", "train"]
    assert finding(listing, "taken-as-training").severity is Severity.WARNING


BAD_FILES = {
    "empty": (b"", "m.csv is empty", "path,label"),
    "a header alone": (b"path,label\n", "no row names an image", "rows"),
    "UTF-16": ("path,label\na.png,sad\n".encode("utf-16"), "is UTF-16 text", "UTF-8"),
    "another encoding": (b"path,label\na.png,sad\nb.png,f\xe2ch\xe9\n", "line 3: not UTF-8", "UTF"),
    "an Excel sheet": (b"PK\x03\x04xxxx", "Excel sheet", "save the sheet as CSV"),
    "no text": (b"path,label\na.png,\0\n", "no text file", "UTF-8"),
    "an open quote": (b'path,label\n"a.png,sad\nb.png,glad\n', "after line 1", "closing double"),
    "a quote closed late": (b'path,label\n"a.png,sad\nb.png",glad\n', "up to line 3", "closing"),
    "too many cells": (b"path,label\na.png,sad\nb,c.png,glad\n", "line 3: expected 2 cells", "quo"),
    "no label column": (b"path,age,size\na.png,1,2\n", "no column with the labels", "--votes age"),
    "no path column": (b"label,age\nsad,1\nglad,2\n", "no column with the images' paths", "--path"),
    "FER2013's own, cut short": (
        b"emotion,pixels,Usage\n0,70 80,Training\n",
        "line 2, pixels: expected 2304 numbers",
        "as published",
    ),
    "a column twice": (
        b"path,label,label\na.png,sad,sad\n",
        "two columns are named 'label'",
        "ren",
    ),
    "an unknown split": (
        b"path,label,split\na.png,sad,train\nb.png,glad,fold 3\n",
        "line 3, spl",
        "",
    ),
    "labels not whole": (
        b"path,label\na.png,1\nb.png,0.25\n",
        "line 3, label: expected a cl",
        "--la",
    ),
    "no label at all": (
        b"path,label\na.png,\nb.png,nan\n",
        "no cell of label is a label",
        "--label",
    ),
    "words and numbers": (b"path,label,clean\na.png,sad,1\n", "label has words and clean", "both"),
    "a list, not parted": (
        b"a.png very sad\nb.png glad\n",
        "line 2: expected 3 words",
        "path,label",
    ),
    "a list, later": (b"a.png sad\nb.png\n", "line 2: expected 2 words", "path,label"),
    "columns unnamed": (
        b"a.png,sad,31\nb.png,glad,7\n",
        "3 columns without a header",
        "path,label",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_label_file_is_refused_with_place_and_next_step(folder, case):
    content, message, hint = BAD_FILES[case]
    with pytest.raises(DataError, match=re.escape(message)) as caught:
        read(folder, content, "m.csv")
    assert "m.csv" in caught.value.message
    assert caught.value.hint is not None and hint in caught.value.hint
    assert folder / "m.csv" not in open_files(), "open for as long as somebody holds the error"


def test_a_class_a_sample_is_no_class(folder):
    rows = "".join(f"{IMAGES[i % 4]},caption {i}\n" for i in range(30))
    with pytest.raises(DataError, match="30 different values in 30 cells"):
        read(folder, "path,label\n" + rows)


@pytest.mark.parametrize("cell", ["-1", "x", "inf", "nan5"])
def test_votes_that_are_no_counts_are_refused_by_line_and_column(folder, cell):
    with pytest.raises(DataError, match="line 3, glad: expected a number of votes"):
        read(folder, f"path,sad,glad\na.png,1,2\nb.png,1,{cell}\n", votes=("sad", "glad"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label": "lable"}, "--label lable: .* has no such column"),
        ({"label": "path", "path_column": "path"}, "named for two things"),
        ({"votes": ("label",)}, "two classes or more"),
        ({"root": Path("nowhere")}, "--root nowhere is no folder"),
    ],
)
def test_an_option_that_names_nothing_is_a_usage_error(folder, options, message):
    with pytest.raises(UsageError, match=message):
        read(folder, "path,label\na.png,1\nb.png,2\n", **options)


@pytest.mark.skipif(not FACES.exists(), reason="the real faces are not here")
def test_the_real_manifest_has_its_known_counts():
    listing = open_source(FACES / "manifest.csv")
    assert len(listing) == 200 and listing.findings == ()
    assert (listing.splits == 0).sum() == 128 and (listing.splits == 2).sum() == 72
    assert list(listing.labels) == ["fer2013_label"]
    assert labels_of(listing)["train/neutral/fer0000613.png"] == "neutral"


def test_a_path_longer_than_a_packed_file_keeps_is_refused_by_its_line(tmp_path):
    (tmp_path / "m.csv").write_text(f"path,label\na.png,sad\n{'x' * 2_000}.png,happy\n")
    with pytest.raises(DataError, match=r"line 3: expected a path of at most 1,024 bytes"):
        open_source(tmp_path / "m.csv")

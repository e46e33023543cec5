"""AffectNet's two forms, with 8 and 7 classes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from eactf.errors import DataError, UnsafeFileError
from eactf.intake.listing import BadImage
from eactf.intake.readers.catalogue import open_dataset

HEADER = (
    "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
    "expression,valence,arousal"
)
TRAIN = [
    "1/a.jpg,2,1,4,5,1.0;2.0,0,0.1,0.2",
    "1/b.jpg,0,0,8,8,1.0;2.0,7,-0.5,0.5",
    "2/c.png,5,5,90,90,1.0;2.0,10,-2,-2",
    "2/d.jpg,0,0,0,0,,6,0.3,0.4",
    "1/a.jpg,2,1,4,5,1.0;2.0,0,0.1,0.2",
]
VALIDATION = ["3/e.jpg,-2,-2,5,5,1.0;2.0,1,0.9,0.1"]


@pytest.fixture
def first_form(tmp_path):
    lists, images = (
        tmp_path / "Manually_Annotated_file_lists",
        tmp_path / "Manually_Annotated_Images",
    )
    lists.mkdir()
    (lists / "training.csv").write_text("\n".join([HEADER, *TRAIN]))
    (lists / "validation.csv").write_text("\n".join([HEADER, *VALIDATION]))
    for name in ("1/a", "1/b", "2/d", "3/e"):
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 9)).save(images / f"{name}.jpg")
    return tmp_path


@pytest.fixture
def second_form(tmp_path):
    for part, labels in (("train_set", ["0", "7", "5"]), ("val_set", ["2"])):
        (tmp_path / part / "images").mkdir(parents=True)
        (tmp_path / part / "annotations").mkdir()
        for number, label in enumerate(labels, start=9):
            Image.new("RGB", (6, 6)).save(tmp_path / part / "images" / f"{number}.jpg")
            np.save(tmp_path / part / "annotations" / f"{number}_exp.npy", np.array(label))
            valence = np.array("-2." if number == 10 else f"{number / 100}")
            np.save(tmp_path / part / "annotations" / f"{number}_val.npy", valence)
    return tmp_path


def size(listing, row):
    with listing.images.open(row) as image:
        return image.size


def test_the_lists_give_labels_splits_valence_and_arousal(first_form):
    listing = open_dataset("affectnet", first_form)
    assert listing.names.tolist() == ["1/a.jpg", "1/b.jpg", "2/d.jpg", "3/e.jpg"]
    assert listing.given.tolist() == [0, 7, 6, 1]
    assert listing.splits.tolist() == [0, 0, 0, 2]
    np.testing.assert_array_equal(listing.values["valence"], np.float32([0.1, -0.5, 0.3, 0.9]))
    np.testing.assert_array_equal(listing.values["arousal"], np.float32([0.2, 0.5, 0.4, 0.1]))
    assert listing.columns == {}


def test_an_image_without_valence_or_arousal_keeps_its_class(first_form):
    path = first_form / "Manually_Annotated_file_lists" / "training.csv"
    path.write_text(path.read_text().replace("7,-0.5,0.5", "7,-2,-2").replace("6,0.3,", "6,,"))
    listing = open_dataset("affectnet", first_form)
    assert listing.given.tolist() == [0, 7, 6, 1]
    nan = np.nan
    np.testing.assert_array_equal(listing.values["valence"], np.float32([0.1, nan, nan, 0.9]))
    np.testing.assert_array_equal(listing.values["arousal"], np.float32([0.2, nan, 0.4, 0.1]))


def test_values_stay_with_their_image_when_classes_are_left_out(first_form):
    listing = open_dataset("affectnet", first_form, {"classes": "7"})
    np.testing.assert_array_equal(listing.values["valence"], np.float32([0.1, 0.3, 0.9]))


def test_what_is_left_out_is_told(first_form):
    notes = [f.what for f in open_dataset("affectnet", first_form).findings if f.code == "left-out"]
    assert notes == ["left out: no face 1, listed again 1"]


def test_seven_classes_leave_out_contempt(first_form):
    listing = open_dataset("affectnet", first_form, {"classes": "7"})
    assert listing.class_names[-1] == "anger"
    assert listing.names.tolist() == ["1/a.jpg", "2/d.jpg", "3/e.jpg"]
    found = [finding.what for finding in listing.findings]
    assert "train has 2 images, published: 283,901" in found
    assert "test has 1 images, published: 3,500" in found


def test_faces_are_cut_to_the_part_of_their_box_that_lies_inside(first_form):
    listing = open_dataset("affectnet", first_form)
    assert [size(listing, row) for row in range(4)] == [(4, 5), (8, 8), (8, 9), (3, 3)]
    whole = open_dataset("affectnet", first_form, {"crop": "no"})
    assert size(whole, 0) == (8, 9)


def test_an_image_that_is_cut_short_is_a_bad_image(first_form):
    path = first_form / "Manually_Annotated_Images" / "1" / "a.jpg"
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(BadImage):
        open_dataset("affectnet", first_form).images.open(0)


def test_a_list_without_header_is_read(first_form):
    path = first_form / "Manually_Annotated_file_lists" / "validation.csv"
    path.write_text("\n".join(VALIDATION))
    assert open_dataset("affectnet", first_form).given.tolist() == [0, 7, 6, 1]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            ",7,-0.5",
            ",11,-0.5",
            "training.csv, line 3, expression: expected 0 to 10, received '11'",
        ),
        (",7,-0.5", ",happy,-0.5", "line 3, expression: expected 0 to 10, received 'happy'"),
        (",7,-0.5", ",7,high", "line 3, valence: expected a number from -1 to 1.*'high'"),
        ("1/b.jpg,0", "1/b.jpg", "line 3: expected 9 cells, received 8"),
        (",expression", ",emotion", "line 1: there is no column expression"),
    ],
)
def test_a_mistake_in_a_list_is_named_with_its_line(first_form, old, new, message):
    path = first_form / "Manually_Annotated_file_lists" / "training.csv"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match=message):
        open_dataset("affectnet", first_form)


def test_the_annotations_give_labels_in_the_order_of_the_numbers(second_form):
    listing = open_dataset("affectnet", second_form)
    assert listing.names.tolist() == [
        "train_set/images/9.jpg",
        "train_set/images/10.jpg",
        "train_set/images/11.jpg",
        "val_set/images/9.jpg",
    ]
    assert listing.given.tolist() == [0, 7, 5, 2]
    assert size(listing, 0) == (6, 6)
    assert list(listing.values) == ["valence"]  # there are no files of arousal
    valence = np.float32([0.09, np.nan, 0.11, 0.09])
    np.testing.assert_array_equal(listing.values["valence"], valence)
    assert "test has 1 images, published: 3,999" in [f.what for f in listing.findings]


def test_annotations_that_are_missing_wrong_or_objects_are_refused(second_form):
    path = second_form / "train_set" / "annotations" / "10_exp.npy"
    for content, kind, message in (
        (np.array(["1", "2"]), DataError, "expected one label"),
        (np.array("12"), DataError, "expected 0 to 10"),
        (np.array([{}], dtype=object), UnsafeFileError, "Python objects"),
    ):
        np.save(path, content, allow_pickle=True)
        with pytest.raises(kind, match=message):
            open_dataset("affectnet", second_form)
    path.unlink()
    with pytest.raises(DataError, match=r"10_exp\.npy is missing"):
        open_dataset("affectnet", second_form)

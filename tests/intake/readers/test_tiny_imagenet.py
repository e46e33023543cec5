"""Tiny-ImageNet's folder, with its validation images as the test split."""

from __future__ import annotations

import pytest
from PIL import Image

from eactf.errors import DataError
from eactf.intake.readers.catalogue import open_dataset

WNIDS = ("n02", "n01", "n03")


@pytest.fixture
def tiny(tmp_path):
    for wnid in WNIDS:
        (tmp_path / "train" / wnid / "images").mkdir(parents=True)
        (tmp_path / "train" / wnid / f"{wnid}_boxes.txt").write_text("")
        for number in (0, 2, 10):
            Image.new("RGB", (4, 4)).save(
                tmp_path / "train" / wnid / "images" / f"{wnid}_{number}.JPEG"
            )
    (tmp_path / "val" / "images").mkdir(parents=True)
    for number in range(2):
        Image.new("L", (4, 4)).save(tmp_path / "val" / "images" / f"val_{number}.JPEG")
    annotations(tmp_path).write_text(
        "val_0.JPEG\tn03\t0\t32\t44\t62\nval_1.JPEG\tn01\t0\t0\t9\t9\n"
    )
    (tmp_path / "words.txt").write_text(
        "n01\tcrane\nn02\tgoldfish, Carassius auratus\nn03\tcrane\n"
    )
    (tmp_path / "test" / "images").mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(tmp_path / "test" / "images" / "test_0.JPEG")
    return tmp_path


def annotations(folder):
    return folder / "val" / "val_annotations.txt"


def test_training_and_validation_images_are_listed_in_order(tiny):
    listing = open_dataset("tiny-imagenet", tiny)
    assert listing.class_names == ("crane n01", "goldfish", "crane n03")
    assert listing.names[:3].tolist() == [
        "train/n01/images/n01_0.JPEG",
        "train/n01/images/n01_2.JPEG",
        "train/n01/images/n01_10.JPEG",
    ]
    assert listing.given.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [2, 0]
    assert listing.splits.tolist() == [0] * 9 + [2] * 2
    listing.images.open(10).close()


def test_the_unpacked_folder_may_lie_inside_and_words_may_be_missing(tiny, tmp_path_factory):
    outer = tmp_path_factory.mktemp("outer")
    tiny.rename(outer / "tiny-imagenet-200")
    (outer / "tiny-imagenet-200" / "words.txt").unlink()
    assert open_dataset("tiny-imagenet", outer).class_names == ("n01", "n02", "n03")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("val_0.JPEG\tn09\t0\t0\t1\t1", "line 1: there is no class 'n09'"),
        ("val_0.JPEG n01", "line 1: expected the image, its class"),
        ("../../secret.JPEG\tn01", "line 1: expected the image, its class"),
    ],
)
def test_a_wrong_annotation_is_named_with_its_line(tiny, text, message):
    annotations(tiny).write_text(text)
    with pytest.raises(DataError, match=message):
        open_dataset("tiny-imagenet", tiny)


def test_a_class_without_its_folder_of_images_is_refused(tiny):
    (tiny / "train" / "n04").mkdir()
    with pytest.raises(DataError, match="images is missing"):
        open_dataset("tiny-imagenet", tiny)

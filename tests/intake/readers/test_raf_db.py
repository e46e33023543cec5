"""RAF-DB's partition file, its aligned images and noise files in its form."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from eactf.errors import DataError, UsageError
from eactf.intake.readers.catalogue import open_dataset
from eactf.intake.readers.raf_db import CARD

LINES = ["train_00001.jpg 5", "train_00002.jpg 7", "train_00003.jpg 1", "test_0001.jpg 4"]


@pytest.fixture
def raf(tmp_path):
    """RAF-DB's folder `basic` with four images."""
    (tmp_path / "basic" / "EmoLabel").mkdir(parents=True)
    (tmp_path / "basic" / "Image" / "aligned").mkdir(parents=True)
    labels(tmp_path).write_text("".join(f"{line}\n" for line in LINES))
    for number, line in enumerate(LINES):
        name = line.split(".")[0]
        image = Image.new("RGB", (8, 8), (40 * number, 0, 0))
        image.save(tmp_path / "basic" / "Image" / "aligned" / f"{name}_aligned.jpg")
    return tmp_path


def labels(folder):
    return folder / "basic" / "EmoLabel" / "list_patition_label.txt"


@pytest.mark.parametrize("place", [".", "basic"])
def test_labels_from_1_splits_and_aligned_images_are_read(raf, place):
    listing = open_dataset("raf-db", raf / place)
    assert [listing.class_names[label] for label in listing.given] == [
        *("sadness", "neutral", "surprise", "happiness")
    ]
    assert listing.splits.tolist() == [0, 0, 0, 2]
    assert listing.names[0] == "train_00001_aligned.jpg"
    with listing.images.open(2) as image:
        assert int(np.asarray(image)[0, 0, 0]) == pytest.approx(80, abs=4)
    assert listing.clean is None


def test_labels_and_images_in_one_folder_are_found(raf, tmp_path):
    flat = tmp_path / "flat"
    flat.mkdir()
    labels(raf).rename(flat / "list_patition_label.txt")
    (raf / "basic" / "Image" / "aligned").rename(flat / "aligned")
    assert len(open_dataset("raf-db", flat)) == 4


def test_other_counts_than_the_published_are_told(raf):
    found = [finding.what for finding in open_dataset("raf-db", raf).findings]
    assert found == [
        "train has 3 images, published: 12,271",
        "test has 1 images, published: 3,068",
    ]


def test_the_published_counts_raise_no_finding(raf):
    splits = {"train": CARD.class_counts["train"], "test": CARD.class_counts["test"]}
    lines = [
        f"{split}_{number:05d}.jpg {label + 1}"
        for split, counts in splits.items()
        for number, label in enumerate(np.repeat(np.arange(7), counts).tolist(), start=1)
    ]
    labels(raf).write_text("\n".join(lines))
    listing = open_dataset("raf-db", raf)
    assert len(listing) == 15_339
    assert listing.findings == ()


def test_a_noise_file_gives_the_training_labels_and_keeps_the_true_ones(raf, tmp_path):
    noise = tmp_path / "noise01.txt"
    noise.write_text("train_00003.jpg 2\ntrain_00001.jpg 5\ntrain_00002.jpg 1\n")
    listing = open_dataset("raf-db", raf, {"noise-file": str(noise)})
    assert listing.given.tolist() == [4, 0, 1, 3]
    assert listing.clean.tolist() == [4, 6, 0, 3]


def test_a_noise_file_that_starts_at_0_and_names_aligned_images_is_read(raf, tmp_path):
    noise = tmp_path / "scn.txt"
    names = ["train_00001_aligned.jpg 0", "train_00002_aligned.jpg 6", "train_00003_aligned.jpg 2"]
    noise.write_text("\n".join(names))
    listing = open_dataset("raf-db", raf, {"noise-file": str(noise), "noise-base": "0"})
    assert listing.given.tolist() == [0, 6, 2, 3]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train_00001.jpg 8", "line 4: expected a label 1 to 7, received '8'"),
        ("train_00001.jpg 0", "line 4: expected a label 1 to 7, received '0'"),
        ("train_00001.jpg", "line 4: expected one line an image"),
        ("valid_00001.jpg 3", "expected names train_... and test_..., received 'valid_00001.jpg'"),
        ("train_00001.jpg 4", "train_00001.jpg has more than one label"),
        ("train_00001.jpg 5", "lists an image twice"),
    ],
)
def test_a_wrong_line_is_named(raf, line, message):
    labels(raf).write_text("\n".join([*LINES[:3], line]))
    with pytest.raises(DataError, match=message):
        open_dataset("raf-db", raf)


def test_a_noise_file_that_misses_or_adds_an_image_is_refused(raf, tmp_path):
    noise = tmp_path / "noise.txt"
    noise.write_text("train_00001.jpg 5\n")
    with pytest.raises(DataError, match="no label for 2 training images, the first is train_00002"):
        open_dataset("raf-db", raf, {"noise-file": str(noise)})
    noise.write_text("".join(f"train_{n:05d}.jpg 5\n" for n in range(1, 5)))
    with pytest.raises(DataError, match="labels train_00004, which RAF-DB does not have"):
        open_dataset("raf-db", raf, {"noise-file": str(noise)})
    with pytest.raises(UsageError, match="does not exist"):
        open_dataset("raf-db", raf, {"noise-file": str(tmp_path / "none.txt")})


def test_a_folder_without_any_of_the_images_is_refused(raf):
    for image in (raf / "basic" / "Image" / "aligned").iterdir():
        image.unlink()
    with pytest.raises(DataError, match="has none of the images"):
        open_dataset("raf-db", raf)

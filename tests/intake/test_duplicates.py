"""Copies are found however they were saved again; pictures of two persons are not copies."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eactf.intake.alignment import aligned_correlation
from eactf.intake.duplicates import find_duplicates
from eactf.intake.listing import BadImage, Listing
from eactf.intake.neighbours import near_pairs
from eactf.intake.scan import scan

SHARED = Path(__file__).parents[3] / "shared" / "data"


class Pictures:
    """Images of any sizes, given as PIL images; None for one that cannot be read."""

    def __init__(self, images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def open(self, row):
        if self.images[row] is None:
            raise BadImage("broken")
        return self.images[row].copy()

    def bytes_on_disk(self, row):
        return 1


def scanned(images):
    count = len(images)
    listing = Listing(
        source=Path("data"),
        kind="folder",
        class_names=("a", "b"),
        names=np.array([f"{row}.png" for row in range(count)]),
        splits=np.zeros(count, np.uint8),
        given=np.zeros(count, np.int64),
        images=Pictures(images),
        ids=np.arange(count),
    )
    return scan(listing)


@pytest.fixture(scope="module")
def photographs():
    """Twelve pictures of smooth noise, 48 x 48: as different from each other as photographs."""
    noise = np.random.default_rng(0).integers(0, 256, (12, 9, 9), np.uint8)
    return [Image.fromarray(one).resize((48, 48), Image.Resampling.BICUBIC) for one in noise]


def jpeg(image):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=60)
    return Image.open(file)


COPIES = {
    "smaller": lambda image: image.resize((24, 24)),
    "larger": lambda image: image.resize((200, 200), Image.Resampling.BICUBIC),
    "resized and back": lambda image: image.resize((40, 40)).resize((48, 48)),
    "compressed": jpeg,
    "brighter": lambda image: image.point([min(255, value + 10) for value in range(256)]),
    "less contrast": lambda image: image.point([value // 2 + 40 for value in range(256)]),
    "cropped at a corner": lambda image: image.crop((1, 1, 48, 48)),
    "cropped all around": lambda image: image.crop((1, 1, 47, 47)),
    "in colour": lambda image: image.convert("RGB").resize((96, 96)),
}


@pytest.mark.parametrize("change", COPIES.values(), ids=COPIES)
def test_a_changed_copy_is_a_near_duplicate_of_its_picture_alone(photographs, change):
    found = find_duplicates(scanned([*photographs, change(photographs[4])]))
    assert [group.tolist() for group in found.near_groups()] == [[4, 12]]
    assert found.exact_groups() == []


def test_different_pictures_are_no_duplicates(photographs):
    found = find_duplicates(scanned(photographs))
    assert found.exact.tolist() == found.near.tolist() == list(range(12))
    assert found.exact_groups() == found.near_groups() == [] and not found.alike


def test_equal_pixels_are_exact_duplicates_and_counted_once_among_the_near(photographs):
    twice = [photographs[0], photographs[1], photographs[0], jpeg(photographs[0]), photographs[0]]
    found = find_duplicates(scanned(twice))
    assert found.exact.tolist() == [0, 1, 0, 3, 0]
    assert found.near.tolist() == [0, 1, 0, 0, 0]
    assert [group.tolist() for group in found.exact_groups()] == [[0, 2, 4]]
    assert [group.tolist() for group in found.near_groups()] == [[0, 3]]


def test_bad_and_nearly_blank_images_are_copies_of_nothing(photographs):
    blank = [Image.new("L", (48, 48), value) for value in (200, 201)]
    found = find_duplicates(scanned([None, None, *blank, photographs[0]]))
    assert found.near.tolist() == list(range(5))


def test_images_that_all_look_alike_are_said_to_and_only_the_closest_named(photographs):
    numbers = np.random.default_rng(1)
    face = np.asarray(photographs[0], float)
    spots = numbers.normal(0, 1, (60, 9, 9))
    alike = []
    for spot in spots:
        smooth = Image.fromarray(spot.astype(np.float32)).resize((48, 48), Image.Resampling.BICUBIC)
        alike.append(Image.fromarray(np.clip(face + 18 * np.asarray(smooth), 0, 255).astype("u1")))
    found = find_duplicates(scanned(alike))
    assert found.alike
    assert found.near_groups() == []


def test_no_image_at_all_has_no_duplicates():
    assert find_duplicates(scanned([])).near_groups() == []


def test_alignment_undoes_a_shift_that_the_plain_correlation_does_not():
    noise = Image.fromarray(np.random.default_rng(2).integers(0, 256, (12, 12), np.uint8))
    wide = np.asarray(noise.resize((30, 30), Image.Resampling.BICUBIC))
    still, moved = wide[None, 2:26, 2:26], wide[None, 3:27, 3:27]
    inner = np.corrcoef(still[0, 2:-2, 2:-2].ravel(), moved[0, 2:-2, 2:-2].ravel())[0, 1]
    assert inner < 0.9
    assert aligned_correlation(still, moved)[0] > 0.98


def test_pairs_of_many_rows_are_those_of_comparing_all_with_all():
    numbers = np.random.default_rng(3)
    rows = numbers.normal(size=(6_000, 24)).astype(np.float32)
    rows[5_000:] = rows[:1_000] + numbers.normal(size=(1_000, 24)).astype(np.float32) * 0.02
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    planted = {(5_000 + row, row) for row in range(1_000)}
    assert {tuple(pair) for pair in near_pairs(rows, 0.98).tolist()} == planted


@pytest.mark.skipif(not (SHARED / "ferplus.npz").exists(), reason="needs the real faces")
def test_on_real_faces_the_exact_duplicates_are_the_published_ones():
    with np.load(SHARED / "ferplus.npz", allow_pickle=False) as arrays:
        images, groups = arrays["val_images"], arrays["val_dup_group"]
    found = find_duplicates(scanned([Image.fromarray(image) for image in images]))
    numbers, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    inside = (numbers >= 0) & (sizes > 1)  # others have their copy in the training split
    assert {int(group[0]) for group in found.exact_groups()} == set(first[inside].tolist())
    assert not found.alike

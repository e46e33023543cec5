"""A fingerprint is the right count of everything, and survives JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eactf.intake.fingerprint import Measured, Spread, take_fingerprint
from eactf.intake.listing import ArrayImages, Listing
from eactf.intake.scan import BadRow, scan


@pytest.fixture
def listing():
    """Ten images of noise: six to train on, one to validate, three to test; two copies."""
    images = np.random.default_rng(0).integers(0, 256, (10, 8, 8), np.uint8)
    images[1] = images[0]  # in training, with another label
    images[9] = images[2]  # from training in test
    return Listing(
        source=Path("faces"),
        kind="folder",
        class_names=("anger", "joy", "fear"),
        names=np.array([f"{row}.png" for row in range(10)]),
        splits=np.array([0] * 6 + [1] + [2] * 3, np.uint8),
        given=np.array([0, 1, 0, 0, 0, -1, 1, 0, 1, 0]),
        images=ArrayImages(images),
        ids=np.arange(10),
        clean=np.array([0, 0, 0, 0, -1, 0, 1, 0, 1, 0]),
        labels={"fer2013": np.array([1, 1, 0, 0, -1, 0, 1, 1, 1, 1])},
    )


def fingerprint(listing):
    return take_fingerprint(listing, scan(listing))


def test_splits_and_classes_count_what_can_be_used(listing):
    found = fingerprint(listing)
    assert found.images == 10 and found.usable == 9 and found.unlabelled == 1
    assert found.splits == {"train": 5, "validation": 1, "test": 3}
    assert found.class_counts["train"] == {"anger": 4, "joy": 1, "fear": 0}
    assert found.imbalance == 4


def test_copies_are_counted_by_what_is_wrong_with_them(listing):
    found = fingerprint(listing)
    assert (found.duplicate_groups, found.exact_duplicates) == (2, 2)
    assert (found.across_splits, found.contradicting, found.near_duplicates) == (1, 1, 0)


def test_training_labels_are_compared_where_both_are_known(listing):
    found = fingerprint(listing)
    assert found.label_sets == {"fer2013": 0.25}
    assert (found.clean_known, found.wrong_share) == (4, 0.25)
    assert not found.votes
    unknown = fingerprint(replace(listing, clean=None))
    assert (unknown.clean_known, unknown.wrong_share) == (0, None)


def test_pixels_are_summed_up(listing):
    found = fingerprint(listing)
    assert found.widths == found.heights == found.short_side == Spread(8, 8, 8)
    assert found.same_size and found.aspect == (1, 1) and found.grey
    assert found.modes == {"L": 10} and found.formats == {"": 10}
    assert found.bytes_on_disk == 640
    assert found.packed_bytes(48, 32, 3) == 9 * 48 * 32 * 3


def test_sizes_that_differ_have_their_least_median_and_most(listing):
    looked = scan(listing)
    looked.width[:3], looked.height[0] = (4, 20, 30), 16
    found = take_fingerprint(listing, looked)
    assert found.widths == Spread(4, 8, 30) and found.heights == Spread(8, 8, 16)
    assert not found.same_size
    assert found.aspect == (0.25, 3.75)


def test_bad_images_count_by_reason_and_nowhere_else(listing):
    looked = scan(listing)
    looked.good[[0, 7]] = False
    bad = (BadRow(0, "0.png", "broken", ""), BadRow(7, "7.png", "missing", ""))
    found = take_fingerprint(listing, replace(looked, bad=bad))
    assert found.bad == {"broken": 1, "missing": 1}
    assert found.splits == {"train": 4, "validation": 1, "test": 2}


def test_a_listing_without_images_has_a_fingerprint_too(listing):
    images = ArrayImages(np.zeros((0, 8, 8), np.uint8))
    nothing = {"names": listing.names[:0], "splits": listing.splits[:0], "given": listing.given[:0]}
    empty = replace(listing, images=images, ids=listing.ids[:0], clean=None, labels={}, **nothing)
    found = fingerprint(empty)
    assert (found.images, found.usable, found.widths) == (0, 0, Spread(0, 0, 0))
    assert found.splits == {} and found.imbalance == 1


def test_it_goes_to_json_and_back(listing):
    found = fingerprint(listing).as_dict()
    assert json.loads(json.dumps(found))["widths"] == {"least": 8, "median": 8, "most": 8}
    assert found["usable"] == 9


def test_continuous_targets_are_described_by_the_usable_samples_that_have_them(listing):
    valence = np.array([0.5, np.nan, -0.25, 1, 0, 9, np.nan, 0, 0, 0], np.float32)
    none = np.full(10, np.nan, np.float32)
    found = fingerprint(replace(listing, values={"valence": valence, "arousal": none}))
    assert found.values["valence"] == Measured(7, -0.25, 0.1786, 1)  # row 5 has no label
    told = json.loads(json.dumps(found.as_dict()))["values"]["arousal"]
    assert told == {"known": 0, "least": None, "mean": None, "most": None}

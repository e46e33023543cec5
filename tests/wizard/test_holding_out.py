"""A validation split taken off train: nothing of test, and no copy on the other side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eactf.intake.listing import ArrayImages, Listing
from eactf.intake.scan import scan
from eactf.wizard.holding_out import hold_out

TRAIN, VALIDATION, TEST = 0, 1, 2


def listing(splits, given=None):
    count = len(splits)
    return Listing(
        source=Path("faces"),
        kind="folder",
        class_names=("no", "yes"),
        names=np.array([str(row) for row in range(count)]),
        splits=np.array(splits, np.uint8),
        given=np.zeros(count, np.int64) if given is None else np.array(given),
        images=ArrayImages(np.arange(4 * count, dtype=np.uint8).reshape(count, 2, 2)),
    )


def held(listed, first, share, seed=0):
    return hold_out(listed, scan(listed), first, share, seed)


def test_a_share_of_train_is_held_out_and_nothing_of_test():
    found = held(listing([TRAIN] * 50 + [TEST] * 20), np.arange(70), 0.2)
    assert (found.splits == VALIDATION).sum() == 10
    assert (found.splits[50:] == TEST).all()
    assert found.splits.dtype == np.uint8


def test_the_share_is_of_each_class_and_unlabelled_images_stay():
    given = [0] * 20 + [1] * 5 + [-1] * 5
    found = held(listing([TRAIN] * 30, given), np.arange(30), 0.2)
    assert np.bincount(found.given[found.splits == VALIDATION]).tolist() == [4, 1]


def test_copies_stay_together():
    first = np.arange(60) // 3 * 3
    groups = held(listing([TRAIN] * 60), first, 0.3).splits.reshape(20, 3)
    assert (groups == groups[:, :1]).all()
    assert (groups[:, 0] == VALIDATION).sum() == 6


def test_a_copy_of_a_training_image_in_test_stays_in_test():
    found = held(listing([TRAIN] * 2 + [TEST] * 2), np.array([0, 1, 0, 1]), 0.5)
    assert sorted(found.splits.tolist()) == [TRAIN, VALIDATION, TEST, TEST]


@pytest.mark.parametrize("share", [0.001, 0.999])
def test_neither_side_is_empty(share):
    found = held(listing([TRAIN] * 9), np.arange(9), share)
    assert {TRAIN, VALIDATION} == set(found.splits.tolist())


def test_the_choice_depends_on_seed_and_content_alone():
    listed = listing([TRAIN] * 40)
    whole, again, other = (held(listed, np.arange(40), 0.25, seed) for seed in (3, 3, 4))
    assert (whole.splits == again.splits).all()
    assert (whole.splits != other.splits).any()

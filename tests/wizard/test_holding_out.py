"""A validation split taken off train: nothing of test, and no copy on the other side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eactf.intake.listing import ArrayImages, Listing
from eactf.wizard.holding_out import hold_out

TRAIN, VALIDATION, TEST = 0, 1, 2


def listing(splits):
    count = len(splits)
    return Listing(
        source=Path("faces"),
        kind="folder",
        class_names=("no", "yes"),
        names=np.array([str(row) for row in range(count)]),
        splits=np.array(splits, np.uint8),
        given=np.zeros(count, np.int64),
        images=ArrayImages(np.zeros((count, 2, 2), np.uint8)),
        ids=np.arange(count) + 7,
    )


def test_a_share_of_train_is_held_out_and_nothing_of_test():
    held = hold_out(listing([TRAIN] * 50 + [TEST] * 20), np.arange(70), 0.2)
    assert (held.splits == VALIDATION).sum() == 10
    assert (held.splits[50:] == TEST).all()
    assert held.splits.dtype == np.uint8


def test_copies_stay_together():
    first = np.arange(60) // 3 * 3
    held = hold_out(listing([TRAIN] * 60), first, 0.3)
    groups = held.splits.reshape(20, 3)
    assert (groups == groups[:, :1]).all()
    assert (groups[:, 0] == VALIDATION).sum() == 6


def test_a_copy_of_a_training_image_in_test_stays_in_test():
    held = hold_out(listing([TRAIN] * 2 + [TEST] * 2), np.array([0, 1, 0, 1]), 0.5)
    assert sorted(held.splits.tolist()) == [TRAIN, VALIDATION, TEST, TEST]


@pytest.mark.parametrize("share", [0.001, 0.999])
def test_neither_side_is_empty(share):
    held = hold_out(listing([TRAIN] * 9), np.arange(9), share)
    assert {TRAIN, VALIDATION} == set(held.splits.tolist())


def test_the_choice_depends_on_seed_and_ids_alone():
    whole = hold_out(listing([TRAIN] * 40), np.arange(40), 0.25, seed=3)
    again = hold_out(listing([TRAIN] * 40), np.arange(40), 0.25, seed=3)
    other = hold_out(listing([TRAIN] * 40), np.arange(40), 0.25, seed=4)
    assert (whole.splits == again.splits).all()
    assert (whole.splits != other.splits).any()

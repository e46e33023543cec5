"""What a run was trained on is never judged as unseen."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.data.run_record import RunRecord
from eactf.errors import DataError
from eactf.evaluation.unseen import ALL, choose_split, choose_unseen
from eactf.packed.identity import image_digests
from eactf.packed.records import Dataset, Samples

TRAINED, HELD, TEST, UNUSED = [0, 1, 2, 3], [4, 5], [6, 7], [8]


def images(numbers):
    numbers = np.array(numbers, np.uint8).reshape(-1, 1, 1, 1)
    return np.broadcast_to(numbers, (len(numbers), 2, 2, 1))


def dataset(**splits):
    made = {
        name: Samples(images(numbers), np.array(numbers), np.array(numbers) % 2)
        for name, numbers in splits.items()
    }
    return Dataset(("no", "yes"), made, "mine.h5")


def record(**parts):
    parts = parts or {"train": TRAINED, "validation": HELD, "test": TEST, "unused": UNUSED}
    order = ("train", "validation", "test", "unused")
    numbers = [number for name in order for number in parts.get(name, [])]
    index = [order.index(name) for name in order for _ in parts.get(name, [])]
    return RunRecord(
        np.array(index, np.uint8),
        np.array(numbers),
        image_digests(images(numbers)),
        np.full(len(numbers), ""),
    )


def ids(chosen):
    return chosen.samples.ids.tolist()


def test_data_as_it_was_is_judged_as_it_was_split():
    data = dataset(train=[*TRAINED, *HELD, *UNUSED], test=TEST)
    for split, numbers in (("train", TRAINED), ("validation", HELD), ("test", TEST), (None, TEST)):
        chosen = choose_unseen(data, split, record(), own=True)
        assert ids(chosen) == numbers and chosen.remarks == ()


def test_held_out_images_are_found_again_in_a_folder_that_has_grown():
    data = dataset(train=[30, *HELD, *TRAINED, 31])
    chosen = choose_unseen(data, "validation", record(train=TRAINED, validation=HELD), own=True)
    assert ids(chosen) == HELD and chosen.name == "validation"
    (remark,) = chosen.remarks
    assert "2 new" in remark and "not what the run was trained on" in remark


def test_a_run_without_a_test_split_is_judged_on_what_it_held_out():
    known = record(train=TRAINED, validation=HELD)
    chosen = choose_unseen(dataset(train=[*TRAINED, *HELD]), None, known, own=True)
    assert (chosen.name, ids(chosen)) == ("validation", HELD)


def test_of_other_data_what_was_trained_on_is_left_out_and_told():
    chosen = choose_unseen(dataset(train=[1, 50, 2, 4]), None, record(), own=False)
    assert (chosen.name, ids(chosen)) == (ALL, [50, 4])
    assert chosen.remarks == ("2 of 4 images were trained on by this run and left out",)
    chosen = choose_unseen(dataset(train=[9], test=[1, 50]), "test", record(), own=False)
    assert ids(chosen) == [50]
    assert "1 of 2 images of test was trained on" in chosen.remarks[0]


def test_an_image_moved_from_train_to_test_is_left_out():
    data = dataset(train=TRAINED[1:], validation=HELD, test=[*TEST, TRAINED[0], 60])
    assert ids(choose_unseen(data, "test", record(), own=True)) == [*TEST, 60]


def test_copies_of_training_images_that_were_in_test_from_the_start_stay():
    known = record(train=TRAINED, test=[*TEST, 0])
    data = dataset(train=TRAINED, test=[*TEST, 0])
    assert ids(choose_unseen(data, "test", known, own=True)) == [*TEST, 0]


def test_train_of_other_data_is_judged_whole_where_it_is_asked_for():
    chosen = choose_unseen(dataset(train=[1, 50]), "train", record(), own=False)
    assert ids(chosen) == [1, 50]
    assert chosen.remarks == ("1 of 2 images were trained on by this run",)


def test_nothing_unseen_is_an_error_that_says_what_to_do():
    with pytest.raises(DataError, match="no image left") as caught:
        choose_unseen(dataset(train=TRAINED), None, record(), own=False)
    assert "--split train" in caught.value.hint


def test_a_split_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(DataError, match="no split test") as caught:
        choose_split(dataset(train=[1], validation=[2]), "test")
    assert caught.value.hint == "it has: train, validation"

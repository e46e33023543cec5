"""Batches for training and judging: their order, their form, where they are read from."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from eactf.data import pipeline
from eactf.data.balance import balanced_order
from eactf.data.pipeline import (
    ImageForm,
    epoch_order,
    evaluation_batches,
    steps_per_epoch,
    training_batches,
)
from eactf.packed.records import Samples

FORM = ImageForm(size=4, channels=1)


def samples(count=10, *, size=4, channels=1, **columns):
    images = np.random.default_rng(0).integers(0, 256, (count, size, size, channels), np.uint8)
    ids = np.arange(count) * 7 + 100
    return Samples(images=images, ids=ids, given=np.arange(count) % 3, **columns)


def taken(batches, count):
    return [[column.numpy() for column in batch] for batch in batches.take(count)]


def test_the_order_is_a_permutation_that_depends_on_seed_and_epoch_alone():
    orders = [epoch_order(500, seed, epoch) for seed in (0, 1, -1, 2**63) for epoch in (0, 1, 400)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(500))
    assert len({order.tobytes() for order in orders}) == len(orders)
    np.testing.assert_array_equal(epoch_order(500, 1, 1), orders[4])
    assert epoch_order(8, 3, 2).tolist() == [7, 4, 3, 5, 0, 2, 6, 1]


def test_every_place_of_the_order_is_as_likely_for_a_sample():
    places = [int(np.flatnonzero(epoch_order(8, 0, epoch) == 3)[0]) for epoch in range(2000)]
    np.testing.assert_allclose(np.bincount(places, minlength=8) / 2000, 0.125, atol=0.03)


def test_an_epoch_holds_every_sample_once_with_its_own_label_and_a_smaller_last_batch():
    data = samples()
    steps = steps_per_epoch(10, 4)
    batches = taken(training_batches(data, FORM, batch_size=4, seed=5), 2 * steps)
    assert steps == 3
    assert [len(ids) for _, _, ids in batches] == [4, 4, 2, 4, 4, 2]
    for epoch in (0, 1):
        images, labels, ids = (
            np.concatenate(column)
            for column in zip(*batches[epoch * steps : (epoch + 1) * steps], strict=True)
        )
        order = epoch_order(10, 5, epoch)
        np.testing.assert_array_equal(ids, data.ids[order])
        np.testing.assert_array_equal(labels, data.given[order])
        np.testing.assert_array_equal(images, data.images[order])
    assert (images.dtype, labels.dtype, ids.dtype) == ("uint8", "int64", "int32")


def test_a_balanced_epoch_keeps_its_length_and_goes_on_where_it_stopped():
    data = samples()
    settings = {"batch_size": 4, "seed": 5, "balance": "class"}
    whole = taken(training_batches(data, FORM, **settings), 9)
    ids = np.concatenate([batch[2] for batch in whole[3:6]])
    np.testing.assert_array_equal(ids, data.ids[balanced_order(data.given, 5, 1, "class")])
    later = taken(training_batches(data, FORM, first_epoch=2, **settings), 3)
    for before, after in zip(whole[6:], later, strict=True):
        for column, other in zip(before, after, strict=True):
            np.testing.assert_array_equal(column, other)


def test_a_balance_may_begin_in_a_later_epoch():
    data = samples()
    settings = {"batch_size": 4, "seed": 5, "balance": "class", "balance_from": 2}
    whole = taken(training_batches(data, FORM, **settings), 6)
    ids = np.concatenate([batch[2] for batch in whole]).reshape(2, -1)
    np.testing.assert_array_equal(ids[0], data.ids[epoch_order(10, 5, 0)])
    np.testing.assert_array_equal(ids[1], data.ids[balanced_order(data.given, 5, 1, "class")])


def test_a_run_that_goes_on_sees_what_an_uninterrupted_one_sees():
    whole = taken(training_batches(samples(), FORM, batch_size=4, seed=5), 9)
    later = taken(training_batches(samples(), FORM, batch_size=4, seed=5, first_epoch=2), 3)
    for expected, got in zip(whole[6:], later, strict=True):
        for one, two in zip(expected, got, strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("count, batch, steps", [(1, 4, 1), (8, 4, 2), (9, 4, 3)])
def test_the_smaller_last_step_counts(count, batch, steps):
    assert steps_per_epoch(count, batch) == steps


def test_soft_targets_take_the_place_of_the_given_labels():
    targets = np.random.default_rng(1).dirichlet(np.ones(3), 10).astype("float32")
    data = samples(targets=targets)
    ((_, labels, ids),) = taken(training_batches(data, FORM, batch_size=10, seed=0), 1)
    np.testing.assert_array_equal(labels, targets[(ids - 100) // 7])


def test_judging_goes_once_through_the_stored_order_with_the_labels_asked_for():
    data, clean = samples(), np.arange(10) % 2
    batches = taken(evaluation_batches(data, FORM, batch_size=4, labels=clean), 99)
    images, labels, ids = (np.concatenate(column) for column in zip(*batches, strict=True))
    np.testing.assert_array_equal(images, data.images)
    np.testing.assert_array_equal(labels, clean)
    np.testing.assert_array_equal(ids, data.ids)
    ((_, given, _),) = taken(evaluation_batches(data, FORM, batch_size=10), 99)
    np.testing.assert_array_equal(given, data.given)


def formed(images, form):
    data = Samples(images=images, ids=np.arange(len(images)), given=np.zeros(len(images), int))
    (batch,) = taken(evaluation_batches(data, form, batch_size=len(images)), 9)
    return batch[0]


def test_grey_becomes_three_equal_channels_and_colour_its_luma():
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), np.uint8)
    luma = images @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(formed(images, ImageForm(4, 1))[..., 0], luma, atol=1.0)
    white = np.full((1, 4, 4, 3), 255, np.uint8)
    assert formed(white, ImageForm(4, 1)).min() == 255
    grey = images[..., :1]
    np.testing.assert_array_equal(formed(grey, ImageForm(4, 3)), np.repeat(grey, 3, axis=-1))


def test_images_are_resized_without_aliasing_or_overflow():
    stripes = np.zeros((1, 16, 16, 1), np.uint8)
    stripes[:, :, ::2] = 255
    halved = formed(stripes, ImageForm(8, 1))
    assert (halved.shape, halved.dtype) == ((1, 8, 8, 1), "uint8")
    assert 90 < halved[:, 1:-1, 1:-1].min() <= halved[:, 1:-1, 1:-1].max() < 165
    white = np.full((1, 6, 6, 1), 255, np.uint8)
    np.testing.assert_array_equal(formed(white, ImageForm(9, 1)), 255)
    oblong = np.full((1, 6, 9, 1), 7, np.uint8)
    np.testing.assert_array_equal(formed(oblong, ImageForm(4, 3)), np.full((1, 4, 4, 3), 7))


def test_images_too_large_for_memory_are_read_from_the_file_alike(monkeypatch, tmp_path):
    data = samples()
    expected = taken(training_batches(data, FORM, batch_size=4, seed=5), 4)
    monkeypatch.setattr(pipeline, "_IN_MEMORY_BYTES", 1)
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["images"] = data.images
    with h5py.File(tmp_path / "images.h5") as file:
        stored = Samples(images=file["images"], ids=data.ids, given=data.given)
        for source in (data, stored):
            batches = training_batches(source, FORM, batch_size=4, seed=5)
            assert batches.element_spec[0].shape.as_list() == [None, 4, 4, 1]
            for batch, other in zip(taken(batches, 4), expected, strict=True):
                for one, two in zip(batch, other, strict=True):
                    np.testing.assert_array_equal(one, two)


def test_several_labels_of_a_sample_come_by_name_with_its_id():
    valence = np.linspace(-1, 1, 10, dtype="float32")
    data = samples(values={"valence": valence})
    given = {"expression": data.given, **data.values}
    for batches in (
        training_batches(data, FORM, batch_size=4, seed=5, labels=given),
        evaluation_batches(data, FORM, batch_size=4, labels=given),
    ):
        for _, labels, ids in batches.take(3):
            rows = (ids.numpy() - 100) // 7
            assert list(labels) == ["expression", "valence"]
            np.testing.assert_array_equal(labels["expression"], data.given[rows])
            np.testing.assert_array_equal(labels["valence"], valence[rows])

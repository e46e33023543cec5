"""Taking part of a packed file leaves its images on disk."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.data.splits import limit, split_off_validation
from eactf.packed import open_packed, write_packed
from eactf.packed.image_rows import ImageRows
from eactf.packed.records import Dataset, Samples


@pytest.fixture
def packed(tmp_path):
    """The training split of a packed file of 40 images, and its images in memory."""
    images = np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3)).astype("uint8")
    samples = Samples(images, ids=np.arange(40), given=np.arange(40) % 2)
    write_packed(tmp_path / "x.h5", Dataset(("a", "b"), {"train": samples}, source="made"))
    return open_packed(tmp_path / "x.h5").splits["train"], images


def test_parts_of_a_file_are_views_with_the_images_of_their_rows(packed):
    train, images = packed
    rows = np.array([7, 3, 39, 3])
    taken = train.take(rows)
    assert isinstance(taken.images, ImageRows)
    assert taken.images.shape == (4, 6, 5, 3)
    assert taken.images.nbytes == 4 * 6 * 5 * 3
    np.testing.assert_array_equal(np.asarray(taken.images), images[rows])
    np.testing.assert_array_equal(taken.images[1], images[3])
    np.testing.assert_array_equal(taken.images[1:3], images[[3, 39]])
    np.testing.assert_array_equal(taken.images[np.array([2, 0])], images[[39, 7]])
    np.testing.assert_array_equal(taken.images[:, 0, 1], images[rows, 0, 1])
    np.testing.assert_array_equal(taken.images[2, ..., 0], images[39, ..., 0])


def test_a_part_of_a_part_is_a_view_too(packed):
    train, images = packed
    mask = np.arange(40) % 3 == 0
    part = train.take(mask).take(np.array([2, 0]))
    assert isinstance(part.images, ImageRows)
    np.testing.assert_array_equal(np.asarray(part.images), images[[6, 0]])
    np.testing.assert_array_equal(part.ids, [6, 0])


def test_splitting_and_limiting_a_packed_file_read_no_images(packed):
    train, _ = packed
    parts = [*split_off_validation(train, 0.2), limit(train, 10)]
    assert all(isinstance(part.images, ImageRows) for part in parts)


def test_samples_in_memory_stay_plain_arrays(packed):
    _, images = packed
    part = Samples(images, ids=np.arange(40), given=np.zeros(40, int)).take(np.array([1]))
    assert type(part.images) is np.ndarray


def test_a_view_may_be_asked_for_as_another_type_but_not_without_a_copy(packed):
    taken = packed[0].take(np.array([0]))
    assert np.asarray(taken.images, dtype="float32").dtype == np.float32
    with pytest.raises(ValueError, match="without a copy"):
        np.array(taken.images, copy=False)

"""Whatever a path names is opened as a data set: packed already, or packed for the moment."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.data.opened import holds_images, open_data
from eactf.errors import DataError, UsageError
from eactf.intake.sources import SourceOptions
from eactf.packed import write_packed
from eactf.packed.records import Dataset, Samples

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 5, 5), dtype=np.uint8)
WORST = np.array([2, 1, 0, 2, 1, 0])


@pytest.fixture
def arrays(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, images=IMAGES, label=np.array([0, 1, 2] * 2), worst=WORST)
    return path


@pytest.fixture
def packed(tmp_path):
    path = tmp_path / "packed.data"  # whatever it is called
    samples = Samples(images=IMAGES[..., None], ids=np.arange(6), given=np.zeros(6, int))
    write_packed(path, Dataset(("only",), {"train": samples}, "made in a test"))
    return path


def test_a_packed_file_is_opened_whatever_its_name(packed):
    assert not holds_images(packed)
    assert open_data(packed).source == "made in a test"


def test_arrays_are_packed_as_the_options_say(arrays):
    data = open_data(arrays, options=SourceOptions(label="worst"), channels=3)
    assert data.image_shape == (5, 5, 3)
    np.testing.assert_array_equal(data.splits["train"].given, WORST)
    np.testing.assert_array_equal(data.splits["train"].images[..., 0], IMAGES)


def test_options_that_a_packed_file_has_no_use_for_are_refused(packed):
    with pytest.raises(UsageError, match="--label"):
        open_data(packed, options=SourceOptions(label="worst"))


def test_a_file_that_is_not_what_its_ending_says_is_refused_as_such(tmp_path):
    (tmp_path / "faces.h5").write_bytes(b"not an HDF5 file")
    with pytest.raises(DataError, match="not an HDF5 file"):
        open_data(tmp_path / "faces.h5")


def test_a_path_that_is_not_there_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        open_data(tmp_path / "gone.h5")

"""Fashion-MNIST's IDX files, compressed and not, checked against their headers."""

from __future__ import annotations

import gzip

import numpy as np
import pytest

from eactf.errors import DataError
from eactf.intake.readers.catalogue import open_dataset

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 28, 28)).astype(np.uint8)
LABELS = np.array([9, 0, 3], np.uint8)


def idx(array):
    dimensions = b"".join(length.to_bytes(4, "big") for length in array.shape)
    return bytes([0, 0, 8, array.ndim]) + dimensions + array.tobytes()


def write(folder, *, mark="-", pack=gzip.compress, suffix=".gz"):
    for split, rows in (("train", slice(0, 2)), ("t10k", slice(2, 3))):
        for what, array in (("images", IMAGES[rows]), ("labels", LABELS[rows])):
            name = f"{split}-{what}{mark}idx{array.ndim}-ubyte{suffix}"
            (folder / name).write_bytes(pack(idx(array)))


@pytest.mark.parametrize(
    "form", [{}, {"pack": bytes, "suffix": ""}, {"mark": ".", "pack": bytes, "suffix": ""}]
)
def test_compressed_and_unpacked_files_are_read(tmp_path, form):
    write(tmp_path, **form)
    listing = open_dataset("fashion-mnist", tmp_path)
    assert [listing.class_names[label] for label in listing.given] == [
        *("Ankle boot", "T-shirt/top", "Dress")
    ]
    assert listing.splits.tolist() == [0, 0, 2]
    assert listing.names.tolist() == ["train-images[0]", "train-images[1]", "t10k-images[0]"]
    with listing.images.open(2) as image:
        np.testing.assert_array_equal(np.asarray(image), IMAGES[2])
    assert listing.findings[0].what == "train has 2 images, published: 60,000"


GOOD = idx(IMAGES[:2])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD[:-1], "promises 1,568 values, it has 1,567"),
        (GOOD + b"\0", "promises 1,568 values, it has more"),
        (GOOD[:10], "expected an IDX file"),
        (b"", "received an empty file"),
        (b"\0\0\x0d\x03" + GOOD[4:], "beginning with 00000803, received 00000d03"),
        (GOOD[:4] + b"\xff" * 12 + GOOD[16:], "promises the shape"),
        (GOOD[:4] + b"\0" * 12, "promises the shape"),
        (idx(IMAGES[:1]), "train has 1 images and 2 labels"),
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_that_is_not_what_its_header_says_is_refused(tmp_path, content, message, pack):
    write(tmp_path)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(pack(content))
    with pytest.raises(DataError, match=message):
        open_dataset("fashion-mnist", tmp_path)


def test_a_gzip_file_that_is_cut_short_or_expands_without_end_is_refused(tmp_path):
    write(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(GOOD)[:-20])
    with pytest.raises(DataError, match="is damaged"):
        open_dataset("fashion-mnist", tmp_path)
    path.write_bytes(gzip.compress(GOOD + bytes(50_000_000), 1))
    with pytest.raises(DataError, match="it has more"):
        open_dataset("fashion-mnist", tmp_path)


def test_labels_of_another_data_set_are_refused(tmp_path):
    write(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(LABELS[:2] + 5)))
    with pytest.raises(DataError, match="expected labels 0 to 9, received 14"):
        open_dataset("fashion-mnist", tmp_path)

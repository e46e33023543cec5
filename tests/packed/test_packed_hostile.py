"""Files that are damaged, not ours, or made to harm are refused before anything is read."""

from __future__ import annotations

import json
import zipfile

import h5py
import numpy as np
import pytest

from eactf.errors import DataError, UnsafeFileError, UsageError
from eactf.packed import open_packed, write_packed
from eactf.packed.records import Dataset, Samples

NAMES_OF_65 = [str(number) for number in range(65)]
"""One more than a file may have."""


@pytest.fixture
def packed(tmp_path):
    samples = Samples(
        images=np.zeros((4, 3, 3, 1), np.uint8),
        ids=np.arange(4),
        given=np.array([0, 1, 0, 1]),
        names=np.array(["a", "b", "c", "d"]),
        votes=np.ones((4, 2), np.uint8),
        targets=np.full((4, 2), 0.5, np.float32),
        values={"valence": np.array([-1, 1, np.nan, 0.5], np.float32)},
        columns={"age": np.array(["1", "2", "3", "4"]), "note": np.array(["", "", "x", ""])},
    )
    path = tmp_path / "good.h5"
    write_packed(path, Dataset(("cat", "dog"), {"train": samples}, "test", {}, ("cat", "dog")))
    return path


def replaced(path, name, make):
    """Put what `make(group, name)` creates in the place of a member of the file."""
    with h5py.File(path, "r+") as file:
        if name in file:
            del file[name]
        make(file, name)


def array(values):
    return lambda file, name: file.create_dataset(name, data=values)


def edited(path, name, index, value):
    with h5py.File(path, "r+") as file:
        file[name][index] = value


def soft_link(file, name):
    file[name] = h5py.SoftLink("/labels/given")


def external_link(file, name):
    file[name] = h5py.ExternalLink("/etc/hostname", "/")


def external_storage(file, name):
    places = [("/etc/hostname", 0, h5py.h5f.UNLIMITED)]
    file.create_dataset(name, (4, 3, 3, 1), "u1", external=places)


def virtual(file, name):
    layout = h5py.VirtualLayout((4, 3, 3, 1), "u1")
    layout[...] = h5py.VirtualSource("other.h5", "images", (4, 3, 3, 1))
    file.create_virtual_dataset(name, layout)


def unlimited_virtual(file, name):
    layout = h5py.VirtualLayout((4, 3, 3, 1), "u1", maxshape=(None, 3, 3, 1))
    source = h5py.VirtualSource("other.h5", "images", (4, 3, 3, 1), maxshape=(None, 3, 3, 1))
    unlimited = h5py.h5s.UNLIMITED
    layout[0:unlimited, :, :, :] = source[0:unlimited, :, :, :]
    file.create_virtual_dataset(name, layout)


def bomb(file, name):
    file.create_dataset(name, (10**12, 1000, 1000, 3), "u1")


@pytest.mark.parametrize(
    "name",
    [
        *("images", "labels/given", "labels", "extra", "labels/extra", "columns", "columns/0"),
        *("values", "values/valence", "values/extra"),
    ],
)
@pytest.mark.parametrize("link", [soft_link, external_link])
def test_soft_and_external_links_are_unsafe(packed, link, name):
    replaced(packed, name, link)
    with pytest.raises(UnsafeFileError, match="soft or external link"):
        open_packed(packed)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (external_storage, "keeps its values in another file"),
        (virtual, "virtual dataset"),
        (unlimited_virtual, "virtual dataset"),
        (bomb, "more than the file has"),
    ],
)
def test_storage_outside_the_file_and_bombs_are_unsafe(packed, make, message):
    replaced(packed, "images", make)
    with pytest.raises(UnsafeFileError, match=message) as caught:
        open_packed(packed)
    assert caught.value.exit_code == 5


def test_an_array_that_reaches_beyond_the_end_of_the_file_is_refused(packed):
    with h5py.File(packed) as file:
        offset, size = file["images"].id.get_offset(), file["images"].id.get_storage_size()
    content = packed.read_bytes()
    place = offset.to_bytes(8, "little") + size.to_bytes(8, "little")
    beyond = (len(content) - 10).to_bytes(8, "little") + size.to_bytes(8, "little")
    assert content.count(place) == 1
    packed.write_bytes(content.replace(place, beyond))
    # Recent HDF5 libraries notice it themselves, and call the file corrupt.
    with pytest.raises((UnsafeFileError, DataError), match=r"more than the file|dataset size"):
        open_packed(packed)


def test_a_group_with_very_many_members_is_unsafe(packed):
    with h5py.File(packed, "r+") as file:
        for number in range(150):
            file.create_dataset(f"labels/l{number}", data=np.zeros(4, "<i2"))
    with pytest.raises(UnsafeFileError, match="members"):
        open_packed(packed)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("images", array(np.zeros((4, 3, 3, 1), "<f4")), "images: expected uint8"),
        ("images", array(np.zeros((4, 9), "u1")), "images: expected 4 dimensions"),
        (
            "images",
            array(np.zeros((5, 3, 3, 1), "u1")),
            "expected 5 rows as images has",
        ),
        ("id", array(np.arange(4, dtype=">i8")), "id: expected int64"),
        ("id", array(np.arange(4, dtype="<i4")), "id: expected int64"),
        ("id", array(np.array([0, 1, 1, 2])), "id 1 belongs to more than one image"),
        ("id", array(np.array([0, 1, -1, 2])), "id, row 2: expected 0 to 2147483647, received -1"),
        ("split", array(np.array([0, 0, 0, 3], "u1")), "split, row 3: expected 0 to 2, received 3"),
        ("votes", array(np.ones((4, 3), "u1")), "votes: expected 2 columns, received 3"),
        ("targets", array(np.ones((4, 2), "<f4")), "rows that sum to 1"),
        ("targets", array(np.full((4, 2), np.nan, "<f4")), "targets: expected finite"),
        ("name", array(np.array([b"\xff"] * 4)), "name: expected UTF-8"),
        ("name", array(np.array(["a"] * 4, dtype=h5py.string_dtype())), "name: expected"),
        ("id", lambda file, name: file.create_group(name), "damaged"),
        ("labels", array(np.zeros(4)), "expected a group, received an array"),
        ("id", array(np.int64(3)), "id: expected 1 dimensions"),
        ("extra", array(np.zeros(4)), "'extra' is not part of the form"),
        ("labels/a b", array(np.zeros(4, "<i2")), "'a b' is no name for a set"),
        ("values", array(np.zeros(4, "<f4")), "values: expected a group, received an array"),
        ("values/valence", array(np.zeros(4)), "values/valence: expected float32"),
        ("values/valence", array(np.zeros(3, "<f4")), "values/valence: expected 4 rows"),
        ("values/valence", array(np.zeros((4, 2), "<f4")), "values/valence: expected 1 dim"),
        (
            "values/valence",
            array(np.array([0, 1, -np.inf, np.nan], "<f4")),
            "values/valence, row 2: expected a finite number, or NaN where there is none, received",
        ),
        ("values/a b", array(np.zeros(4, "<f4")), "values: 'a b' is no name for one"),
        ("columns", array(np.zeros(4)), "columns: expected a group, received an array"),
        ("columns/0", array(np.array([b"\xff"] * 4)), "columns/age: expected UTF-8"),
        ("columns/0", array(np.array(["a"] * 4, dtype=h5py.string_dtype())), "columns/0: expected"),
        ("columns/1", array(np.array([b"x" * 1025] * 4)), "columns/1: expected"),
        ("columns/1", array(np.array([b"a"] * 3)), "columns/note: expected 4 rows"),
        ("columns/2", array(np.array([b"a"] * 4)), "columns: expected 2, numbered from 0"),
        ("columns/x", array(np.array([b"a"] * 4)), "received '0', '1', 'x'"),
    ],
)
def test_a_column_that_is_not_as_it_should_be_is_named(packed, name, make, message):
    replaced(packed, name, make)
    with pytest.raises(DataError, match=message) as caught:
        open_packed(packed)
    assert str(packed) in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("storage", [{"chunks": (1, 3, 3, 1)}, {"compression": "gzip"}])
def test_images_in_chunks_or_compressed_are_refused(packed, storage):
    zeros = np.zeros((4, 3, 3, 1), "u1")
    replaced(packed, "images", lambda file, name: file.create_dataset(name, data=zeros, **storage))
    with pytest.raises(DataError, match="contiguous, uncompressed"):
        open_packed(packed)


@pytest.mark.parametrize(("label", "shown"), [(2, 2), (-1, -1)])
def test_a_class_index_out_of_range_is_named_with_its_row(packed, label, shown):
    edited(packed, "labels/given", 2, label)
    message = f"labels/given, row 2: expected 0 to 1, received {shown}"
    with pytest.raises(DataError, match=message):
        open_packed(packed)


@pytest.mark.parametrize("name", ["images", "id", "split", "labels", "labels/given"])
def test_a_missing_column_is_named(packed, name):
    with h5py.File(packed, "r+") as file:
        del file[name]
    with pytest.raises(DataError, match=f"{name} is missing"):
        open_packed(packed)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", np.bytes_(b"other"), "not a data set that eactf packed"),
        ("version", np.int64(2), "version 2 of the packed form, this eactf reads 1"),
        ("version", np.bytes_(b"1"), "attribute version: expected an integer"),
        ("class_names", np.bytes_(b'["cat", "cat"]'), "expected a list of unique names"),
        ("class_names", np.bytes_(b"[]"), "at least one class"),
        ("class_names", np.bytes_(b'{"cat": 0}'), "expected a list of unique names"),
        ("class_names", np.bytes_(b"[" * 50_000), "class_names is not valid JSON"),
        ("class_names", np.array([b"a", b"b"]), "expected a single value"),
        ("notes", np.bytes_(b"[]"), "notes: expected a JSON object"),
        ("columns", np.bytes_(b'["age"]'), "columns: expected 1, numbered from 0"),
        ("columns", np.bytes_(b'["age", "age"]'), "columns: expected a list of unique names"),
        (
            "columns",
            np.bytes_(json.dumps([str(n) for n in range(65)]).encode()),
            "columns: expected a list",
        ),
        ("source", "text of variable length", "source: expected fixed-length text"),
        ("source", np.bytes_(b"\xff\xfe"), "damaged"),
    ],
)
def test_an_attribute_that_is_not_as_it_should_be_is_named(packed, key, value, message):
    with h5py.File(packed, "r+") as file:
        file.attrs[key] = value
    with pytest.raises(DataError, match=message):
        open_packed(packed)


def test_more_continuous_targets_than_the_form_allows_are_refused(packed):
    with h5py.File(packed, "r+") as file:
        for number in range(64):
            file.create_dataset(f"values/v{number}", data=np.zeros(4, "<f4"))
    with pytest.raises(DataError, match="values: 65 are too many"):
        open_packed(packed)


def test_a_file_from_before_there_were_columns_and_values_still_opens(packed):
    with h5py.File(packed, "r+") as file:
        del file["columns"], file["values"]
        del file.attrs["columns"]
    samples = open_packed(packed).splits["train"]
    assert samples.columns == samples.values == {}
    assert samples.names.tolist() == ["a", "b", "c", "d"]


def test_a_split_that_does_not_lie_together_is_still_read(packed):
    with h5py.File(packed, "r+") as file:
        file["split"][...] = [0, 2, 0, 2]
        file["images"][...] = np.arange(4, dtype="u1").reshape(4, 1, 1, 1)
    splits = open_packed(packed).splits
    assert splits["train"].images[:, 0, 0, 0].tolist() == [0, 2]
    assert splits["test"].ids.tolist() == [1, 3]


def test_a_file_that_was_cut_short_is_refused(packed):
    packed.write_bytes(packed.read_bytes()[:-100])
    with pytest.raises(DataError, match="damaged"):
        open_packed(packed)


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "d.h5"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", json.dumps([]))
    with pytest.raises(DataError, match="not an HDF5 file"):
        open_packed(path)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="is not a file"):
        open_packed(tmp_path)


def test_a_path_that_is_not_there_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        open_packed(tmp_path / "none.h5")

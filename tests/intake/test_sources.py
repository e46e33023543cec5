"""A path opens by the door that fits what lies there; a packed file is a source too."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from PIL import Image

from eactf.errors import DataError, UsageError
from eactf.intake.sources import SourceOptions, open_source
from eactf.intake.sources.packed import is_packed
from eactf.packed import write_packed
from eactf.packed.records import SPLITS, Dataset, Samples


def samples(ids, **more):
    images = np.random.default_rng(ids[0]).integers(0, 256, (len(ids), 4, 4, 3), dtype=np.uint8)
    ids = np.array(ids)
    return Samples(images=images, ids=ids, given=ids % 2, **more)


def pack(path, **splits):
    write_packed(path, Dataset(("a", "b"), splits, "made here", {"rule": "none"}, ("a", "b")))
    return path


def test_a_packed_file_lists_its_splits_one_after_the_other(tmp_path):
    train = samples([4, 7, 9], names=np.array(["x.png", "x.png", "y.png"]), clean=np.ones(3, int))
    test = samples([1, 2], labels={"other": np.array([0, -1])}, votes=np.array([[1, 2], [3, 4]]))
    listing = open_source(pack(tmp_path / "p.h5", test=test, train=train))
    assert listing.kind == "packed" and listing.class_names == ("a", "b")
    assert [SPLITS[split] for split in listing.splits] == ["train"] * 3 + ["test"] * 2
    assert listing.ids.tolist() == [4, 7, 9, 1, 2]
    assert listing.given.tolist() == [0, 1, 1, 1, 0]
    names = ["train[0] x.png", "train[1] x.png", "y.png", "test[0]", "test[1]"]
    assert listing.names.tolist() == names
    assert listing.clean is not None and listing.clean.tolist() == [1, 1, 1, -1, -1]
    assert listing.labels["other"].tolist() == [-1, -1, -1, 0, -1]
    assert listing.votes is not None and listing.votes[3:].tolist() == [[1, 2], [3, 4]]
    assert listing.notes == {"rule": "none", "packed_from": "made here"}


def test_continuous_targets_come_back_from_a_packed_file(tmp_path):
    train = samples([0, 1], values={"valence": np.array([0.5, np.nan], np.float32)})
    listing = open_source(pack(tmp_path / "p.h5", train=train, test=samples([2])))
    assert listing.values["valence"].dtype == np.float32
    np.testing.assert_array_equal(listing.values["valence"], [0.5, np.nan, np.nan])


def test_the_images_of_a_packed_file_are_read_one_at_a_time(tmp_path):
    train, test = samples([0, 1]), samples([2, 3])
    listing = open_source(pack(tmp_path / "p.h5", train=train, test=test))
    assert len(listing.images) == 4
    with listing.images.open(3) as image:
        np.testing.assert_array_equal(np.asarray(image), test.images[1])


def test_further_columns_come_back_from_a_packed_file(tmp_path):
    train = samples([0, 1], columns={"camera": np.array(["left", "right"])})
    listing = open_source(pack(tmp_path / "p.h5", train=train, test=samples([2, 3])))
    assert listing.columns["camera"].tolist() == ["left", "right", "", ""]


def test_an_hdf5_file_of_other_arrays_is_not_taken_for_a_packed_one(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["format"] = 3
    assert not is_packed(tmp_path / "x.h5")
    assert is_packed(pack(tmp_path / "p.h5", train=samples([0, 1])))


def test_a_file_that_is_no_hdf5_is_refused(tmp_path):
    (tmp_path / "x.h5").write_text("text")
    with pytest.raises(DataError, match="not an HDF5 file"):
        open_source(tmp_path / "x.h5")


def test_a_folder_and_a_manifest_open_by_their_doors(tmp_path):
    for name in ("a/1.png", "b/2.png"):
        (tmp_path / name).parent.mkdir()
        Image.new("L", (2, 2)).save(tmp_path / name)
    (tmp_path / "m.CSV").write_text("path,label\na/1.png,a\nb/2.png,b\n")
    assert open_source(str(tmp_path)).kind == "folder"
    assert open_source(tmp_path / "m.CSV").kind == "manifest"


def test_a_path_that_is_not_there_suggests_a_similar_one(tmp_path):
    (tmp_path / "faces").mkdir()
    with pytest.raises(UsageError, match="there is no file or folder") as caught:
        open_source(tmp_path / "face")
    assert str(tmp_path / "faces") in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("x.zip", "unpack it"),
        ("x.xlsx", "save the sheet as CSV"),
        ("x.pkl", "can run code"),
        ("x.npy", "one .npz file"),
        ("x.PNG", "pass the folder"),
        ("x.parquet", "path and label"),
    ],
)
def test_a_kind_of_file_that_is_not_read_is_refused_with_advice(tmp_path, name, hint):
    (tmp_path / name).write_text("")
    with pytest.raises(UsageError, match="expected a folder of images, a manifest") as caught:
        open_source(tmp_path / name)
    assert hint in str(caught.value.hint)


def test_an_unknown_vote_rule_is_refused():
    with pytest.raises(UsageError, match="expected one of argmax, majority, soft"):
        SourceOptions(vote_rule="median")


def test_a_packed_file_takes_no_options(tmp_path):
    with pytest.raises(UsageError, match="--votes does not apply to a packed data set"):
        open_source(pack(tmp_path / "p.h5", train=samples([0, 1])), SourceOptions(votes=("a",)))


@pytest.mark.parametrize("name", ["packed", "packed.csv", "packed.png", "packed.npz"])
def test_a_packed_file_is_known_by_its_content_whatever_its_name(tmp_path, name):
    pack(tmp_path / name, train=samples([1, 2]))
    assert open_source(tmp_path / name).kind == "packed"

"""The packed form: what goes in comes out, and nothing is left of a failure."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from eactf.errors import DataError, UsageError
from eactf.packed import PackedWriter, exact, open_packed, write_packed
from eactf.packed.records import Dataset, Samples

CLASSES = ("neutral", "happiness", "surprise")


def make_samples(count, first_id=0, **more):
    generator = np.random.default_rng(count)
    images = generator.integers(0, 256, (count, 5, 4, 3), dtype=np.uint8)
    ids = np.arange(first_id, first_id + count, dtype=np.int64)
    given = generator.integers(0, len(CLASSES), count)
    return Samples(images=images, ids=ids, given=given, **more)


def make_dataset():
    soft = np.full((6, 3), 1 / 3, dtype=np.float32)
    votes = np.arange(24, dtype=np.uint8).reshape(6, 4)
    train = make_samples(
        6,
        clean=np.array([0, 1, 2, -1, 1, 0]),
        labels={"fer2013": np.array([2, -1, 0, 1, 1, 0])},
        values={
            "valence": np.array([0.5, -1, np.nan, 1, 0, 0.25], np.float32),
            "age.in-years": np.array([3, 40, 17.5, 80, np.nan, np.nan], np.float32),
        },
        names=np.array(["a.png", "b.png", "é.png", "d.png", "longer name.png", "f.png"]),
        votes=votes,
        targets=soft,
        columns={
            "width / px": np.array(["1", "", "größer", "4", "5", "6"]),
            "age": np.full(6, ""),
        },
    )
    columns = {"age": np.array(["7", "8", "9"]), "width / px": np.array(["", "", ""])}
    values = {"valence": np.array([np.nan, -0.5, 0], np.float32)}
    test = make_samples(3, first_id=100, columns=columns, values=values)
    splits = {"train": train, "test": test}
    return Dataset(CLASSES, splits, "made in a test", {"kept": 9}, ("a", "b", "c", "d"))


def same_samples(left, right):
    for name in ("images", "ids", "given", "clean", "targets", "names", "votes"):
        one, two = getattr(left, name), getattr(right, name)
        assert (one is None) == (two is None), name
        if one is not None:
            np.testing.assert_array_equal(one, two, err_msg=name)
    assert left.labels.keys() == right.labels.keys()
    for name in left.labels:
        np.testing.assert_array_equal(left.labels[name], right.labels[name])
    assert left.values.keys() == right.values.keys()
    for name in left.values:
        np.testing.assert_array_equal(left.values[name], right.values[name])
        assert left.values[name].dtype == right.values[name].dtype == np.float32
    assert left.columns.keys() == right.columns.keys()
    for name in left.columns:
        np.testing.assert_array_equal(left.columns[name], right.columns[name])


def begin(path, **changes):
    settings = {"counts": {"train": 4}, "image_shape": (5, 4, 3), "class_names": CLASSES}
    return PackedWriter(path, **{**settings, "source": "test", **changes})


def put(writer, samples, split="train"):
    writer.append(samples.images, samples.ids, samples.given, split)


def test_a_data_set_comes_back_as_it_was_written(tmp_path):
    dataset = make_dataset()
    write_packed(tmp_path / "d.h5", dataset)
    back = open_packed(tmp_path / "d.h5")
    assert list(back.splits) == ["train", "test"]
    for name, samples in dataset.splits.items():
        same_samples(samples, back.splits[name])
    assert (back.class_names, back.source, back.notes) == (CLASSES, "made in a test", {"kept": 9})
    assert back.vote_columns == ("a", "b", "c", "d")
    assert back.image_shape == (5, 4, 3)


def test_images_come_back_as_a_read_only_map_of_the_file(tmp_path):
    write_packed(tmp_path / "d.h5", make_dataset())
    images = open_packed(tmp_path / "d.h5").splits["test"].images
    assert isinstance(images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_votes_that_are_not_whole_numbers_are_kept_as_floats(tmp_path):
    votes = np.array([[0.25, 0.75], [1.5, 0.0]], dtype=np.float32)
    dataset = Dataset(CLASSES, {"train": make_samples(2, votes=votes)}, "test", {}, ("a", "b"))
    write_packed(tmp_path / "d.h5", dataset)
    back = open_packed(tmp_path / "d.h5").splits["train"].votes
    assert back is not None and back.dtype == np.float32
    np.testing.assert_array_equal(back, votes)


def test_the_rows_of_a_split_lie_together_whatever_order_they_come_in(tmp_path):
    test, train = make_samples(2, first_id=50), make_samples(4)
    with begin(tmp_path / "d.h5", counts={"test": 2, "train": 4}) as writer:
        put(writer, test.take(np.array([0])), "test")
        put(writer, train.take(np.array([0, 1])))
        put(writer, test.take(np.array([1])), "test")
        put(writer, train.take(np.array([2, 3])))
    back = open_packed(tmp_path / "d.h5")
    same_samples(back.splits["train"], train)
    same_samples(back.splits["test"], test)


def test_taking_rows_takes_their_votes_values_and_columns_along():
    votes, ages = np.array([[1], [2], [3]], dtype=np.uint8), np.array(["7", "8", "9"])
    values = {"arousal": np.array([0.1, 0.2, np.nan], np.float32)}
    samples = make_samples(3, votes=votes, columns={"age": ages}, values=values)
    taken = samples.take(np.array([2, 0]))
    np.testing.assert_array_equal(taken.values["arousal"], np.array([np.nan, 0.1], np.float32))
    np.testing.assert_array_equal(taken.votes, [[3], [1]])
    np.testing.assert_array_equal(taken.columns["age"], ["9", "7"])


def test_a_column_has_a_value_for_every_sample():
    with pytest.raises(DataError, match="columns/ids has 2 rows, images has 3"):
        make_samples(3, columns={"ids": np.array(["1", "2"])})
    with pytest.raises(DataError, match="values/valence has 2 rows, images has 3"):
        make_samples(3, values={"valence": np.zeros(2, np.float32)})


def test_an_existing_file_is_kept_unless_overwriting_is_asked_for(tmp_path):
    path = tmp_path / "d.h5"
    path.write_text("precious")
    with pytest.raises(UsageError, match="exists already"):
        write_packed(path, make_dataset())
    assert path.read_text() == "precious"
    write_packed(path, make_dataset(), overwrite=True)
    assert len(open_packed(path).splits["train"]) == 6


def test_a_failure_leaves_nothing_behind_and_the_old_file_in_place(tmp_path):
    path = tmp_path / "d.h5"
    path.write_text("precious")
    with pytest.raises(KeyboardInterrupt), begin(path, overwrite=True) as writer:
        put(writer, make_samples(2))
        raise KeyboardInterrupt
    assert [entry.name for entry in tmp_path.iterdir()] == ["d.h5"]
    assert path.read_text() == "precious"


def test_a_disk_that_takes_no_more_leaves_nothing_behind(tmp_path):
    resource = pytest.importorskip("resource")
    images = np.zeros((100, 48, 48, 1), np.uint8)
    samples = Samples(images=images, ids=np.arange(100), given=np.zeros(100, int))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(DataError, match="cannot be written: File too large"):
            write_packed(tmp_path / "d.h5", Dataset(CLASSES, {"train": samples}, "test"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


_FILL_THE_DISK = """
import os, resource, sys
import numpy as np
from eactf.packed import PackedWriter
from eactf.errors import DataError

n, shape = 3_000, (24, 24, 1)
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
truncate = os.truncate

def free(path, length):
    truncate(path, length)
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)

os.truncate = free
resource.setrlimit(resource.RLIMIT_FSIZE, (1_200_000, unlimited[1]))
try:
    with PackedWriter(
        sys.argv[1], counts={"train": n}, image_shape=shape, class_names=("a", "b"), source="made"
    ) as writer:
        for i in range(0, n, 50):
            ids = np.arange(i, i + 50)
            writer.append(np.ones((50, *shape), np.uint8), ids, ids % 2, "train")
except DataError as error:
    sys.exit(str(error))
"""
"""A limit on the size of files stands for the disk; truncating a file makes room on it."""


def test_a_disk_that_fills_up_under_way_neither_crashes_nor_leaves_anything(tmp_path):
    pytest.importorskip("resource")
    command = [sys.executable, "-c", _FILL_THE_DISK, str(tmp_path / "d.h5")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "cannot be written: File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_file_appears_only_when_it_is_complete(tmp_path):
    with begin(tmp_path / "d.h5") as writer:
        put(writer, make_samples(4))
        assert not (tmp_path / "d.h5").exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["d.h5"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [(3, "3 of 4 images came"), (5, "more than the 4 images announced")],
)
def test_a_number_of_images_that_was_not_announced_is_refused(tmp_path, rows, message):
    with pytest.raises(DataError, match=message), begin(tmp_path / "d.h5") as writer:
        put(writer, make_samples(rows))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": np.array([0, 1, 2, 2])}, "id 2 belongs to more than one image"),
        ({"ids": np.array([0, 1, 2, -1])}, "id: expected 0 to 2147483647, received -1 to 2"),
        ({"given": np.array([0, 1, 2, 3])}, "given label: expected 0 to 2, received 0 to 3"),
        ({"given": np.array([0.0, 1, 2, 1])}, "expected integers, received float64"),
        ({"images": np.zeros((4, 5, 4, 3), np.float32)}, "images are float32"),
        ({"images": np.zeros((4, 4, 4, 3), np.uint8)}, r"expected \(4, 5, 4, 3\)"),
        ({"labels": {"other": np.zeros(4, int)}}, "labels/other was not declared"),
        ({"values": {"valence": np.zeros(4)}}, "values/valence was not declared"),
        ({"values": {"valence": np.array([0, 0, 0, np.inf])}}, "values/valence: expected finite"),
        ({"values": {"valence": np.array([0, 0, 0, 1e300])}}, "values/valence: expected finite"),
        ({"values": {"valence": np.array(["0"] * 4)}}, "expected numbers, received <U1"),
        ({"names": np.array(["a"] * 4)}, "names were not declared"),
        ({"columns": {"age": np.array(["1"] * 4)}}, "column 'age' was not declared"),
        ({"split": "test"}, "no images were announced for split 'test'"),
    ],
)
def test_rows_that_do_not_fit_the_declaration_are_refused(tmp_path, change, message):
    samples = make_samples(4)
    rows = {"images": samples.images, "ids": samples.ids, "given": samples.given, "split": "train"}
    with pytest.raises(DataError, match=message), begin(tmp_path / "d.h5") as writer:
        writer.append(**{**rows, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class_names": ("a", "a")}, "class names must be unique"),
        ({"counts": {}}, "no images are left to pack"),
        ({"counts": {"dev": 1}}, "unknown split 'dev'"),
        ({"label_sets": ("clean",)}, "cannot be called 'clean'"),
        ({"label_sets": ("a/b",)}, "cannot be called 'a/b'"),
        ({"values": ("a/b",)}, "a continuous target cannot be called 'a/b'"),
        ({"values": ("valence", "valence")}, "values must be unique"),
        ({"values": tuple(map(str, range(65)))}, "65 continuous targets: a packed file holds 64"),
        ({"columns": {"": 4}}, "columns must be unique and not empty"),
        ({"columns": {"note": 2000}}, "column 'note' takes 2000 bytes a value"),
        ({"columns": dict.fromkeys(map(str, range(65)), 1)}, "64 columns"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        begin(tmp_path / "d.h5", **change)
    assert not list(tmp_path.iterdir())


def test_targets_that_are_no_shares_are_refused(tmp_path):
    targets = np.full((4, 3), 0.5, dtype=np.float32)
    dataset = Dataset(CLASSES, {"train": make_samples(4, targets=targets)}, "test")
    with pytest.raises(DataError, match="sum to 1"):
        write_packed(tmp_path / "d.h5", dataset)


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(UsageError, match="a folder that does not exist"):
        begin(tmp_path / "nowhere" / "d.h5")


def test_a_value_longer_than_its_column_is_refused(tmp_path):
    samples = make_samples(4)
    with (
        pytest.raises(DataError, match="'age': a value takes more than 2 bytes"),
        begin(tmp_path / "d.h5", columns={"age": 2}) as writer,
    ):
        ages = np.array(["1", "2", "3", "100"])
        writer.append(samples.images, samples.ids, samples.given, "train", columns={"age": ages})


def test_splits_that_fall_short_are_packed_without_gaps(tmp_path, monkeypatch):
    monkeypatch.setattr(exact, "_CHUNK_BYTES", 100)  # a row at a time
    train, test = make_samples(5), make_samples(3, first_id=50)
    counts = {"train": 9, "validation": 2, "test": 4}
    more = {"counts": counts, "has_names": True, "columns": {"age": 3}, "may_fall_short": True}
    with begin(tmp_path / "d.h5", **more) as writer:
        for split, samples in {"train": train, "test": test}.items():
            texts = samples.ids.astype(str)
            writer.append(
                samples.images,
                samples.ids,
                samples.given,
                split,
                names=texts,
                columns={"age": texts},
            )
    back = open_packed(tmp_path / "d.h5").splits
    assert list(back) == ["train", "test"]
    for split, samples in {"train": train, "test": test}.items():
        texts = samples.ids.astype(str)
        same_samples(back[split], replace(samples, names=texts, columns={"age": texts}))
    assert [entry.name for entry in tmp_path.iterdir()] == ["d.h5"]
    whole = sum(samples.images.nbytes for samples in (train, test))
    assert (tmp_path / "d.h5").stat().st_size < whole + 20_000


def test_a_stop_while_gaps_are_closed_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(exact, "_copy", interrupt)
    with pytest.raises(KeyboardInterrupt), begin(tmp_path / "d.h5", may_fall_short=True) as writer:
        put(writer, make_samples(2))
    assert not list(tmp_path.iterdir())


def test_no_images_at_all_are_refused_even_where_fewer_may_come(tmp_path):
    with pytest.raises(DataError, match="no images are left"):
        begin(tmp_path / "d.h5", may_fall_short=True).__exit__(None, None, None)
    assert not list(tmp_path.iterdir())


def test_a_source_whose_name_is_no_text_is_spelled_out(tmp_path):
    with begin(tmp_path / "d.h5", source="folder nam\udcff") as writer:
        put(writer, make_samples(4))
    assert open_packed(tmp_path / "d.h5").source == "folder nam\\udcff"

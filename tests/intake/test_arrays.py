"""Arrays of images and labels are told by their names, and come through unchanged."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from eactf.errors import DataError, UsageError
from eactf.intake.sources.arrays import list_arrays
from eactf.intake.sources.options import SourceOptions
from eactf.packed.records import SPLITS

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3)).astype(np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])
NAMES = np.array(["cat", "dog", "emu"])


def save_npz(path, arrays):
    np.savez(path, **arrays)


def save_small_npz(path, arrays):
    np.savez_compressed(path, **arrays)


def save_hdf5(path, arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            text = np.asarray(values).dtype.kind == "U"
            file[name] = values.astype(h5py.string_dtype()) if text else values


def save_small_hdf5(path, arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            values = np.asarray(values)
            if values.dtype.kind == "U":
                values = np.char.encode(values, "utf-8")
            chunks = (2, *values.shape[1:])
            file.create_dataset(name, data=values, chunks=chunks, compression="gzip")


FORMS = [
    (save_npz, "a.npz"),
    (save_small_npz, "a.npz"),
    (save_hdf5, "a.h5"),
    (save_small_hdf5, "a.hdf5"),
]


@pytest.fixture(params=FORMS, ids=["npz", "compressed npz", "hdf5", "chunked hdf5"])
def any_form(request, tmp_path):
    save, name = request.param

    def make(**arrays):
        save(tmp_path / name, arrays)
        return tmp_path / name

    return make


@pytest.fixture
def npz(tmp_path):
    def make(**arrays):
        np.savez(tmp_path / "a.npz", **arrays)
        return tmp_path / "a.npz"

    return make


def pixels(listing, row):
    with listing.images.open(row) as image:
        return np.asarray(image)


def test_every_form_gives_the_same_images_labels_and_names(any_form):
    path = any_form(train_images=PIXELS, train_label=LABELS, class_names=NAMES)
    listing = list_arrays(path)
    assert listing.class_names == ("cat", "dog", "emu")
    assert listing.given.tolist() == LABELS.tolist()
    assert listing.names[5] == "train_images[5]"
    for row in (5, 0, 3):
        np.testing.assert_array_equal(pixels(listing, row), PIXELS[row])


def test_texts_serve_as_labels_in_every_form(any_form):
    listing = list_arrays(any_form(x=PIXELS, y=np.array(["b10", "b9", "a", "a", "b9", "b10"])))
    assert listing.class_names == ("a", "b9", "b10")
    assert listing.given.tolist() == [2, 1, 0, 0, 1, 2]


@pytest.mark.parametrize(
    "names",
    [
        ("x_train", "y_train", "x_test", "y_test"),
        ("train_images", "train_labels", "test_images", "test_labels"),
        ("X_Train", "Y_Train", "X_Test", "Y_Test"),
        ("training_faces", "training_targets", "testing_faces", "testing_targets"),
    ],
)
def test_splits_are_told_by_the_names(npz, names):
    values = (PIXELS[:4], LABELS[:4], PIXELS[4:], LABELS[4:])
    listing = list_arrays(npz(**dict(zip(names, values, strict=True))))
    assert [SPLITS[split] for split in listing.splits] == ["train"] * 4 + ["test"] * 2
    np.testing.assert_array_equal(pixels(listing, 4), PIXELS[4])
    assert listing.ids is None and listing.named_by_row


def test_groups_of_an_hdf5_file_are_splits(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["train/images"], file["train/labels"] = PIXELS, LABELS
        file["valid/images"], file["valid/labels"] = PIXELS[:2], LABELS[:2]
    listing = list_arrays(tmp_path / "a.h5")
    assert np.bincount(listing.splits).tolist() == [6, 2]
    assert listing.names[6] == "valid/images[0]"


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        (PIXELS[..., 0], PIXELS[..., 0]),
        (PIXELS[..., :1], PIXELS[..., 0]),
        (np.moveaxis(PIXELS, -1, 1), PIXELS),
        (np.moveaxis(PIXELS, -1, 1)[:, :1], PIXELS[..., 0]),
        (np.asfortranarray(PIXELS), PIXELS),
        (PIXELS.astype(">i4"), PIXELS),
        (PIXELS.astype(np.float32), PIXELS),
        (PIXELS / 255, PIXELS),
        ((PIXELS / 255).astype(np.float16), PIXELS),
        (PIXELS > 127, (PIXELS > 127) * 255),
    ],
    ids=[
        *("grey", "1 last", "3 first", "1 first", "Fortran"),
        *("ints", "floats", "fractions", "half", "booleans"),
    ],
)
def test_layouts_and_kinds_of_values_become_8_bits(npz, values, shown):
    listing = list_arrays(npz(images=values, labels=LABELS))
    difference = np.stack([pixels(listing, row) for row in range(6)]).astype(int) - shown
    assert np.abs(difference).max() == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (PIXELS[:, :3], r"shape \(6, 3, 5, 3\): either may be the channels"),
        (np.zeros((6, 4, 5, 2), np.uint8), r"shape \(6, 4, 5, 2\): neither is"),
        (np.zeros((6, 60), np.uint8), r"received shape \(6, 60\)"),
        (np.zeros((6, 0, 4), np.uint8), "4 x 0 pixels"),
        (PIXELS.astype(np.float32) / 127.5 - 1, "received -1 to 1"),
        (PIXELS.astype(np.int64) * 257, "received 0 to 65535"),
        (np.where(PIXELS == 7, np.nan, PIXELS), "received nan to nan"),
        (np.full((6, 4, 5), "a"), "expected numbers"),
    ],
)
def test_images_that_cannot_be_read_in_one_way_are_refused(npz, values, message):
    with pytest.raises(DataError, match=message):
        list_arrays(npz(images=values, labels=LABELS))


def test_arrays_of_fractions_and_of_bytes_are_not_mixed(npz):
    path = npz(train_x=PIXELS / 255, train_y=LABELS, test_x=PIXELS, test_y=LABELS)
    with pytest.raises(DataError, match="some arrays of images reach to 1 and others to 255"):
        list_arrays(path)


@pytest.mark.parametrize(
    "labels",
    [LABELS[:, None], LABELS.astype(np.float32), np.eye(3)[LABELS], np.eye(3, dtype=bool)[LABELS]],
    ids=["column", "floats", "one-hot", "one-hot booleans"],
)
def test_labels_in_other_dress_are_the_same_labels(npz, labels):
    assert list_arrays(npz(x=PIXELS, y=labels)).given.tolist() == LABELS.tolist()


def test_numbers_without_names_keep_their_values_as_names(npz):
    listing = list_arrays(npz(x=PIXELS, y=np.array([7, 1, 10, 7, 1, 10])))
    assert listing.class_names == ("1", "7", "10")
    assert listing.given.tolist() == [1, 0, 2, 1, 0, 2]


@pytest.mark.parametrize(
    ("labels", "message", "hint"),
    [
        (LABELS + 1, "expected 0 to 2 for 3 class names, received 1 to 3", "start at 1"),
        (LABELS * 2, "received 0 to 4", "name every class"),
        (LABELS / 2, "received fractions", ""),
        (LABELS[:5], "y has 5 rows, x has 6", ""),
        (np.ones((6, 4)), "one label an image", "votes"),
    ],
)
def test_labels_that_do_not_fit_are_refused(npz, labels, message, hint):
    with pytest.raises(DataError, match=message) as caught:
        list_arrays(npz(x=PIXELS, y=labels, class_names=NAMES))
    assert hint in (caught.value.hint or "")


def test_missing_and_unknown_labels_are_told_and_left_without_a_class(npz):
    labels = np.array(["cat", "", "owl", "dog", "emu", "cat"])
    listing = list_arrays(npz(x=PIXELS, y=labels, class_names=NAMES))
    assert listing.given.tolist() == [0, -1, -1, 1, 2, 0]
    found = {finding.code: finding for finding in listing.findings}
    assert found["missing-label"].files == ("x[1]",)
    assert found["unknown-label"].files == ("x[2]",)
    assert "owl" in found["unknown-label"].what


def test_one_class_in_two_spellings_is_found_and_joined_when_asked(npz):
    path = npz(x=PIXELS, y=np.array(["Happy", "happy", "Happy", "sad", "sad", "sad"]))
    (finding,) = list_arrays(path).findings
    assert finding.code == "class-in-two-spellings"
    joined = list_arrays(path, SourceOptions(merge_spellings=True))
    assert joined.class_names == ("Happy", "sad")


def test_further_arrays_become_label_sets_or_columns(npz):
    path = npz(
        x=PIXELS,
        y=LABELS,
        class_names=NAMES,
        worst=LABELS[::-1].copy(),
        clean=np.array([0, 1, 2, 0, 1, -1]),
        row=np.arange(6) % 3,
        camera=np.arange(6) + 40,
        tie=LABELS == 1,
        heat=np.zeros((6, 9)),
        mean=np.zeros(2),
    )
    listing = list_arrays(path)
    assert {name: array.tolist() for name, array in listing.labels.items()} == {
        "worst": LABELS[::-1].tolist()
    }
    assert listing.clean.tolist() == [0, 1, 2, 0, 1, -1]
    assert set(listing.columns) == {"row", "camera", "tie"}
    assert listing.columns["camera"].tolist() == ["40", "41", "42", "43", "44", "45"]


def test_an_array_with_class_names_of_its_own_is_read_by_them(npz):
    path = npz(
        x=PIXELS,
        y=LABELS,
        class_names=NAMES,
        other=LABELS,
        other_class_names=np.array(["dog", "cat", "emu"]),
        foreign=LABELS,
        foreign_class_names=np.array(["sun", "sea", "sky"]),
    )
    listing = list_arrays(path)
    assert listing.labels["other"].tolist() == [1, 0, 2, 1, 0, 2]
    assert listing.columns["foreign"].tolist() == ["sun", "sea", "sky"] * 2
    chosen = list_arrays(path, SourceOptions(label="foreign", clean="y"))
    assert chosen.class_names == ("sun", "sea", "sky")
    assert chosen.clean.tolist() == [-1] * 6


def test_without_a_label_array_the_candidates_are_listed(npz):
    path = npz(train_x=PIXELS, train_worst=LABELS, train_index=LABELS, test_x=PIXELS, test_y=LABELS)
    with pytest.raises(DataError, match="which array has the labels of train_x") as caught:
        list_arrays(path)
    assert caught.value.hint == "choose one: --label worst"
    listing = list_arrays(path, SourceOptions(label="worst"))
    assert len(listing) == 12


def test_a_split_without_any_label_is_listed_without(npz):
    listing = list_arrays(npz(train_x=PIXELS, train_y=LABELS, test_x=PIXELS[:1]))
    assert listing.given[-1] == -1
    assert [finding.code for finding in listing.findings] == ["missing-label"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pictures": PIXELS, "y": LABELS}, r"no array that is named as images.*pictures \(6, 4"),
        ({"x": PIXELS, "images": PIXELS, "y": LABELS}, "several arrays that may be the images"),
        ({"x": PIXELS, "y": LABELS, "label": LABELS}, "several arrays that may be the label: y"),
        ({"x": PIXELS}, "which array has the labels of x"),
        ({"x": PIXELS[:0], "y": LABELS[:0]}, "x has no images"),
        ({"x": PIXELS, "y": np.full(6, -1)}, "y has no label at all"),
        ({"x": PIXELS, "y": LABELS, "class_names": NAMES[[0, 0, 1]]}, "expected unique names"),
        ({"x_train": PIXELS, "train_x": PIXELS}, "name the same"),
    ],
)
def test_what_cannot_be_told_is_refused(npz, arrays, message):
    with pytest.raises(DataError, match=message):
        list_arrays(npz(**arrays))


def test_options_that_name_nothing_are_refused_with_the_choices(npz):
    path = npz(x=PIXELS, y=LABELS, worst=LABELS)
    with pytest.raises(UsageError, match="no such array") as caught:
        list_arrays(path, SourceOptions(label="best"))
    assert caught.value.hint == "choose from: worst, y"
    with pytest.raises(UsageError, match="--path-column does not apply"):
        list_arrays(path, SourceOptions(path_column="x"))


VOTES = np.array(
    [[9, 1, 0, 0], [0, 4, 4, 2], [0, 0, 3, 7], [5, 5, 0, 0], [0, 0, 0, 0], [1, 8, 1, 0]]
)
COLUMNS = np.array(["cat", "dog", "emu", "blurred"])


def test_votes_are_kept_beside_the_labels_and_doubts_are_told(npz):
    path = npz(x=PIXELS, y=LABELS, class_names=NAMES, votes=VOTES, vote_columns=COLUMNS)
    listing = list_arrays(path)
    assert listing.votes.dtype == np.uint8 and listing.votes.tolist() == VOTES.tolist()
    assert listing.vote_columns == ("cat", "dog", "emu", "blurred")
    assert listing.given.tolist() == LABELS.tolist()
    (finding,) = listing.findings
    assert (finding.code, finding.files) == ("votes-for-no-class", ("x[2]",))
    assert finding.fix.endswith("--votes cat,dog,emu")


def test_votes_make_the_label_where_there_is_none_and_where_asked(npz):
    path = npz(x=PIXELS, class_names=NAMES, votes=VOTES, vote_columns=COLUMNS)
    assert list_arrays(path).given.tolist() == [0, 1, -1, 0, -1, 1]
    majority = list_arrays(path, SourceOptions(vote_rule="majority"))
    assert majority.given.tolist() == [0, -1, -1, -1, -1, 1]
    assert majority.findings[0].files == ("x[1]", "x[2]", "x[3]", "x[4]")
    labelled = npz(x=PIXELS, y=LABELS, class_names=NAMES, votes=VOTES, vote_columns=COLUMNS)
    soft = list_arrays(labelled, SourceOptions(votes=("dog", "cat"), vote_rule="soft"))
    assert soft.class_names == ("dog", "cat")
    assert soft.targets[0].tolist() == pytest.approx([0.1, 0.9])


def test_votes_without_names_or_of_another_width_are_refused(npz):
    with pytest.raises(DataError, match=r"4 columns.*shape \(6, 3\)"):
        list_arrays(npz(x=PIXELS, y=LABELS, votes=VOTES[:, :3], vote_columns=COLUMNS))
    with pytest.raises(UsageError, match="no column 'owl'"):
        path = npz(x=PIXELS, votes=VOTES, vote_columns=COLUMNS)
        list_arrays(path, SourceOptions(votes=("owl",)))
    with pytest.raises(UsageError, match="has no array of votes"):
        list_arrays(npz(x=PIXELS, y=LABELS), SourceOptions(votes=("cat",)))


SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
REAL = [
    ("ferplus.npz", SourceOptions(label="fer2013_as8", clean="label"), (28558, 3579, 0), 0.372),
    ("fashion_mnist.npz", SourceOptions(), (20000, 0, 5000), None),
    ("cifar10n.npz", SourceOptions(label="worst"), (8000, 0, 2000), 0.405),
]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real data is not here")
@pytest.mark.parametrize(("name", "options", "rows", "wrong"), REAL)
def test_real_files_are_listed(name, options, rows, wrong):
    listing = list_arrays(SHARED / name, options)
    assert tuple(np.bincount(listing.splits, minlength=3).tolist()) == rows
    if wrong is not None:
        known = listing.clean >= 0
        share = (listing.given != listing.clean)[known].mean()
        assert share == pytest.approx(wrong, abs=5e-4)

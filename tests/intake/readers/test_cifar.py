"""CIFAR's python batches and CIFAR-N's label files, in every form they have been pickled in."""

from __future__ import annotations

import pickle
import struct
import zipfile

import numpy as np
import pytest

from eactf.errors import DataError, UnsafeFileError, UsageError
from eactf.intake.readers.catalogue import open_dataset

DATA = np.random.default_rng(0).integers(0, 256, (2, 3072)).astype(np.uint8)
NAMES = ["cat", "dog", "emu"]
BATCHES = [f"data_batch_{number}" for number in range(1, 6)]


class Python2:
    """Writes dictionaries as Python 2's cPickle did with protocol 2: its texts are bytes."""

    def text(self, text):
        content = text.encode()
        return b"U" + bytes([len(content)]) + content

    def value(self, value):
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, int):
            return b"K" + bytes([value])
        if isinstance(value, list):
            return b"](" + b"".join(map(self.value, value)) + b"e"
        return self.array(value)

    def array(self, array):
        shape = b"".join(b"M" + struct.pack("<H", length) for length in array.shape)
        kind = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xff" * 1
        kind += b"J\xff\xff\xff\xffK\x00tb"
        raw = array.tobytes()
        return (
            b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR"
            b"(K\x01(" + shape + b"t" + kind + b"\x89T" + struct.pack("<I", len(raw)) + raw + b"tb"
        )

    def dumps(self, content):
        items = b"".join(self.text(key) + self.value(value) for key, value in content.items())
        return b"\x80\x02}(" + items + b"u."


FORMS = {
    "python 2": Python2().dumps,
    "protocol 2": lambda content: pickle.dumps(content, 2),
    "protocol 4": lambda content: pickle.dumps(content, 4),
    "protocol 5": lambda content: pickle.dumps(content, 5),
}


def write_cifar_10(folder, dumps=FORMS["python 2"]):
    place = folder / "cifar-10-batches-py"
    place.mkdir()
    (place / "batches.meta").write_bytes(dumps({"label_names": NAMES}))
    for number, name in enumerate([*BATCHES, "test_batch"]):
        content = {
            "batch_label": name,
            "labels": [number % 3, 2],
            "data": DATA + np.uint8(number),
            "filenames": [f"{name}_a.png", f"{name}_b.png"],
        }
        (place / name).write_bytes(dumps(content))
    return place


@pytest.mark.parametrize("form", FORMS)
def test_batches_of_every_form_give_images_labels_and_file_names(tmp_path, form):
    write_cifar_10(tmp_path, FORMS[form])
    listing = open_dataset("cifar-10", tmp_path)
    assert listing.class_names == ("cat", "dog", "emu")
    assert listing.given.tolist() == [0, 2, 1, 2, 2, 2, 0, 2, 1, 2, 2, 2]
    assert listing.splits.tolist() == [0] * 10 + [2] * 2
    assert listing.names[3] == "data_batch_2[1]"
    assert listing.columns["filename"][3] == "data_batch_2_b.png"
    with listing.images.open(2) as image:
        found = np.asarray(image)
    expected = (DATA[0] + np.uint8(1)).reshape(3, 32, 32)
    for channel in range(3):
        np.testing.assert_array_equal(found[..., channel], expected[channel])


def test_the_folder_of_the_batches_itself_is_found_and_counts_are_checked(tmp_path):
    listing = open_dataset("cifar-10", write_cifar_10(tmp_path))
    assert [f.what for f in listing.findings][:1] == ["train has 10 images, published: 50,000"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"data": DATA[:, :100]}, r"data: expected shape \(n, 3072\)"),
        ({"data": [1, 2]}, "data: expected an array of uint8"),
        ({"labels": [0, 3]}, "labels: expected 0 to 2, received 0 to 3"),
        ({"labels": [0]}, "labels: expected a label for each of 2 images"),
        ({"labels": ["a", "b"]}, "labels: expected whole numbers"),
        ({"labels": None}, "labels: expected a label for each"),
    ],
)
def test_a_batch_that_is_not_as_published_is_refused(tmp_path, changed, message):
    place = write_cifar_10(tmp_path)
    content = {"labels": [0, 1], "data": DATA, **changed}
    (place / "data_batch_3").write_bytes(pickle.dumps(content, 2))
    with pytest.raises(DataError, match=f"data_batch_3: {message}"):
        open_dataset("cifar-10", tmp_path)


def test_a_batch_that_is_missing_cut_short_or_no_dictionary_is_refused(tmp_path):
    place = write_cifar_10(tmp_path)
    batch = place / "data_batch_3"
    whole = batch.read_bytes()
    for content, message in ((whole[:-50], "damaged"), (pickle.dumps([1]), "a dictionary")):
        batch.write_bytes(content)
        with pytest.raises(DataError, match=message):
            open_dataset("cifar-10", tmp_path)
    batch.unlink()
    with pytest.raises(DataError, match="has no data_batch_3"):
        open_dataset("cifar-10", tmp_path)


def test_a_batch_that_would_run_code_is_refused(tmp_path):
    place = write_cifar_10(tmp_path)
    (place / "data_batch_3").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    with pytest.raises(UnsafeFileError, match=r"data_batch_3 asks for os\.system"):
        open_dataset("cifar-10", tmp_path)


@pytest.mark.parametrize(("labels", "given"), [("fine", [0, 2, 1, 1]), ("coarse", [1, 0, 1, 0])])
def test_cifar_100_has_fine_and_coarse_labels(tmp_path, labels, given):
    dumps = FORMS["python 2"]
    place = tmp_path / "cifar-100-python"
    place.mkdir()
    names = {"fine_label_names": NAMES, "coarse_label_names": ["bird", "mammal"]}
    (place / "meta").write_bytes(dumps(names))
    for name, fine in (("train", [0, 2]), ("test", [1, 1])):
        content = {"data": DATA, "fine_labels": fine, "coarse_labels": [1, 0]}
        (place / name).write_bytes(dumps(content))
    listing = open_dataset("cifar-100", tmp_path, {"labels": labels})
    assert listing.given.tolist() == given
    assert len(listing.class_names) == (3 if labels == "fine" else 2)


CLEAN = [0, 2, 1, 2, 2, 2, 0, 2, 1, 2]


def human_labels():
    worst = np.array([1, *CLEAN[1:]])
    keys = ("aggre_label", "random_label1", "random_label2", "random_label3")
    return {"clean_label": np.array(CLEAN), "worse_label": worst} | {
        key: np.array(CLEAN[::-1]) for key in keys
    }


def save_torch(path, content):
    """As PyTorch writes since 1.6: a ZIP archive with one pickle."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{path.stem}/data.pkl", pickle.dumps(content, 2))
        archive.writestr(f"{path.stem}/version", "3\n")


def save_old_torch(path, content):
    """As PyTorch wrote before 1.6: one pickle after another."""
    heads = (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True})
    parts = [pickle.dumps(part, 2) for part in (*heads, content, [])]
    path.write_bytes(b"".join(parts))


def save_npy(path, content):
    np.save(path, content, allow_pickle=True)


def save_npz(path, content):
    np.savez(path, **content)


def save_lists(path, content):
    save_torch(path, {key: values.tolist() for key, values in content.items()})


@pytest.mark.parametrize(
    ("save", "suffix"),
    [
        *((save_torch, ".pt"), (save_old_torch, ".pt"), (save_lists, ".pt")),
        *((save_npy, ".npy"), (save_npz, ".npz")),
    ],
)
def test_human_labels_of_every_form_are_given_and_cifars_own_are_clean(tmp_path, save, suffix):
    write_cifar_10(tmp_path)
    save(tmp_path / f"CIFAR-10_human{suffix}", human_labels())
    listing = open_dataset("cifar-10n", tmp_path)
    assert listing.given.tolist() == [1, *CLEAN[1:], 2, 2]
    assert listing.clean.tolist() == [*CLEAN, 2, 2]
    assert set(listing.labels) == {"aggre", "random1", "random2", "random3", "worst"}
    assert listing.labels["aggre"].tolist() == [*CLEAN[::-1], -1, -1]
    assert listing.notes["wrong"] == 0.1


def test_another_label_set_and_another_file_can_be_chosen(tmp_path):
    write_cifar_10(tmp_path)
    save_torch(tmp_path / "labels.pt", human_labels())
    options = {"label": "aggre", "labels-file": str(tmp_path / "labels.pt")}
    listing = open_dataset("cifar-10n", tmp_path, options)
    assert listing.given[:10].tolist() == CLEAN[::-1]
    with pytest.raises(UsageError, match="there is no file"):
        open_dataset("cifar-10n", tmp_path, {"labels-file": str(tmp_path / "none.pt")})


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"clean_label": np.array(CLEAN[::-1])}, "clean labels are not those of CIFAR"),
        ({"clean_label": np.array(CLEAN[:9])}, "clean labels are not those of CIFAR"),
        ({"worse_label": np.array(CLEAN[:9])}, "expected 10 labels of 0 to 2"),
        ({"worse_label": np.full(10, 9)}, "expected 10 labels of 0 to 2"),
        ({"worse_label": np.full(10, 0.5)}, "worse_label: expected whole numbers"),
        ({"worse_label": "text"}, "worse_label: expected an array"),
    ],
)
def test_a_label_file_of_another_order_or_form_is_refused(tmp_path, changed, message):
    write_cifar_10(tmp_path)
    save_torch(tmp_path / "CIFAR-10_human.pt", human_labels() | changed)
    with pytest.raises(DataError, match=message):
        open_dataset("cifar-10n", tmp_path)


def test_a_label_file_without_the_labels_asked_for_says_what_it_has(tmp_path):
    write_cifar_10(tmp_path)
    save_torch(tmp_path / "CIFAR-10_human.pt", {"clean_label": np.array(CLEAN)})
    with pytest.raises(DataError, match="has no labels worse_label, but clean_label"):
        open_dataset("cifar-10n", tmp_path)


def test_a_label_file_that_would_run_code_is_refused(tmp_path):
    write_cifar_10(tmp_path)
    path = tmp_path / "CIFAR-10_human.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"cos\nsystem\n(S'touch ran'\ntR.")
    with pytest.raises(UnsafeFileError, match=r"asks for os\.system"):
        open_dataset("cifar-10n", tmp_path)

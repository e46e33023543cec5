"""A folder of checks: what is in it, going on with it, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from eactf.checked.folder import CheckFolder, checks_name
from eactf.checked.pictures import PAGE, picture_name
from eactf.checked.store import CheckStore
from eactf.errors import DataError, UsageError
from eactf.packed.records import Samples

NAMES = ("<b>cat</b>", "dog", "fox")
COUNT = 90


def labels(channels=1):
    """Samples of 8 px, the first two of every five wrong, and a network that mostly sees it."""
    numbers = np.random.default_rng(0)
    clean = numbers.integers(0, 3, COUNT)
    given = np.where(np.arange(COUNT) % 5 < 2, (clean + 1) % 3, clean)
    probabilities = numbers.dirichlet(np.ones(3), COUNT) + 2 * np.eye(3)[clean]
    samples = Samples(
        images=numbers.integers(0, 256, (COUNT, 8, 8, channels), dtype=np.uint8),
        ids=np.arange(COUNT) * 3,
        given=given,
        clean=clean,
        names=np.array([f"image_{number}.png" for number in range(COUNT)]),
    )
    return samples, probabilities / probabilities.sum(axis=1, keepdims=True)


@pytest.fixture
def samples():
    return labels()[0]


@pytest.fixture
def folder(tmp_path, samples):
    store = CheckStore(samples.ids, samples.given, labels()[1], NAMES, ("--limit", "90"))
    return CheckFolder.make(tmp_path / "faces.checks", store)


def answer_all(folder, samples, until=None):
    clean = dict(zip(samples.ids, samples.clean, strict=True))
    ids = folder.store.ids[folder.store.rows]
    for number, id_ in enumerate(ids[:until], start=1):
        folder.answer(number, NAMES[clean[id_]])


def test_it_shows_each_drawn_label_with_its_picture(folder, samples):
    folder.grow(20, samples)
    rows = folder.store.rows
    for number in range(1, 21):
        with Image.open(folder.path / picture_name(number)) as picture:
            assert picture.size == (224, 224)
    page = (folder.path / PAGE).read_text()
    assert page.count("<img") == 20
    assert "&lt;b&gt;cat" in page
    assert "<b>cat" not in page
    table = folder.table.read_text(encoding="utf-8-sig").splitlines()
    assert table[1].endswith(f",{samples.ids[rows[0]]},{samples.names[rows[0]]}")
    # Nothing that would lead the person: neither what is likely nor how doubtful it is.
    assert table[0] == "number,image,given,answer,id,name"


def test_colour_pictures_keep_their_pixels(tmp_path):
    samples, probabilities = labels(channels=3)
    store = CheckStore(samples.ids, samples.given, probabilities, NAMES)
    folder = CheckFolder.make(tmp_path / "checks", store)
    folder.grow(20, replace(samples, images=np.repeat(samples.images, 30, axis=1).repeat(30, 2)))
    with Image.open(folder.path / picture_name(1)) as picture:
        assert picture.size == (240, 240)
        pixels = np.asarray(picture)[::30, ::30]
    assert np.array_equal(pixels, samples.images[folder.store.rows[0]])


def test_answers_outlive_the_process_one_by_one(folder, samples):
    folder.grow(20, samples)
    folder.answer(3, "unsure")
    again = CheckFolder.open(folder.path)
    assert again.answers() == ["", "", "unsure", *[""] * 17]
    assert again.given == folder.given
    assert again.rate() is None


def test_the_rate_comes_with_twenty_answers_from_the_first_on(folder, samples):
    folder.grow(30, samples)
    answer_all(folder, samples, until=19)
    folder.answer(25, "wrong")
    assert folder.rate() is None
    answer_all(folder, samples, until=20)
    assert folder.rate().checked == 20


def test_a_check_of_all_labels_is_the_truth(folder, samples):
    folder.grow(1000, samples)
    assert folder.drawn == COUNT
    answer_all(folder, samples)
    assert folder.rate().rate == pytest.approx(0.4)


def test_more_are_drawn_beside_those_that_are_answered(folder, samples):
    folder.grow(20, samples)
    answer_all(folder, samples)
    first, answers = folder.store.rows, folder.answers()
    again = CheckFolder.open(folder.path)
    again.grow(45, samples)
    assert np.array_equal(again.store.rows[:20], first)
    assert len(set(again.store.rows)) == 45
    assert again.answers() == [*answers, *[""] * 25]
    answer_all(again, samples)
    assert again.rate().checked == 45


def test_more_are_not_drawn_before_all_are_answered(folder, samples):
    folder.grow(20, samples)
    answer_all(folder, samples, until=12)
    with pytest.raises(UsageError, match=r"8 of the 20 labels .* from number 13 on"):
        folder.grow(40, samples)
    assert CheckFolder.open(folder.path).drawn == 20


def test_fewer_than_are_drawn_is_refused(folder, samples):
    folder.grow(30, samples)
    with pytest.raises(UsageError, match="30 labels are drawn"):
        folder.grow(20, samples)


def test_what_a_crash_left_out_is_made_up_for(folder, samples):
    folder.grow(20, samples)
    folder.answer(1, "right")
    lines = folder.table.read_text(encoding="utf-8-sig").splitlines()
    folder.table.write_text("\n".join(lines[:11]))
    (folder.path / picture_name(7)).unlink()
    again = CheckFolder.open(folder.path)
    again.grow(20, samples)
    assert again.answers() == ["right", *[""] * 19]
    assert (again.path / picture_name(7)).exists()


def test_a_folder_of_something_else_stays_as_it_is(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    samples, probabilities = labels()
    store = CheckStore(samples.ids, samples.given, probabilities, NAMES)
    with pytest.raises(UsageError, match="no folder of checks"):
        CheckFolder.make(tmp_path / "mine", store)
    with pytest.raises(UsageError, match="no folder of checks"):
        CheckFolder.open(tmp_path / "mine")
    with pytest.raises(UsageError, match="does not exist"):
        CheckFolder.make(tmp_path / "no" / "checks", store)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_a_store_is_of_its_own_labels_alone(folder, samples):
    store = CheckFolder.open(folder.path).store
    assert store.is_of(samples.ids, samples.given, NAMES)
    assert store.options == ("--limit", "90")
    assert not store.is_of(samples.ids, samples.clean, NAMES)
    assert not store.is_of(samples.ids[:50], samples.given[:50], NAMES)
    assert not store.is_of(samples.ids, samples.given, ("cat", "dog", "fox"))


@pytest.mark.parametrize("content", [b"", b"no zip file", b"PK\x03\x04 half of one"])
def test_a_damaged_store_is_refused(folder, content):
    (folder.path / "drawn.npz").write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        CheckFolder.open(folder.path)


def test_a_store_of_objects_is_not_opened(folder):
    arrays = {"ids": np.array([print], dtype=object)}
    np.savez(folder.path / "drawn.npz", **arrays)
    with pytest.raises(DataError, match="damaged"):
        CheckFolder.open(folder.path)


def test_the_folder_is_named_for_the_data():
    from pathlib import Path

    assert checks_name(Path("some/faces.h5")) == "faces.checks"

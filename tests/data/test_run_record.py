"""What a run saw is kept, and later data is held against it by content."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eactf.data.prepare import PreparedData
from eactf.data.run_record import RunRecord, record_of
from eactf.errors import DataError
from eactf.noise import NoiseManifest
from eactf.packed.records import Dataset, Samples

CLASSES = ("no", "yes")


def samples(numbers, **more):
    numbers = np.array(numbers)
    images = np.broadcast_to(numbers.astype(np.uint8).reshape(-1, 1, 1, 1), (len(numbers), 2, 2, 1))
    return Samples(images, ids=numbers + 100, given=numbers % 2, **more)


def dataset(**splits):
    return Dataset(CLASSES, splits, "made in a test")


@pytest.fixture
def record():
    whole = samples(range(10), names=np.array([f"föö,{n}.png" for n in range(10)]))
    train, validation = whole.take(np.arange(6)), whole.take(np.array([6, 7]))
    manifest = NoiseManifest(CLASSES, train.ids, train.given, train.given, "none")
    data = dataset(train=whole, test=samples([20, 21]))
    return record_of(
        PreparedData(data, train, validation, data.splits["test"], manifest, "held out")
    )


def test_every_image_is_in_the_part_it_had(record):
    parts = {name: np.bincount(record.part, minlength=4)[i] for i, name in enumerate("tvse")}
    assert parts == {"t": 6, "v": 2, "s": 2, "e": 2}
    assert record.ids[record.part == 3].tolist() == [108, 109]


def test_the_record_is_the_same_after_writing_and_reading(record, tmp_path):
    path = tmp_path / "samples.csv"
    path.write_bytes(record.csv_bytes())
    again = RunRecord.read(path)
    assert again.csv_bytes() == record.csv_bytes()
    assert again.fingerprint == record.fingerprint
    assert RunRecord.read(tmp_path / "none.csv") is None


@pytest.mark.parametrize("text", ["", "part,id\n", "part,id,digest,name\nhome,1,00,x\n"])
def test_a_broken_record_is_refused_by_name(tmp_path, text):
    (tmp_path / "samples.csv").write_text(text)
    with pytest.raises(DataError, match=r"samples\.csv"):
        RunRecord.read(tmp_path / "samples.csv")


def test_images_are_known_by_content_whatever_their_id(record):
    from eactf.packed.identity import digests_of

    others = digests_of(replace(samples([5, 6, 9, 30]), ids=np.arange(4)))
    assert record.holds(others, "train").tolist() == [True, False, False, False]
    assert record.holds(others, "train", "validation").tolist() == [True, True, False, False]


def test_a_change_of_the_data_is_told_in_words(record):
    same = dataset(train=samples([*range(5, 10), *range(5)]), test=samples([21, 20]))
    assert record.change(same) == ""
    other = dataset(train=samples([*range(9), 40, 41]), test=samples([20, 21]))
    assert record.change(other) == "images 2 new, 1 gone or changed"
    copies = dataset(train=samples([*range(10), 9]), test=samples([20, 21]))
    assert record.change(copies) == "copies of images added or removed"

"""From a recipe to the three splits: which labels are where."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from eactf.data.prepare import prepare_data
from eactf.errors import DataError, RecipeError, UsageError
from eactf.noise import machine_law
from eactf.packed import write_packed
from eactf.packed.records import Dataset, Samples
from eactf.recipe import load_recipe

NAMES = ("neutral", "happiness", "surprise", "sadness")


def samples(count, first=0, **more):
    ids = np.arange(first, first + count)
    images = np.broadcast_to(ids.astype(np.uint8).reshape(-1, 1, 1, 1), (count, 8, 8, 1))
    return Samples(
        images=images,
        ids=ids,
        given=np.arange(count) % len(NAMES),
        **more,
    )


@pytest.fixture
def pack(tmp_path):
    def write(**splits):
        path = tmp_path / "faces.h5"
        write_packed(path, Dataset(NAMES, splits, "made in a test"))
        return path

    return write


def prepared(path, *settings):
    file = path.with_name("recipe.yaml")
    file.write_text("seed: 1\ndata:\n  source: packed\n")
    extra = {"data.path": (str(path), "--data")}
    return prepare_data(load_recipe(str(file), settings, extra).recipe)


def test_noise_is_put_on_the_training_labels_only(pack):
    path = pack(train=samples(40), validation=samples(12, 100), test=samples(12, 200))
    data = prepared(path, "noise.kind=symmetric", "noise.rate=0.5", "noise.count=exact")
    truth = np.arange(40) % 4
    assert np.sum(data.train.given != truth) == 20
    np.testing.assert_array_equal(data.train.clean, truth)
    for split in (data.validation, data.test):
        np.testing.assert_array_equal(split.given, np.arange(12) % 4)
    assert data.validation_origin == "its own split"
    assert data.manifest.realised == 0.5


def test_validation_is_held_out_of_training_where_there_is_none(pack):
    path = pack(train=samples(200))
    data = prepared(path, "noise.kind=symmetric", "noise.rate=0.5")
    held, kept = set(data.validation.ids.tolist()), set(data.train.ids.tolist())
    assert held
    assert not held & kept
    assert held | kept == set(range(200))
    np.testing.assert_array_equal(data.validation.given, data.validation.ids % 4)
    assert "held out" in data.validation_origin
    assert data.test is None


def test_a_limit_keeps_so_many_training_samples_and_all_validation_ones(pack):
    path = pack(train=samples(40), validation=samples(12, 100))
    data = prepared(path, "data.train_limit=10")
    assert len(data.train) == 10
    assert len(data.validation) == 12
    assert len(data.manifest.ids) == 10
    smaller = prepared(path, "data.train_limit=5")
    assert set(smaller.train.ids) < set(data.train.ids)


def test_human_noise_takes_another_label_set_and_judges_by_the_consensus(pack):
    other = np.where(np.arange(40) % 10 == 0, -1, (np.arange(40) + 1) % 4)
    validation = samples(12, 100, labels={"fer2013": np.full(12, 3)})
    path = pack(train=samples(40, labels={"fer2013": other}), validation=validation)
    data = prepared(path, "noise.kind=human", "noise.labels=fer2013")
    assert len(data.train) == 36  # four have no label of their own
    np.testing.assert_array_equal(data.train.given, other[other >= 0])
    np.testing.assert_array_equal(data.train.clean, data.train.ids % 4)
    np.testing.assert_array_equal(data.validation.given, np.arange(12) % 4)
    assert data.manifest.dropped == 4


def test_clean_labels_are_what_validation_and_test_are_judged_by(pack):
    wrong = np.full(12, 2)
    path = pack(
        train=samples(20),
        validation=samples(12, 100, clean=wrong),
        test=samples(12, 200, clean=np.where(np.arange(12) < 1, -1, 2)),
    )
    data = prepared(path)
    np.testing.assert_array_equal(data.validation.given, wrong)
    # Where one is unknown the given ones are all there is.
    np.testing.assert_array_equal(data.test.given, np.arange(12) % 4)


def test_a_noise_matrix_is_read_from_a_file(pack, tmp_path):
    path = pack(train=samples(40), validation=samples(12, 100))
    matrix = np.eye(4)[[1, 2, 3, 0]].tolist()
    (tmp_path / "m.json").write_text(json.dumps({"matrix": matrix}))
    data = prepared(path, "noise.kind=matrix", f"noise.path={tmp_path / 'm.json'}")
    np.testing.assert_array_equal(data.train.given, (np.arange(40) + 1) % 4)


def test_machine_noise_goes_by_the_datas_class_names_and_says_what_they_lack(pack, capsys):
    path = pack(train=samples(4000), validation=samples(12, 5000))
    data = prepared(path, "noise.kind=machine", "noise.strength=0.5")
    law = machine_law(NAMES, 0.5)
    assert data.manifest.realised == pytest.approx(1 - np.diag(law).mean(), abs=0.02)
    assert (data.manifest.kind, data.manifest.requested) == ("machine", None)
    assert "the data has no fear, disgust, anger" in capsys.readouterr().err
    np.testing.assert_array_equal(data.validation.given, np.arange(12) % 4)


def test_no_notice_of_machine_noise_where_there_is_none(pack, capsys):
    prepared(pack(train=samples(40), validation=samples(12, 100)))
    assert "machine" not in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{", "[[1, 0], 3]", '{"rows": []}', '[["a"]]'])
def test_a_noise_matrix_that_cannot_be_read_names_its_file(pack, tmp_path, text):
    path = pack(train=samples(40), validation=samples(12, 100))
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(DataError, match=r"m\.json"):
        prepared(path, "noise.kind=matrix", f"noise.path={tmp_path / 'm.json'}")


def test_a_file_without_a_training_split_is_refused(pack):
    with pytest.raises(DataError, match="no training split"):
        prepared(pack(test=samples(12)))


def test_no_file_at_all_is_a_usage_error(tmp_path):
    (tmp_path / "r.yaml").write_text("data:\n  source: packed\n")
    with pytest.raises(UsageError) as caught:
        prepare_data(load_recipe(str(tmp_path / "r.yaml")).recipe)
    assert "--data" in str(caught.value)


@pytest.fixture
def folder(tmp_path):
    """Sixty grey images of 8 x 8 in four class folders, without splits."""
    root = tmp_path / "faces"
    for number in range(60):
        place = root / NAMES[number % 4]
        place.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), number).save(place / f"{number}.png")
    return root


def from_images(path, *settings):
    file = path.with_name("recipe.yaml")
    file.write_text(f"data:\n  source: images\n  path: '{path}'\n")
    return prepare_data(load_recipe(str(file), settings).recipe)


def test_a_folder_is_packed_for_the_run_and_nothing_stays_on_the_disk(
    folder, tmp_path, monkeypatch, capsys
):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    data = from_images(folder)
    assert not list((tmp_path / "temporary").iterdir())
    assert len(data.train) + len(data.validation) == 60
    numbers = [int(name.rpartition("/")[2].removesuffix(".png")) for name in data.train.names]
    np.testing.assert_array_equal(data.train.images[:, 0, 0, 0], numbers)
    told = capsys.readouterr().out
    assert f"eactf data pack {folder} -o faces.h5" in told


def test_images_are_packed_in_the_size_and_channels_of_the_recipe(folder):
    data = from_images(folder, "data.image_size=12", "data.channels=3")
    assert data.dataset.image_shape == (12, 12, 3)


def test_a_packed_file_may_stand_in_for_images(folder, pack):
    path = pack(train=samples(40), validation=samples(12, 100))
    assert len(from_images(path).train) == 40
    file = folder.with_name("r.yaml")
    file.write_text(f"data:\n  source: images\n  path: '{folder}'\n")
    recipe = load_recipe(str(file), [f"data.path={path}"]).recipe
    assert recipe.data.source == "images"
    assert len(prepare_data(recipe).train) == 40


def test_bad_images_of_a_run_are_left_out_up_to_the_share_allowed(folder, capsys):
    (folder / "surprise" / "2.png").write_text("no image")
    with pytest.raises(DataError, match="1 of 60 images cannot be used") as caught:
        from_images(folder)
    assert f"eactf data check {folder}" in caught.value.hint
    assert [path.name for path in folder.parent.iterdir() if path.suffix == ".csv"] == []
    data = from_images(folder, "data.max_bad=0.05")
    assert len(data.train) + len(data.validation) == 59
    assert "1 image is left out: not an image" in capsys.readouterr().err


def test_the_share_of_bad_images_has_a_meaning_for_images_only(tmp_path):
    (tmp_path / "r.yaml").write_text("data:\n  source: packed\n  max_bad: 0.1\n")
    with pytest.raises(RecipeError, match=r"data\.max_bad"):
        load_recipe(str(tmp_path / "r.yaml"))


def test_classes_that_validation_cannot_judge_are_named(pack, capsys):
    given = np.array([0] * 10 + [1] * 10 + [2])
    path = pack(train=replace(samples(21), given=given))
    prepared(path)
    assert "no image of this class and cannot judge it: 'surprise'" in capsys.readouterr().err


def test_one_more_image_changes_next_to_nothing_of_what_is_held_out(folder):
    before = from_images(folder, "data.validation_fraction=0.25")
    Image.new("L", (8, 8), 99).save(folder / "happiness" / "00-first.png")
    after = from_images(folder, "data.validation_fraction=0.25")
    assert len(set(before.validation.ids) ^ set(after.validation.ids)) <= 2
    assert set(before.train.ids) | set(before.validation.ids) <= {
        *after.train.ids.tolist(),
        *after.validation.ids.tolist(),
    }


def test_training_images_of_one_class_are_refused(pack):
    one = samples(8)
    path = pack(train=Samples(images=one.images, ids=one.ids, given=np.ones(8, np.int64)))
    with pytest.raises(DataError, match="every image has the label 'happiness'"):
        prepared(path)

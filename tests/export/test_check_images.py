"""Which images a file is compared on, and which give the ranges of integers."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from eactf.errors import DataError, UsageError
from eactf.export.check_images import choose_check_images
from eactf.faces import EXPRESSIONS, draw_faces
from eactf.recipe import load_recipe

DRAWN = {"train": 20, "validation": 9, "test": 12, "size": 16, "difficulty": 1.0}


@pytest.fixture
def classifier(tiny_classifier, tmp_path):
    """A classifier of 16 px faces in a folder of its own."""
    from eactf.evaluation.storage import StoredClassifier

    folder = tmp_path / "run"
    folder.mkdir()
    model = tiny_classifier(size=16, classes=len(EXPRESSIONS))
    return StoredClassifier(model, folder / "model.keras", {"class_names": list(EXPRESSIONS)})


@pytest.fixture
def of_a_run(classifier):
    """The same with the recipe of a run beside it."""
    settings = [f"data.drawn.{name}={value}" for name, value in DRAWN.items()]
    recipe = load_recipe("quickstart", settings)
    (classifier.path.parent / "recipe.yaml").write_text(recipe.dump_yaml(), encoding="utf-8")
    return classifier


def choose(stored, *calibration, data=None, most=1000, calibrate=False):
    return choose_check_images(
        stored, stored.path, data, calibration, most=most, calibrate=calibrate
    )


def drawn(count, start=0):
    return draw_faces(count, size=16, seed=0, start=start, difficulty=1.0)


def test_a_run_is_compared_on_its_test_split_and_calibrated_on_what_it_trained_on(of_a_run):
    chosen = choose(of_a_run, calibrate=True)
    faces, labels = drawn(12, start=29)
    np.testing.assert_array_equal(chosen.images, faces)
    np.testing.assert_array_equal(chosen.labels, labels)
    assert chosen.words.startswith("12 images of test of drawn faces")
    np.testing.assert_array_equal(chosen.calibration, drawn(20)[0])
    assert not chosen.remarks


def test_of_many_images_some_are_taken_from_all_over(of_a_run):
    chosen = choose(of_a_run, most=3)
    faces = drawn(12, start=29)[0]
    np.testing.assert_array_equal(chosen.images, faces[[0, 5, 11]])
    assert chosen.calibration is None


def test_images_without_labels_calibrate_and_stand_in_where_there_is_nothing_else(
    classifier, tmp_path
):
    faces = draw_faces(3, size=16, seed=2)[0]
    for number, face in enumerate(faces[..., 0]):
        Image.fromarray(face).save(tmp_path / f"{number}.png")
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(3):
        (tmp_path / f"{number}.png").rename(folder / f"{number}.png")
    chosen = choose(classifier, folder, calibrate=True)
    np.testing.assert_array_equal(chosen.calibration, faces)
    np.testing.assert_array_equal(chosen.images, faces)
    assert chosen.labels is None
    (folder / "3.png").write_text("no image")
    with pytest.raises(DataError, match=r"3\.png"):
        choose(classifier, folder, calibrate=True)


def test_without_any_data_drawn_faces_are_taken_and_that_is_told(classifier):
    chosen = choose(classifier)
    assert chosen.images.shape == (64, 16, 16, 1) and chosen.labels is None
    assert chosen.calibration is None
    assert "drawn faces alone" in chosen.remarks[0] and "--data" in chosen.remarks[0]


def test_data_that_is_named_and_not_there_is_an_error(of_a_run, tmp_path):
    with pytest.raises(UsageError):
        choose(of_a_run, data=tmp_path / "gone.h5")

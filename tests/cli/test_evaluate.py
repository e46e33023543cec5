"""`eactf evaluate`: on a run's own data, on other data, and on data that does not fit."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image

from eactf.faces import EXPRESSIONS, draw_faces
from eactf.packed import write_packed
from eactf.packed.records import Dataset, Samples


def pack(path, order, *, rename=None):
    """Drawn faces whose classes are numbered in another order."""
    images, labels = draw_faces(30, size=32, start=81)
    names = [EXPRESSIONS[old] for old in order]
    given = np.argsort(order)[labels]
    if rename is not None:
        names[0] = rename
    samples = Samples(images=images, ids=np.arange(30), given=given)
    write_packed(path, Dataset(tuple(names), {"test": samples}, "faces of a test"))
    return path


def evaluation(result):
    assert result.exit_code == 0, result.output
    (event,) = [json.loads(line) for line in result.stdout.splitlines()]
    return event


def test_a_run_is_judged_on_its_own_test_split_as_at_its_end(invoke, trained):
    _, folder = trained
    event = evaluation(invoke("evaluate", folder, "--json"))
    recorded = json.loads((folder / "result.json").read_text())["last_epoch"]
    assert event["split"] == "test"
    assert event["confusion"] == recorded["confusion"]
    assert event["recalls"] == recorded["recalls"]


def test_another_split_can_be_asked_for_and_is_judged_by_true_labels(invoke, trained):
    event = evaluation(invoke("evaluate", trained[1], "--split", "train", "--json"))
    assert event["count"] == 60
    _, labels = draw_faces(60, size=32)
    assert np.sum(event["confusion"], axis=1).tolist() == np.bincount(labels, minlength=7).tolist()


def test_for_people_it_prints_accuracy_and_confusion(invoke, trained):
    result = invoke("evaluate", trained[1] / "model.keras")
    assert result.exit_code == 0
    assert re.search(r"accuracy \d+\.\d\d% of 30 images \(95% interval \d", result.output)
    assert re.search(r"macro recall \(balanced accuracy\) \d+\.\d\d%, lowest", result.output)
    for name in EXPRESSIONS:
        assert name in result.output


def test_the_lowest_recall_and_the_classes_without_images_are_told(invoke, trained, tmp_path):
    images, labels = draw_faces(30, size=32, start=81)
    few = labels < 5
    samples = Samples(images=images[few], ids=np.arange(few.sum()), given=labels[few])
    path = tmp_path / "five.h5"
    write_packed(path, Dataset(tuple(EXPRESSIONS), {"test": samples}, "faces of a test"))
    asked = ("evaluate", trained[1], "--data", path)
    event = evaluation(invoke(*asked, "--json"))
    assert event["classes_without_images"] == list(EXPRESSIONS[5:])
    seen = [recall for recall in event["recalls"].values() if recall is not None]
    assert event["lowest_recall"] == min(seen)
    assert event["balanced_accuracy"] == event["macro_recall"] == pytest.approx(np.mean(seen))
    lowest = event["lowest_recall_classes"]
    assert all(event["recalls"][name] == min(seen) for name in lowest)
    told = invoke(*asked).output
    assert f"lowest recall {min(seen):.2%} ({lowest[0]}" in told
    assert "no image of 'disgust', 'fear' in test: no recall counts" in told


def test_classes_in_another_order_are_matched_by_name(invoke, trained, tmp_path):
    path = pack(tmp_path / "turned.h5", [3, 0, 6, 1, 5, 2, 4])
    event = evaluation(invoke("evaluate", trained[1], "--data", path, "--json"))
    own = evaluation(invoke("evaluate", trained[1], "--json"))
    assert event["confusion"] == own["confusion"]
    assert list(event["recalls"]) == list(EXPRESSIONS)


def test_a_class_the_classifier_does_not_know_is_refused(invoke, trained, tmp_path):
    path = pack(tmp_path / "other.h5", list(range(7)), rename="boredom")
    result = invoke("evaluate", trained[1] / "model.keras", "--data", path)
    assert result.exit_code == 3
    assert "boredom" in result.stderr


def one_class_folder(place, name):
    """A test folder with the images of one class, as people have them beside a trained model."""
    images, labels = draw_faces(30, size=32, start=81)
    folder = place / name
    folder.mkdir(parents=True)
    faces = images[labels == EXPRESSIONS.index("anger")]
    for number, image in enumerate(faces):
        Image.fromarray(image.squeeze()).save(folder / f"{number}.png")
    return place, len(faces)


def test_a_folder_of_one_class_that_the_run_knows_is_judged(invoke, trained, tmp_path):
    path, count = one_class_folder(tmp_path / "only anger", "anger")
    event = evaluation(invoke("evaluate", trained[1], "--data", path, "--json"))
    assert (event["count"], event["split"]) == (count, "all images")
    assert (
        "on all images of folder only anger"
        in invoke("evaluate", trained[1], "--data", path).output
    )
    assert event["accuracy"] == event["recalls"]["anger"] == event["macro_recall"]
    assert event["classes_without_images"] == [name for name in EXPRESSIONS if name != "anger"]


def test_a_folder_of_one_class_that_is_none_of_the_runs_is_told_as_what_it_is(
    invoke, trained, tmp_path
):
    path, _ = one_class_folder(tmp_path / "my faces", "images")
    result = invoke("evaluate", trained[1], "--data", path)
    assert result.exit_code == 3
    assert f"the classifier does not know the class 'images' of {path}" in result.stderr
    assert "its classes: neutral, " in result.stderr
    assert f"--data '{path / 'images'}'" in result.stderr
    assert "training" not in result.stderr


def test_a_split_that_is_not_there_is_named(invoke, trained, tmp_path):
    path = pack(tmp_path / "plain.h5", list(range(7)))
    result = invoke("evaluate", trained[1], "--data", path, "--split", "validation")
    assert result.exit_code == 3
    assert "validation" in result.stderr
    assert "it has: test" in result.stderr


@pytest.mark.parametrize("name", ["nothing.keras", "empty"])
def test_a_model_that_is_not_there_is_a_usage_error(invoke, tmp_path, name):
    (tmp_path / "empty").mkdir()
    result = invoke("evaluate", tmp_path / name)
    assert result.exit_code == 2
    assert name in result.stderr


def test_a_bare_classifier_needs_data(invoke, trained, tmp_path):
    bare = tmp_path / "model.keras"
    bare.write_bytes((trained[1] / "model.keras").read_bytes())
    result = invoke("evaluate", bare)
    assert result.exit_code == 2
    assert "--data" in result.stderr


@pytest.fixture(scope="module")
def many_classes(tmp_path_factory):
    """An untrained classifier of 25 classes, and a packed test split of 60 noise images."""
    import keras
    from keras import layers

    from eactf.evaluation.storage import save_classifier

    place, numbers = tmp_path_factory.mktemp("many"), np.random.default_rng(5)
    names = [f"class {number}" for number in range(25)]
    inputs = keras.Input((8, 8, 1))
    pixels = layers.Flatten()(layers.Rescaling(1 / 255)(inputs))
    start = keras.initializers.RandomNormal(stddev=0.5, seed=3)
    model = keras.Model(inputs, layers.Dense(25, kernel_initializer=start)(pixels))
    save_classifier(place / "model.keras", model, {"class_names": names})
    images = numbers.integers(0, 256, (60, 8, 8, 1), dtype=np.uint8)
    samples = Samples(images=images, ids=np.arange(60), given=numbers.integers(0, 25, 60))
    write_packed(place / "many.h5", Dataset(tuple(names), {"test": samples}, "noise of a test"))
    logits = (images.reshape(60, 64) / 255) @ model.get_weights()[0]
    right = [
        label in np.argsort(row)[-5:] for row, label in zip(logits, samples.given, strict=True)
    ]
    return place, float(np.mean(right))


def test_of_many_classes_top5_is_told_as_it_is_counted_apart(invoke, many_classes):
    place, expected = many_classes
    assert 0.05 < expected < 0.5
    event = evaluation(
        invoke("evaluate", place / "model.keras", "--data", place / "many.h5", "--json")
    )
    assert event["top5_accuracy"] == pytest.approx(expected)
    assert event["top5_accuracy"] > event["accuracy"]


def test_of_many_classes_people_read_top5_beside_the_accuracy(invoke, many_classes):
    place, expected = many_classes
    result = invoke("evaluate", place / "model.keras", "--data", place / "many.h5")
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.output.splitlines() if line.startswith("accuracy")]
    assert line.endswith(f", top-5 {expected:.2%}")


def test_of_many_classes_the_commonest_confusions_are_told_and_no_table_of_all(
    invoke, many_classes
):
    place, _ = many_classes
    asked = ("evaluate", place / "model.keras", "--data", place / "many.h5")
    confusion = np.array(evaluation(invoke(*asked, "--json"))["confusion"])
    np.fill_diagonal(confusion, 0)
    lines = invoke(*asked).output.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("true class"))
    told = [int(line.split()[-1]) for line in lines[start + 1 :] if line.startswith("class ")]
    assert told == sorted(confusion.ravel(), reverse=True)[:10]


def test_of_seven_classes_top5_is_not_told(invoke, trained):
    assert "top5_accuracy" not in evaluation(invoke("evaluate", trained[1], "--json"))
    assert "top-5" not in invoke("evaluate", trained[1]).output

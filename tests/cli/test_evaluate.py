"""`eactf evaluate`: on a run's own data, on other data, and on data that does not fit."""

from __future__ import annotations

import json

import numpy as np
import pytest

from eactf.data.faces import EXPRESSIONS, draw_faces
from eactf.data.packed import write_packed
from eactf.data.records import Dataset, Samples


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
    assert "accuracy" in result.output
    assert "macro recall" in result.output
    for name in EXPRESSIONS:
        assert name in result.output


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

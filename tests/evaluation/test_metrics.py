"""Scores and the macro-recall metric against counts by hand."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from eactf.evaluation.macro_recall import MacroRecall
from eactf.evaluation.metrics import confusion_matrix, score

LABELS = np.array([0, 0, 0, 1, 1, 3])
GUESSES = np.array([0, 1, 0, 1, 3, 3])


def logits(guesses, classes=4):
    return np.eye(classes, dtype="float32")[guesses] * 3 - 1


def test_the_confusion_matrix_counts_true_classes_in_rows():
    matrix = confusion_matrix(LABELS, GUESSES, 4)
    assert matrix.tolist() == [[2, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0], [0, 0, 0, 1]]


def test_small_integer_labels_do_not_overflow_the_cells():
    labels, guesses = np.full(3, 200, "uint8"), np.full(3, 199, "uint8")
    assert confusion_matrix(labels, guesses, 201)[200, 199] == 3


@pytest.mark.parametrize(
    "labels, guesses", [([0, 4], [0, 0]), ([0, 0], [0, 4]), ([0, -1], [0, 0]), ([0, 1], [0, -1])]
)
def test_classes_out_of_range_are_refused_and_not_counted_elsewhere(labels, guesses):
    with pytest.raises(ValueError, match="class indices must be"):
        confusion_matrix(np.array(labels), np.array(guesses), 4)


def test_a_class_without_samples_has_no_recall_and_is_left_out_of_the_mean():
    scores = score(LABELS, GUESSES, 4)
    assert scores.count == 6
    assert scores.accuracy == pytest.approx(4 / 6)
    np.testing.assert_allclose(scores.recalls, [2 / 3, 1 / 2, np.nan, 1.0])
    assert scores.macro_recall == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)


def test_scores_become_plain_json_with_null_for_no_recall():
    plain = score(LABELS, GUESSES, 4).as_dict(["a", "b", "c", "d"])
    again = json.loads(json.dumps(plain, allow_nan=False))
    assert again["recalls"]["c"] is None
    assert again["recalls"]["b"] == 0.5
    assert again["confusion"][1] == [0, 1, 0, 1]


def test_the_keras_metric_agrees_with_the_scores_over_several_batches():
    numbers = np.random.default_rng(0)
    labels, guesses = numbers.integers(0, 4, 50), numbers.integers(0, 5, 50)
    metric = MacroRecall(classes=5)
    for rows in (slice(0, 20), slice(20, 50)):
        metric.update_state(labels[rows], logits(guesses[rows], 5))
    assert float(metric.result()) == pytest.approx(score(labels, guesses, 5).macro_recall)
    metric.update_state(labels[:0], logits(guesses[:0], 5))
    assert float(metric.result()) == pytest.approx(score(labels, guesses, 5).macro_recall)
    metric.reset_state()
    assert float(metric.result()) == 0.0


def test_the_keras_metric_weighs_samples():
    metric = MacroRecall(classes=4)
    metric.update_state(LABELS, logits(GUESSES), sample_weight=[1, 3, 0, 1, 1, 2])
    assert float(metric.result()) == pytest.approx((1 / 4 + 1 / 2 + 1) / 3)


def test_the_keras_metric_survives_its_configuration():
    metric = MacroRecall(classes=4, name="recall")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert (type(again), again.classes, again.name) == (MacroRecall, 4, "recall")

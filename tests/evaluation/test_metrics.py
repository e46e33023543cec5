"""Scores and the macro-recall metric against counts by hand."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from eactf.evaluation.interval import wilson_interval
from eactf.evaluation.macro_recall import LowestRecall, MacroRecall
from eactf.evaluation.metrics import (
    FEWEST_CLASSES_FOR_TOP5,
    confusion_matrix,
    mean_figures,
    score,
    top5_accuracy,
)

NAMES = ["a", "b", "c", "d"]
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


def tied_scores(rows=200, classes=25, seed=1):
    """Scores of few distinct values, so that most rows tie about the fifth place, and labels."""
    numbers = np.random.default_rng(seed)
    class_scores = numbers.integers(0, 9, (rows, classes)).astype("float32")
    return numbers.integers(0, classes, rows), class_scores


def test_top5_is_the_share_that_scores_no_less_than_the_fifth_highest():
    labels, class_scores = tied_scores()
    fifth = np.sort(class_scores, axis=1)[:, -5]
    right = [
        row[label] >= least for row, label, least in zip(class_scores, labels, fifth, strict=True)
    ]
    assert 40 < sum(right) < 160
    assert top5_accuracy(labels, class_scores) == sum(right) / 200


@pytest.mark.parametrize("higher, right", [(0, 1.0), (3, 1.0), (4, 1.0), (5, 0.0), (19, 0.0)])
def test_a_label_is_in_the_top_5_when_fewer_than_five_classes_score_higher(higher, right):
    row = np.where(np.arange(20) < higher, 2.0, 1.0)
    assert top5_accuracy(np.array([19]), row[None]) == right


def test_ties_count_the_same_wherever_the_classes_stand():
    labels, class_scores = tied_scores()
    order = np.random.default_rng(2).permutation(25)
    turned = np.argsort(order)[labels]
    assert top5_accuracy(turned, class_scores[:, order]) == top5_accuracy(labels, class_scores)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [[3], [4], slice(None)])
def test_scores_that_are_not_finite_never_count_as_right(broken, where):
    class_scores = np.tile(np.eye(20)[3], (2, 1))
    assert top5_accuracy(np.array([3, 3]), class_scores) == 1.0
    class_scores[0, where] = broken
    assert top5_accuracy(np.array([3, 3]), class_scores) == 0.5


def test_top5_agrees_with_tensorflow_with_ties_and_broken_scores():
    labels, class_scores = tied_scores()
    class_scores[::17, 7] = np.nan
    class_scores[5::23, 2] = np.inf
    theirs = tf.math.in_top_k(labels, class_scores, k=5).numpy()
    assert top5_accuracy(labels, class_scores) == np.mean(theirs)


def test_logits_and_their_probabilities_give_the_same_top5():
    numbers = np.random.default_rng(3)
    labels, values = numbers.integers(0, 30, 100), numbers.normal(size=(100, 30))
    shares = np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)
    assert top5_accuracy(labels, values) == top5_accuracy(labels, shares)


def test_top5_is_told_from_twenty_classes_on_and_only_when_asked_for():
    assert FEWEST_CLASSES_FOR_TOP5 == 20
    for classes, expected in ((19, False), (20, True)):
        labels, class_scores = tied_scores(classes=classes)
        guess = np.argmax(class_scores, axis=1)
        told = score(labels, guess, classes, class_scores=class_scores).top5_accuracy
        assert told == (top5_accuracy(labels, class_scores) if expected else None)
        assert score(labels, guess, classes).top5_accuracy is None


@pytest.mark.parametrize("shape", [(6, 5), (5, 4), (6,), (6, 4, 1)])
def test_class_scores_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"class scores must be \(6, 4\)"):
        score(LABELS, GUESSES, 4, class_scores=np.zeros(shape))


def test_top5_refuses_labels_without_a_column_and_rows_without_a_label():
    with pytest.raises(ValueError, match=r"class indices must be 0\.\.24; received -1"):
        top5_accuracy(np.array([-1, 3]), np.zeros((2, 25)))
    with pytest.raises(ValueError, match=r"class scores must be \(2, classes\)"):
        top5_accuracy(np.array([1, 3]), np.zeros((3, 25)))


def test_what_is_written_has_top5_only_where_there_is_one():
    few = score(LABELS, GUESSES, 4, class_scores=logits(GUESSES)).as_dict(["a", "b", "c", "d"])
    assert list(few) == [
        *("count", "accuracy", "accuracy_interval", "macro_recall", "balanced_accuracy"),
        *("lowest_recall", "lowest_recall_classes", "recalls", "classes_without_images"),
        "confusion",
    ]
    labels, class_scores = tied_scores()
    scores = score(labels, np.argmax(class_scores, axis=1), 25, class_scores=class_scores)
    many = json.loads(json.dumps(scores.as_dict([str(label) for label in range(25)])))
    named = ["count", "accuracy", "accuracy_interval", "top5_accuracy", "macro_recall"]
    assert list(many)[:5] == named
    assert many["top5_accuracy"] == scores.top5_accuracy


def test_the_mean_of_figures_is_taken_one_by_one():
    scores = []
    for seed in (1, 2):
        labels, class_scores = tied_scores(seed=seed)
        guess = np.argmax(class_scores, axis=1)
        scores.append(score(labels, guess, 25, class_scores=class_scores))
    figures = mean_figures(scores, [str(label) for label in range(25)])
    for name in ("accuracy", "top5_accuracy", "macro_recall"):
        one, two = (getattr(scored, name) for scored in scores)
        assert one != two
        assert figures[name] == pytest.approx((one + two) / 2)
    assert "top5_accuracy" not in mean_figures([score(LABELS, GUESSES, 4)] * 2, NAMES)


def test_balanced_accuracy_is_the_macro_recall_under_its_other_name():
    figures = score(LABELS, GUESSES, 4).figures(NAMES)
    assert figures["balanced_accuracy"] == figures["macro_recall"]
    # By hand: the mean of 2/3, 1/2 and 1; class c has no image.
    assert figures["balanced_accuracy"] == pytest.approx(13 / 18)


def test_the_lowest_recall_is_told_with_its_class_and_never_of_a_class_without_images():
    scores = score(LABELS, GUESSES, 4)
    figures = scores.figures(NAMES)
    assert figures["lowest_recall"] == 0.5
    assert figures["lowest_recall_classes"] == ["b"]
    assert scores.without_images(NAMES) == ["c"]


def test_all_classes_that_share_the_lowest_recall_are_named():
    figures = score(LABELS, np.array([1, 1, 1, 1, 1, 1]), 4).figures(NAMES)
    assert figures["lowest_recall"] == 0.0
    assert figures["lowest_recall_classes"] == ["a", "d"]


def test_the_lowest_recall_of_several_epochs_is_that_of_the_mean_of_each_class():
    epochs = [
        score(np.array([0, 0, 1, 1]), guesses, 2)
        for guesses in (np.array([0, 0, 0, 1]), np.array([0, 1, 1, 1]), np.array([1, 1, 1, 1]))
    ]
    figures = mean_figures(epochs, ["a", "b"])
    # a: 1, 1/2 and 0; b: 1/2, 1 and 1. The mean of the epochs' lowest would be 1/3.
    assert figures["lowest_recall"] == pytest.approx(0.5)
    assert figures["lowest_recall_classes"] == ["a"]


@pytest.mark.parametrize(
    "share, count, low, high",
    [(1.0, 3, 0.4385, 1.0), (0.0, 10, 0.0, 0.2775), (0.5, 100, 0.4038, 0.5962)],
)
def test_the_interval_of_a_share_is_wilsons(share, count, low, high):
    assert wilson_interval(share, count) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize("share, count", [(0.81, 400), (0.03, 7), (1.0, 3)])
def test_at_an_end_of_the_interval_what_was_counted_is_1_96_deviations_away(share, count):
    for end in wilson_interval(share, count):
        deviation = (end * (1 - end) / count) ** 0.5
        assert abs(share - end) == pytest.approx(1.959964 * deviation, abs=1e-9)


@pytest.mark.parametrize("share, count", [(1.1, 3), (-0.1, 3), (0.5, 0), (float("nan"), 3)])
def test_an_interval_of_no_images_or_no_share_is_refused(share, count):
    with pytest.raises(ValueError, match="a share of 0 to 1 of at least 1 image"):
        wilson_interval(share, count)


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


def test_the_keras_metric_of_the_lowest_recall_agrees_with_the_scores():
    metric = LowestRecall(classes=4)
    assert float(metric.result()) == 0.0
    for rows in (slice(0, 2), slice(2, 6)):
        metric.update_state(LABELS[rows], logits(GUESSES[rows]))
    figures = score(LABELS, GUESSES, 4).figures(NAMES)
    assert float(metric.result()) == pytest.approx(figures["lowest_recall"])
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert (type(again), again.classes, again.name) == (LowestRecall, 4, "lowest_recall")

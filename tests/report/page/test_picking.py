"""Which images a page shows: the telling ones, in the order that it says."""

from __future__ import annotations

import numpy as np
from subjects import looks

from eactf.report.page.sections.disagreement import disputed
from eactf.report.page.sections.maps import contradicted, learnt_wrong, rightly_labelled

SURE, UNSURE = 5.0, 1.0


def logits(*predictions):
    """Logits of three classes, a row each (class, how sure)."""
    rows = np.zeros((len(predictions), 3))
    for row, (label, sure) in enumerate(predictions):
        rows[row, label] = sure
    return rows


def test_the_most_confident_contradictions_come_first():
    found = looks(logits((1, UNSURE), (1, SURE), (0, SURE), (2, 3.0)), given=[0, 0, 0, 0])
    assert contradicted(found, 8).tolist() == [1, 3, 0]
    assert contradicted(found, 1).tolist() == [1]


def test_wrong_labels_that_were_learnt_are_wrong_and_predicted():
    given, clean = [0, 1, 1, 2], [1, 1, 0, 0]
    found = looks(logits((0, UNSURE), (1, SURE), (1, SURE), (1, SURE)), given, clean)
    assert learnt_wrong(found, 8).tolist() == [2, 0]


def test_without_a_known_truth_no_label_is_said_to_be_learnt_wrongly():
    assert not len(learnt_wrong(looks(logits((0, SURE)), given=[0]), 8))


def test_confirmed_labels_are_taken_class_by_class():
    sure = [(0, UNSURE), (0, SURE), (1, UNSURE), (2, SURE), (2, 6.0)]
    found = looks(logits(*sure), given=[0, 0, 1, 2, 2])
    assert rightly_labelled(found, 8).tolist() == [1, 2, 4, 0, 3]


def test_a_label_known_to_be_wrong_is_not_confirmed():
    found = looks(logits((0, SURE), (1, SURE)), given=[0, 1], clean=[2, 1])
    assert rightly_labelled(found, 8).tolist() == [1]


def test_a_dispute_is_the_surer_the_surer_both_sides_are():
    one = looks(logits((0, SURE), (0, SURE), (1, SURE)), [0, 0, 0]).probabilities
    other = looks(logits((1, UNSURE), (2, SURE), (1, SURE)), [0, 0, 0]).probabilities
    assert disputed([one, other], 8).tolist() == [1, 0]


def test_runs_that_agree_have_no_disputes():
    same = looks(logits((0, SURE), (1, SURE)), [0, 0]).probabilities
    assert not len(disputed([same, same, same], 8))


def test_of_three_runs_two_that_differ_are_a_dispute():
    sides = [looks(logits((label, SURE)), [0]).probabilities for label in (1, 1, 2)]
    assert disputed(sides, 8).tolist() == [0]

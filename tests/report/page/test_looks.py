"""What a network says of single images, against the same worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from subjects import looks

from eactf.report.page.looks import occlusion_places, spread_rows

LOGITS = [[2.0, 0.0, -1.0], [0.0, 1.0, 0.5]]


def test_losses_are_the_cross_entropy_on_the_given_label():
    found = looks(LOGITS, given=[1, 1])
    by_hand = [math.log(sum(math.exp(logit) for logit in row)) - row[1] for row in LOGITS]
    assert found.losses == pytest.approx(by_hand, abs=1e-6)
    assert found.probabilities.sum(axis=1) == pytest.approx(1.0)


def test_a_loss_is_finite_where_a_probability_is_nought():
    assert np.isfinite(looks([[500.0, 0.0]], given=[1]).losses).all()


def test_labels_of_unknown_truth_are_neither_right_nor_wrong():
    found = looks(np.zeros((3, 3)), given=[0, 1, 2], clean=[0, 2, -1])
    assert found.right.tolist() == [True, False, False]
    assert found.wrong.tolist() == [False, True, False]
    assert [row[-1] for row in found.rows()] == [0, 1, None]


@pytest.mark.parametrize("clean", [None, [-1, -1]])
def test_without_any_truth_nothing_is_called_right_or_wrong(clean):
    found = looks(LOGITS, given=[0, 1], clean=clean)
    assert found.right is None
    assert found.wrong is None


def test_rows_have_id_values_and_whether_the_label_is_wrong():
    found = looks(LOGITS, given=[0, 1], clean=[0, 0])
    assert found.rows(np.array([0.5, 0.25])) == [[100, 0.5, 0], [101, 0.25, 1]]


def test_nine_blocks_cover_an_image_once():
    covered = np.zeros((7, 10), int)
    for place in occlusion_places(7, 10):
        covered[place] += 1
    assert (covered == 1).all()


def test_a_sample_of_rows_keeps_their_order_and_grows_with_its_size():
    draws = np.random.default_rng(0).uniform(size=50)
    few, more = spread_rows(draws, 5), spread_rows(draws, 9)
    assert (np.diff(more) > 0).all()
    assert set(few) < set(more)

"""Comparing a file's outputs with Keras': counts by hand, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.errors import EactfError
from eactf.export.parity import compare

KERAS = {"logits": np.array([[0.0, 2.0], [1.0, 0.0], [0.0, 1.0], [3.0, 0.0]])}


def moved(by):
    return {"logits": KERAS["logits"] + np.array([by, 0.0])}


def test_right_answers_lost_and_gained_are_counted_apart():
    labels = np.array([1, 0, 0, 0])
    parity = compare(KERAS, moved(1.5), labels, scores="logits")
    assert (parity.agree, parity.lost, parity.gained) == (3, 0, 1)
    assert parity.accuracy == (0.75, 1.0)
    parity = compare(KERAS, moved(-1.5), labels, scores="logits")
    assert (parity.agree, parity.lost, parity.gained) == (3, 1, 0)
    assert parity.as_dict()["accuracy"] == 0.5


def test_without_labels_there_is_no_accuracy():
    parity = compare(KERAS, KERAS, None, scores="logits")
    assert parity.accuracy is None and parity.agree == 4
    assert parity.as_dict()["keras_accuracy"] is None


def test_rounding_passes_and_more_is_refused():
    compare(KERAS, moved(1e-3), None, scores="logits").refuse_unless_equal("the file")
    far = compare(KERAS, moved(0.01), None, scores="logits")
    with pytest.raises(EactfError, match=r"logits differ by up to 0\.01 on 4 images"):
        far.refuse_unless_equal("the file")


def test_what_is_no_number_is_refused_in_every_form():
    broken = compare(KERAS, moved(np.nan), None, scores="logits")
    for refuse in (broken.refuse_unless_equal, broken.refuse_unless_numbers):
        with pytest.raises(EactfError, match="was not kept"):
            refuse("the file")

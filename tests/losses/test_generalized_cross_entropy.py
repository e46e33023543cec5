"""Generalized cross-entropy against its paper's formula."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.losses import cross_entropy, generalized_cross_entropy
from losses.examples import HARD, LOGITS, SOFT, log_softmax


@pytest.mark.parametrize("labels", [HARD, SOFT], ids=["hard", "soft"])
def test_generalized_cross_entropy_is_the_papers_formula(labels):
    rows = np.eye(6)[labels] if labels.ndim == 1 else labels
    probability = np.sum(rows * np.exp(log_softmax(LOGITS)), axis=1)
    for exponent in (0.3, 0.7, 1.0):
        expected = (1 - probability**exponent) / exponent
        found = generalized_cross_entropy(LOGITS, labels, exponent)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    near = generalized_cross_entropy(LOGITS, HARD, 1e-4)
    np.testing.assert_allclose(near, cross_entropy(LOGITS, HARD), rtol=1e-3)


@pytest.mark.parametrize("exponent", [0.0, -1.0, 1.5, float("nan")])
def test_an_exponent_out_of_range_is_refused(exponent):
    with pytest.raises(ValueError, match="exponent must be above 0"):
        generalized_cross_entropy(LOGITS, HARD, exponent)

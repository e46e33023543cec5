"""The concordance of a whole test set against sums that are written out."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.metrics import concordance

RNG = np.random.default_rng(0)
GIVEN = RNG.normal(0.2, 0.4, 40)
PREDICTED = 0.6 * GIVEN + RNG.normal(0.1, 0.3, 40)


def by_sums(predicted, given):
    """Lin's coefficient from sums of products, in exact order of its definition."""
    n = len(given)
    mean_p, mean_g = sum(predicted) / n, sum(given) / n
    product = sum(p * g for p, g in zip(predicted, given, strict=True)) / n - mean_p * mean_g
    square_p = sum(p * p for p in predicted) / n - mean_p**2
    square_g = sum(g * g for g in given) / n - mean_g**2
    return 2 * product / (square_p + square_g + (mean_p - mean_g) ** 2)


def test_concordance_is_that_of_its_definition_column_by_column():
    assert concordance(PREDICTED, GIVEN) == pytest.approx(by_sums(PREDICTED, GIVEN), rel=1e-12)
    both = concordance(np.stack([PREDICTED, -GIVEN], 1), np.stack([GIVEN, GIVEN], 1))
    expected = [by_sums(PREDICTED, GIVEN), by_sums(-GIVEN, GIVEN)]
    np.testing.assert_allclose(both, expected, rtol=1e-12)


def test_only_equal_numbers_agree_wholly_and_level_and_spread_count():
    assert concordance(GIVEN, GIVEN) == pytest.approx(1.0, abs=1e-12)
    centred = GIVEN - GIVEN.mean()
    assert concordance(-centred, centred) == pytest.approx(-1.0, abs=1e-12)
    assert 0 < concordance(GIVEN + 1.0, GIVEN) < 0.5
    assert concordance(2.0 * centred, centred) == pytest.approx(0.8, abs=1e-12)


def test_what_never_varies_has_no_concordance_unless_it_is_off():
    assert np.isnan(concordance([0.1] * 3, [0.1] * 3))
    assert np.isnan(concordance([0.5], [0.5]))
    assert concordance([0.5, 0.5], [0.4, 0.4]) == 0.0


def test_what_cannot_be_compared_is_refused():
    for wrong in ([], np.zeros((2, 2, 2)), 0.5):
        with pytest.raises(ValueError, match=r"predicted must be \(n,\) or \(n, columns\)"):
            concordance(wrong, wrong)
    with pytest.raises(ValueError, match=r"given must be of predicted's shape \(40,\)"):
        concordance(PREDICTED, GIVEN[:, None])
    with pytest.raises(ValueError, match="given must be of finite numbers"):
        concordance([0.0, 1.0], [0.0, np.nan])

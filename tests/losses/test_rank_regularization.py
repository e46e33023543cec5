"""The rank regularization of sample weights, as the published code of SCN has it."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.losses import low_group, rank_regularization, relabel_candidates
from losses.examples import HARD, SOFT, gradients


def rank_by_hand(weights, ratio, margin):
    high = int(len(weights) * ratio)
    ordered = np.sort(weights)[::-1]
    if high in (0, len(weights)):
        return margin
    return max(0.0, ordered[high:].mean() - ordered[:high].mean() + margin)


@pytest.mark.parametrize("count, ratio", [(10, 0.7), (90, 0.7), (170, 0.7), (5, 0.5), (2, 0.7)])
def test_rank_regularization_parts_the_groups_as_the_published_code_does(count, ratio):
    weights = np.random.default_rng(count).uniform(0.4, 0.6, count).astype("float32")
    expected = rank_by_hand(weights, ratio, 0.15)
    assert float(rank_regularization(weights, ratio, 0.15)) == pytest.approx(expected, rel=1e-5)
    column = rank_regularization(weights[:, None], ratio, 0.15)
    assert float(column) == pytest.approx(expected, rel=1e-5)


def test_rank_regularization_counts_the_high_group_by_a_double_precision_product():
    weights = np.zeros(90, "float32")
    weights[:62] = 1.0  # int(90 * 0.7) is 62: the group is pure, the means 1 and 0
    assert float(rank_regularization(weights, 0.7, 1.5)) == pytest.approx(0.5)


def test_rank_regularization_pulls_the_groups_means_apart_and_stops_at_the_margin():
    weights = np.array([0.9, 0.5, 0.55, 0.6, 0.52])
    (gradient,) = gradients(lambda w: rank_regularization(w, 0.4, 0.5), weights)
    np.testing.assert_allclose(gradient, [-1 / 2, 1 / 3, 1 / 3, -1 / 2, 1 / 3], rtol=1e-5)
    (gradient,) = gradients(lambda w: rank_regularization(w, 0.4, 0.01), weights)
    np.testing.assert_array_equal(gradient, 0.0)


@pytest.mark.parametrize("count, ratio", [(1, 0.7), (4, 0.1), (1, 0.999)])
def test_rank_regularization_without_two_groups_is_the_margin_and_teaches_nothing(count, ratio):
    weights = np.linspace(0.2, 0.8, count)
    assert float(rank_regularization(weights, ratio, 0.15)) == pytest.approx(0.15)
    (gradient,) = gradients(lambda w: rank_regularization(w, ratio, 0.15), weights)
    np.testing.assert_array_equal(gradient, 0.0)


@pytest.mark.parametrize("function", [rank_regularization, low_group])
def test_importance_is_one_number_a_sample(function):
    for shape in ((6, 5), (1, 6), (6, 1, 1), ()):
        with pytest.raises(ValueError, match=r"weights must be .* received shape"):
            function(np.ones(shape))


@pytest.mark.parametrize("ratio", [7, -1, 0, 1, 1.0, float("nan"), np.float32(2)])
@pytest.mark.parametrize("function", [rank_regularization, low_group])
def test_a_ratio_out_of_range_is_refused(function, ratio):
    with pytest.raises(ValueError, match="ratio must be between 0 and 1; received"):
        function(np.ones(6), ratio)


@pytest.mark.parametrize("margin", [-0.1, float("nan"), np.float64(-1)])
def test_a_margin_below_nought_is_refused(margin):
    with pytest.raises(ValueError, match="margin must be >= 0; received"):
        rank_regularization(np.ones(6), 0.7, margin)
    with pytest.raises(ValueError, match="margin must be >= 0; received"):
        relabel_candidates(SOFT, HARD, margin)


def test_the_low_group_is_of_the_smallest_weights_in_their_own_order():
    weights = [[0.9], [0.1], [0.5], [0.7]]
    np.testing.assert_array_equal(low_group(weights, 0.5), [False, True, True, False])

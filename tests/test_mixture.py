"""Clean probabilities by loss, against a mixture that is fitted in plain Python and scikit-learn's.

The stored numbers are those of scikit-learn 1.9.1's GaussianMixture with the published settings.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from eactf.mixture import LossHistory, clean_probability, fit

STEPS = np.arange(40)
LOSSES = np.where(STEPS % 4 == 3, 2 + np.sin(STEPS), 0.02 * STEPS % 0.37 + 0.1 * np.cos(STEPS) ** 2)


def two_heaps(clean=700, noisy=300, seed=0):
    """Losses after a warm-up, and which of them are of clean labels."""
    rng = np.random.default_rng(seed)
    losses = np.concatenate([rng.exponential(0.3, clean), rng.normal(3.0, 0.8, noisy)])
    order = rng.permutation(len(losses))
    return losses[order], (np.arange(len(losses)) < clean)[order]


def best_division(values):
    """Every division of the sorted values is tried; the lower part of the best one."""

    def squares(part):
        return sum((value - sum(part) / len(part)) ** 2 for value in part)

    ordered = sorted(values)
    costs = [
        (round(squares(ordered[:place]) + squares(ordered[place:]), 12), place)
        for place in range(1, len(ordered))
        if ordered[place - 1] < ordered[place]
    ]
    return ordered[min(costs)[1] - 1]


def scaled(losses):
    return [(loss - min(losses)) / (max(losses) - min(losses)) for loss in losses]


def fitted_by_hand(values):
    """EM in plain Python, one loss at a time: parameters of the two heaps, rounds, posteriors."""
    last = best_division(values)
    shares = [(1.0, 0.0) if value <= last else (0.0, 1.0) for value in values]

    def heap(number):
        weight = math.fsum(share[number] for share in shares)
        mean = math.fsum(s[number] * v for s, v in zip(shares, values, strict=True)) / weight
        square = math.fsum(s[number] * (v - mean) ** 2 for s, v in zip(shares, values, strict=True))
        return weight / len(values), mean, square / weight + 5e-4

    def densities(value):
        return [
            weight * math.exp(-((value - mean) ** 2) / (2 * var)) / math.sqrt(2 * math.pi * var)
            for weight, mean, var in heaps
        ]

    heaps, before, rounds = [heap(0), heap(1)], -math.inf, 0
    while rounds < 10:
        rounds += 1
        all_densities = [densities(value) for value in values]
        likelihood = math.fsum(math.log(sum(both)) for both in all_densities) / len(values)
        shares = [(one / (one + other), other / (one + other)) for one, other in all_densities]
        heaps = [heap(0), heap(1)]
        if abs(likelihood - before) < 1e-2:
            break
        before = likelihood
    return heaps, rounds, [one / (one + other) for one, other in map(densities, values)]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kind", ["two heaps", "one heap", "few levels"])
def test_the_mixture_is_that_of_em_in_plain_python(kind, seed):
    rng = np.random.default_rng(seed)
    losses = {
        "two heaps": two_heaps(40, 20, seed)[0],
        "one heap": rng.gamma(0.5 + seed, 1.0, 60),
        "few levels": np.append(rng.choice([0.0, 1.0, 5.0, 6.0, 11.0], 12), [0.0, 11.0]),
    }[kind]
    mixture = fit(losses)
    heaps, rounds, probability = fitted_by_hand(scaled(losses.tolist()))
    found = np.stack([mixture.weights, mixture.means, mixture.variances], axis=1)
    np.testing.assert_allclose(found, heaps, rtol=1e-10)
    np.testing.assert_allclose(mixture.clean_probability, probability, rtol=1e-8, atol=1e-12)
    assert mixture.iterations == rounds


def test_the_mixture_is_that_of_scikit_learn():
    mixture = fit(LOSSES)
    weights, means = [0.7473851070367279, 0.2526148929632722], [0.0593777412972165, 0.69199840366]
    np.testing.assert_allclose(mixture.weights, weights, rtol=1e-12)
    np.testing.assert_allclose(mixture.means, means, rtol=1e-10)
    variances = [0.00199441973380079, 0.05947958336443872]
    np.testing.assert_allclose(mixture.variances, variances, rtol=1e-12)
    assert mixture.iterations == 4
    expected = [0.987862291815266, 0.9891803444222487, 0.9918931834400290]
    ascending = np.sort(mixture.clean_probability)
    np.testing.assert_allclose(ascending[10:13], expected, rtol=1e-10)
    np.testing.assert_allclose(ascending[-1], 0.99809659944393581, rtol=1e-12)
    np.testing.assert_allclose(ascending[9], 8.0949191254612950e-07, rtol=1e-9)


def test_clean_labels_are_told_from_wrong_ones_by_their_losses():
    for noisy in (200, 500):
        losses, is_clean = two_heaps(1000 - noisy, noisy)
        probability = clean_probability(losses)
        assert probability.dtype == np.float64 and probability.shape == losses.shape
        assert ((probability >= 0) & (probability <= 1)).all()
        pairs = probability[is_clean][:, None] - probability[~is_clean]
        assert ((pairs > 0).mean() + 0.5 * (pairs == 0).mean()) > 0.9  # area under the curve
        assert is_clean[probability > 0.5].mean() > 1 - noisy / 1000


def test_neither_order_nor_scale_nor_a_second_call_changes_anything():
    losses, _ = two_heaps()
    probability = clean_probability(losses)
    np.testing.assert_array_equal(clean_probability(losses), probability)
    order = np.random.default_rng(1).permutation(len(losses))
    np.testing.assert_array_equal(clean_probability(losses[order]), probability[order])
    np.testing.assert_allclose(
        clean_probability(4 * losses - 8), probability, rtol=1e-9, atol=1e-15
    )
    np.testing.assert_array_equal(clean_probability(losses.tolist()), probability)


def test_no_component_is_narrower_than_the_added_variance():
    mixture = fit([0.0] * 50 + [1.0] * 50)
    np.testing.assert_allclose(mixture.variances, 5e-4, rtol=1e-9)
    np.testing.assert_allclose(mixture.means, [0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(mixture.weights, 0.5)


@pytest.mark.parametrize("losses", [[0.7], [2.0] * 5, [0.0, 0.0], np.full(9, -1e300)])
def test_equal_losses_speak_against_no_label(losses):
    mixture = fit(losses)
    np.testing.assert_array_equal(mixture.clean_probability, np.ones(len(losses)))
    np.testing.assert_array_equal(clean_probability(losses, True, 0.9), np.ones(len(losses)))
    assert mixture.iterations == 0 and mixture.weights.tolist() == [1.0, 0.0]


def test_two_losses_that_differ_are_a_clean_and_a_wrong_one():
    np.testing.assert_allclose(clean_probability([5.0, 1.0]), [0.0, 1.0], atol=1e-12)


def test_a_small_loss_may_be_called_noisy_and_monotone_forbids_it():
    rng = np.random.default_rng(0)
    losses = np.concatenate([rng.normal(1.0, 0.05, 300), rng.normal(2.0, 1.0, 300)])
    plain, monotone = clean_probability(losses), clean_probability(losses, monotone=True)
    least = losses.argmin()
    assert plain[least] < 0.5 < monotone[least]
    by_hand = [max(plain[losses >= loss]) for loss in losses]
    np.testing.assert_array_equal(monotone, by_hand)
    assert (np.diff(monotone[np.argsort(losses)]) <= 0).all()


def test_a_few_extreme_losses_take_a_component_unless_they_are_clipped():
    losses, is_clean = two_heaps(1400, 599)
    losses[np.flatnonzero(~is_clean)[0]] = 500.0
    assert (clean_probability(losses) > 0.5).mean() > 0.99
    clipped = clean_probability(losses, clip_quantile=0.999)
    assert is_clean[clipped > 0.5].mean() > 0.95
    by_hand = clean_probability(np.minimum(losses, np.quantile(losses, 0.999)))
    np.testing.assert_array_equal(clipped, by_hand)
    np.testing.assert_array_equal(
        clean_probability(losses, clip_quantile=1), clean_probability(losses)
    )


def test_losses_that_are_not_finite_are_counted_and_their_places_told():
    losses = LOSSES.copy()
    losses[[3, 17, 30]] = np.nan, np.inf, -np.inf
    expected = "not so 3 of 40: nan at 3, inf at 17, -inf at 30"
    for function in (clean_probability, fit, LossHistory().add):
        with pytest.raises(ValueError, match=expected):
            function(losses)
    with pytest.raises(ValueError, match=r"not so 20 of 20: nan at 0, .* and 12 more"):
        fit(np.full(20, np.nan))


@pytest.mark.parametrize("shape", [(0,), (), (4, 1), (1, 4)])
def test_losses_of_another_shape_are_refused(shape):
    for function in (clean_probability, fit, LossHistory().add):
        with pytest.raises(ValueError, match=r"losses must be \(n,\), n at least 1; received"):
            function(np.zeros(shape))


@pytest.mark.parametrize("quantile", [0, -0.5, 1.5, float("nan"), 99.9])
def test_a_quantile_out_of_range_is_refused(quantile):
    with pytest.raises(ValueError, match=r"clip_quantile must be in \(0, 1\]; received"):
        clean_probability(LOSSES, clip_quantile=quantile)


def test_a_history_averages_the_last_epochs_each_scaled_by_itself():
    rng = np.random.default_rng(0)
    epochs = rng.gamma(1.0, 1.0, (7, 50)) * np.arange(1, 8)[:, None]
    by_hand = [scaled(losses.tolist()) for losses in epochs]
    history = LossHistory()
    for number, losses in enumerate(epochs, start=1):
        mean = history.add(losses)
        np.testing.assert_allclose(mean, np.mean(by_hand[max(0, number - 5) : number], axis=0))
    np.testing.assert_array_equal(history.mean(), mean)
    np.testing.assert_allclose(history.epochs, by_hand[2:])


def test_the_mean_of_a_history_is_not_scaled_again():
    losses, _ = two_heaps(70, 30)
    history = LossHistory(length=2)
    history.add(losses)
    first = history.clean_probability(losses[::-1])
    mean = history.mean()
    assert mean.min() > 0 and mean.max() < 1
    assert history.fit().means[1] < mean.max() < fit(mean).means[1] + 0.5
    np.testing.assert_array_equal(history.fit().clean_probability, first)


def test_a_history_of_one_epoch_is_that_epoch():
    losses, _ = two_heaps()
    for arguments in ((False, None), (True, 0.99)):
        found = LossHistory().clean_probability(losses, *arguments)
        np.testing.assert_array_equal(found, clean_probability(losses, *arguments))


def test_a_history_goes_on_where_another_one_stopped():
    rng = np.random.default_rng(0)
    first, second = LossHistory(3), LossHistory(3)
    for _ in range(4):
        first.add(rng.gamma(1.0, 1.0, 20))
    second.add(np.arange(3.0))
    second.restore(first.epochs)
    losses = rng.gamma(1.0, 1.0, 20)
    np.testing.assert_array_equal(first.add(losses), second.add(losses))
    np.testing.assert_array_equal(first.epochs, second.epochs)
    second.restore(LossHistory().epochs)
    assert second.epochs.shape == (0, 0)


def test_what_a_history_cannot_hold_is_refused():
    history = LossHistory()
    with pytest.raises(ValueError, match="needs the losses of one epoch"):
        history.mean()
    history.add([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"the 3 samples before; received shape \(2,\)"):
        history.add([1.0, 2.0])
    for length in (0, -1, 2.5):
        with pytest.raises(ValueError, match="length must be a whole number above 0"):
            LossHistory(length)
    with pytest.raises(ValueError, match=r"epochs must be \(epochs, n\); received shape \(3,\)"):
        history.restore([0.0, 0.5, 1.0])
    with pytest.raises(ValueError, match=r"numbers in \[0, 1\]"):
        history.restore([[0.0, np.nan]])

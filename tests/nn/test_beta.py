"""Beta quantiles against closed forms and moments; a draw is a function of its uniform number."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from eactf.nn.beta import beta_quantiles, larger_share

SHARES = np.linspace(0.5, 1.0, 4097)


@pytest.mark.parametrize(
    "alpha, inverse",
    [(0.5, lambda p: np.sin(np.pi * p / 2) ** 2), (1.0, lambda p: p)],
    ids=["arcsine", "uniform"],
)
def test_quantiles_are_those_of_the_closed_form(alpha, inverse):
    np.testing.assert_allclose(beta_quantiles(alpha), inverse(SHARES), atol=2e-6)


def test_the_distribution_at_the_quantiles_of_alpha_4_is_its_polynomial():
    x = beta_quantiles(4.0)
    polynomial = sum(comb(7, k) * x**k * (1 - x) ** (7 - k) for k in range(4, 8))
    np.testing.assert_allclose(polynomial, SHARES, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.75, 2.0, 8.0, 100.0, 5000.0])
def test_the_variance_is_that_of_the_distribution(alpha):
    """Beta(a, a) has the mean 1/2 and the variance 1 / (4 (2 a + 1))."""
    x = beta_quantiles(alpha, points=20_001)
    middles = (x[1:] + x[:-1]) / 2
    assert np.mean((middles - 0.5) ** 2) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=5e-3)


@pytest.mark.parametrize("alpha, end", [(0.01, 1.0), (0.5, 1.0), (4.0, 1.0), (1e6, 0.51)])
def test_quantiles_rise_from_one_half_to_one(alpha, end):
    x = beta_quantiles(alpha)
    assert x[0] == 0.5
    assert end - 0.01 < x[-1] <= end
    assert (np.diff(x) >= 0).all()
    assert x.dtype == np.float64
    assert len(beta_quantiles(alpha, points=9)) == 9


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan")])
def test_an_alpha_that_is_not_above_0_is_refused(alpha):
    with pytest.raises(ValueError, match="alpha must be above 0"):
        beta_quantiles(alpha)


def test_a_draw_is_the_quantile_of_its_uniform_number():
    uniform = np.array([0.0, 0.25, 0.6, 1.0 - 2.0**-24], "float32")
    found = np.array(larger_share(uniform, beta_quantiles(1.0)))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 0.5 + uniform / 2, atol=1e-6)
    single = larger_share(uniform[1], beta_quantiles(4.0))
    assert single.shape == ()
    np.testing.assert_allclose(single, np.interp(0.625, SHARES, beta_quantiles(4.0)), atol=1e-6)

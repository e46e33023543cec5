"""The numeric gradient of functions whose gradient is known."""

from __future__ import annotations

import numpy as np
import pytest
from numeric_slope import slope, slopes


def test_the_slope_of_a_product_is_the_other_factors():
    array = np.array([[1.0, 2.0], [3.0, -4.0]])
    np.testing.assert_allclose(slope(np.prod, array), np.prod(array) / array, rtol=1e-9)


def test_the_arrays_themselves_are_left_as_they_are():
    array = np.array([1.0, 2.0])
    slope(np.sum, array)
    assert array.tolist() == [1.0, 2.0]


@pytest.mark.parametrize("step", [1e-4, 1e-6])
def test_each_of_several_arrays_has_a_slope_of_its_own(step):
    one, two = np.array([0.5, 1.5]), np.array([[2.0]])
    of_one, of_two = slopes(
        lambda both: float((both[0] ** 2).sum() * both[1][0, 0]), [one, two], step
    )
    np.testing.assert_allclose(of_one, 4 * one, rtol=1e-7)
    np.testing.assert_allclose(of_two, [[2.5]], rtol=1e-7)

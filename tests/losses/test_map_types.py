"""Maps of half and of mixed number types: nothing overflows, the wider type is kept."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from eactf.losses import class_activation_maps, flip_consistency, map_spread, scale_consistency
from losses.examples import CAM, FEATURES, KERNEL, MIRRORED, PAIRS


def test_maps_of_half_types_do_not_overflow():
    features, kernel = np.full((1, 1, 2, 3), 200.0, "float16"), np.full((3, 2), 200.0, "float16")
    np.testing.assert_array_equal(class_activation_maps(features, kernel), 120_000.0)
    large = np.array([300.0, -300.0], "float16").reshape(1, 1, 2, 1)
    assert float(flip_consistency(large, large)) == 600.0**2
    assert float(scale_consistency(large, -large)) == 600.0**2
    assert float(map_spread(large)) == 300.0


MAP_FUNCTIONS = [
    (class_activation_maps, (FEATURES, KERNEL)),
    (flip_consistency, (CAM, MIRRORED)),
    (scale_consistency, (CAM, MIRRORED)),
]


@pytest.mark.parametrize("function, arguments", MAP_FUNCTIONS, ids=lambda x: "")
@pytest.mark.parametrize("first, second, expected", PAIRS)
def test_maps_of_two_types_meet_in_the_wider_one(function, arguments, first, second, expected):
    given = [tf.cast(np.round(4 * x), t) for x, t in zip(arguments, (first, second), strict=True)]
    found = function(*given)
    assert found.dtype == expected
    exact = function(*(tf.cast(x, tf.float64) for x in given))
    np.testing.assert_allclose(found, exact, rtol=1e-6)

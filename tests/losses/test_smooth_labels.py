"""Label smoothing: the share that is spread, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.losses import smooth_labels
from losses.examples import HARD, SOFT


def test_smooth_labels_spread_their_share_over_all_classes():
    smoothed = smooth_labels(np.array([2, 0]), 4, 0.2)
    np.testing.assert_allclose(smoothed, [[0.05, 0.05, 0.85, 0.05], [0.85, 0.05, 0.05, 0.05]])
    np.testing.assert_allclose(smooth_labels(SOFT, 6, 0.1), 0.9 * SOFT + 0.1 / 6, rtol=1e-6)
    assert np.isnan(smooth_labels(np.array([4]), 4, 0.2)).all()


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, 7, float("nan")])
def test_a_smoothing_out_of_range_is_refused(smoothing):
    with pytest.raises(ValueError, match="smoothing must be in"):
        smooth_labels(HARD, 6, smoothing)


@pytest.mark.parametrize("shape", [(4, 1), (4, 5), (4, 6, 1)])
def test_smooth_labels_refuse_labels_of_another_shape(shape):
    with pytest.raises(ValueError, match="soft labels; received shape"):
        smooth_labels(np.zeros(shape), 6, 0.1)

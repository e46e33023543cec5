"""Which samples SCN would relabel: the margin, number types, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from eactf.losses import relabel_candidates
from losses.examples import ALL_FLOATS, INDEX_TYPES, SOFT


def test_relabel_candidates_are_those_more_probable_elsewhere_by_more_than_the_margin():
    probabilities = np.array(
        [[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.375, 0.5, 0.125], [0.3, 0.5, 0.2]], "float32"
    )
    labels = np.array([1, 0, 0, 2])
    mask, new = relabel_candidates(probabilities, labels, 0.2)
    np.testing.assert_array_equal(mask, [True, False, False, True])
    np.testing.assert_array_equal(new, [0, 0, 0, 1])
    mask, _ = relabel_candidates(probabilities, labels, 0.125)
    np.testing.assert_array_equal(mask, [True, False, False, True])  # not at the margin itself


@pytest.mark.parametrize("dtype", ALL_FLOATS)
@pytest.mark.parametrize("label_dtype", INDEX_TYPES[1:])
def test_relabel_candidates_take_probabilities_and_labels_of_any_type(dtype, label_dtype):
    probabilities = tf.cast([[0.125, 0.875], [0.5, 0.5], [0.75, 0.25]], dtype)
    labels = np.array([0, 1, 1], label_dtype)
    arrays = (probabilities, labels), (probabilities.numpy(), labels)
    for given in (*arrays, (probabilities.numpy().tolist(), labels.tolist())):
        mask, new = relabel_candidates(*given, 0.25)
        np.testing.assert_array_equal(mask, [True, False, True])
        np.testing.assert_array_equal(new, [1, 1, 0])
        assert new.dtype == tf.int32


@pytest.mark.parametrize("dtype", ALL_FLOATS)
def test_the_type_of_the_probabilities_decides_at_the_margin(dtype):
    probabilities = tf.cast(np.array([[0.6, 0.4]]), dtype)
    at_least_single = np.float64 if dtype == "float64" else np.float32
    high, low = probabilities.numpy()[0].astype(at_least_single)
    mask, _ = relabel_candidates(probabilities, [1], 0.2)
    assert mask.numpy().tolist() == [bool(high - low > at_least_single(0.2))]


def test_at_the_margin_single_precision_relabels_and_double_does_not():
    probabilities = np.array([[0.6, 0.4]])
    assert relabel_candidates(probabilities.astype("float32"), [1], 0.2)[0].numpy().all()
    assert relabel_candidates(probabilities.tolist(), [1], 0.2)[0].numpy().all()
    assert not relabel_candidates(probabilities, [1], 0.2)[0].numpy().any()


def test_a_label_outside_the_classes_is_kept():
    probabilities = np.array([[0.1, 0.9]] * 3, "float32")
    for run in (relabel_candidates, tf.function(relabel_candidates)):
        mask, new = run(probabilities, np.array([-1, 2, 0]))
        np.testing.assert_array_equal(mask, [False, False, True])
        np.testing.assert_array_equal(new, [-1, 2, 1])


@pytest.mark.parametrize("shape", [(4, 1), (1,), (4, 6), ()])
def test_relabel_candidates_refuse_labels_of_another_shape(shape):
    with pytest.raises(ValueError, match="class indices of shape \\(4,\\); received shape"):
        relabel_candidates(SOFT.astype("float32"), np.zeros(shape, int))


def test_relabel_candidates_refuse_probabilities_of_one_sample_alone():
    with pytest.raises(ValueError, match="probabilities must be"):
        relabel_candidates(SOFT[0].astype("float32"), np.zeros(1, int))

"""Blank rows behind a batch: they are there for whatever comes next."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from eactf.methods.batch import pad_rows


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_blank_rows_are_noughts_behind_the_others(dtype):
    rows = np.ones((2, 3), dtype)
    found = pad_rows(rows, tf.constant(2))
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, [[1] * 3, [1] * 3, [0] * 3, [0] * 3])
    assert pad_rows(rows, 0) is rows


def test_a_convolution_of_no_rows_but_the_blank_one_has_a_row():
    """oneDNN merges tf.pad with the convolution behind it, and loses the row."""
    convolution = keras.layers.Conv2D(2, 3)
    convolution.build((None, 4, 4, 1))

    @tf.function(input_signature=[tf.TensorSpec((None, 4, 4, 1))])
    def outputs(images):
        padding = tf.cast(tf.equal(tf.shape(images)[0], 0), tf.int32)
        return convolution(pad_rows(images, padding))

    assert outputs(tf.zeros((0, 4, 4, 1))).shape == (1, 2, 2, 2)
    assert outputs(tf.zeros((5, 4, 4, 1))).shape == (5, 2, 2, 2)

"""What is remembered of single samples: found by id, written by row."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from eactf.methods.memory import SampleMemory


def memory():
    return SampleMemory(np.array([7, 3, 900]), {"label": -1, "margin": 0.0})


def test_rows_go_by_the_sorted_ids():
    np.testing.assert_array_equal(memory().rows(np.array([900, 3, 7, 3])), [2, 0, 1, 0])
    with pytest.raises(ValueError, match="was not told of the samples 4:"):
        memory().rows(np.array([4]))


@pytest.mark.parametrize("compiled", [False, True])
def test_of_a_row_written_twice_the_last_value_counts(compiled):
    table = memory()
    write = tf.function(table.write) if compiled else table.write
    write("label", ops.array([2, 0, 2, 2]), ops.array([5, 6, 7, 4]))
    np.testing.assert_array_equal(table.table("label")["label"], [6, -1, 4])


def test_a_whole_column_is_set():
    table = memory()
    table.set("margin", np.array([0.5, 0.25, 1.0], "float32"))
    np.testing.assert_array_equal(table.read("margin", ops.array([2, 0])), [1.0, 0.5])

"""Uniforms that are a function of their keys alone."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from eactf.nn.counter_random import normal, uniform


def reference(keys, draws):
    """The same numbers in NumPy's unsigned arithmetic."""
    golden = 0x9E3779B9

    def mix(x):
        x = (x ^ x >> 16) * 0x7FEB352D % 2**32
        x = (x ^ x >> 15) * 0x846CA68B % 2**32
        return x ^ x >> 16

    rows = []
    for row in keys:
        state = golden
        for key in row:
            state = mix(((state ^ int(key) % 2**32) + golden) % 2**32)
        rows.append(
            [(mix(mix((state + n * golden) % 2**32)) >> 8) / 2**24 for n in range(1, draws + 1)]
        )
    return np.array(rows)


def test_the_numbers_are_those_of_unsigned_arithmetic_written_out():
    keys = np.array([[0, 0], [1, 2], [-1, 2**31 - 1], [-(2**31), 7], [123456789, -42]])
    np.testing.assert_array_equal(uniform(keys, 5), reference(keys, 5))


def test_keys_are_taken_modulo_two_to_the_32():
    np.testing.assert_array_equal(uniform(np.array([[2**32 + 5]]), 3), uniform(np.array([[5]]), 3))


def test_a_graph_and_xla_draw_the_same():
    keys = tf.constant(np.random.default_rng(0).integers(-(2**31), 2**31, (64, 3)), tf.int32)
    eager = uniform(keys, 4).numpy()
    for compiled in (False, True):
        drawn = tf.function(lambda k: uniform(k, 4), jit_compile=compiled)(keys)
        np.testing.assert_array_equal(drawn, eager)


def test_the_numbers_are_uniform_and_below_one():
    drawn = uniform(np.arange(20_000)[:, None], 4).numpy()
    assert drawn.min() >= 0.0
    assert drawn.max() < 1.0
    counts = np.histogram(drawn, 64, (0, 1))[0]
    expected = drawn.size / 64
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert 25 < chi_square < 120  # 63 degrees of freedom


def test_neighbouring_keys_and_draws_are_unrelated():
    keys = np.stack(np.meshgrid(np.arange(100), np.arange(100)), axis=-1).reshape(-1, 2)
    drawn = uniform(keys, 3).numpy()
    table = drawn[:, 0].reshape(100, 100)
    pairs = [
        (table[1:], table[:-1]),
        (table[:, 1:], table[:, :-1]),
        (table, table.T),
        (drawn[:, 0], drawn[:, 1]),
        (drawn[:, 1], drawn[:, 2]),
    ]
    for first, second in pairs:
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.05
    assert not np.array_equal(uniform(np.array([[1, 2]]), 1), uniform(np.array([[2, 1]]), 1))
    assert not np.array_equal(uniform(np.array([[1]]), 1), uniform(np.array([[1, 0]]), 1))


def test_normal_numbers_are_normal_and_depend_on_their_keys_alone():
    keys = np.stack([np.full(4000, 3), np.arange(4000)], axis=1)
    found = np.asarray(normal(keys, 5))
    assert found.shape == (4000, 5) and np.isfinite(found).all()
    assert abs(found.mean()) < 0.03 and abs(found.std() - 1) < 0.03
    np.testing.assert_allclose(normal(keys[7:9], 5), found[7:9], rtol=1e-6)

"""Pixel noise: its distribution, its clipping, what decides it, what it refuses."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from eactf.nn.counter_random import uniform
from eactf.nn.pixel_noise import add_pixel_noise


def some_keys(count, seed=1):
    return np.random.default_rng(seed).integers(0, 2**31, (count, 4)).astype("int32")


def some_images(count=12, height=7, width=9, channels=3):
    numbers = np.random.default_rng(0)
    return numbers.integers(0, 256, (count, height, width, channels)).astype("float32")


def grey(count, size, **settings):
    """The noise on grey images, `(count, size, size, 3)` in float64, half a level put back."""
    images = np.full((count, size, size, 3), 128.0, "float32")
    settings = {"probability": 1.0, **settings}
    noisy = add_pixel_noise(images, some_keys(count), **settings).numpy().astype("float64")
    return noisy - 128.0 + 0.5  # truncating takes half a level away on average


@pytest.mark.parametrize("variance", [30.0, 4.0])
def test_the_noise_is_normal_with_the_variance_asked_for(variance):
    noise = grey(100, 24, variance=variance)
    count = noise.size
    assert noise.mean() == pytest.approx(0.0, abs=5 * np.sqrt(variance / count))
    expected = variance + 1 / 12  # of the whole numbers
    assert noise.var() == pytest.approx(expected, abs=5 * expected * np.sqrt(2 / count))
    standard = noise / np.sqrt(expected)
    assert (standard**3).mean() == pytest.approx(0.0, abs=5 * np.sqrt(6 / count))
    assert (standard**4).mean() == pytest.approx(3.0, abs=5 * np.sqrt(24 / count) + 0.01)


def test_the_noise_of_a_pixel_says_nothing_of_another():
    noise = grey(200, 12)
    half = noise[0].size // 2
    flat = noise.reshape(200, -1)
    pairs = {
        "channels": (noise[..., 0], noise[..., 1]),
        "rows": (noise[:, 1:], noise[:, :-1]),
        "columns": (noise[:, :, 1:], noise[:, :, :-1]),
        "images": (noise[1:], noise[:-1]),
        "a pair of one draw": (flat[:, :half], flat[:, half:]),
        "the sizes of such a pair": (flat[:, :half] ** 2, flat[:, half:] ** 2),
    }
    for name, (one, two) in pairs.items():
        found = np.corrcoef(one.ravel(), two.ravel())[0, 1]
        assert abs(found) < 5 / np.sqrt(one.size), name


def test_the_sum_is_clipped_and_truncated_as_in_numpy():
    images, keys = some_images(20, 5, 5, 3), some_keys(20)
    images += np.float32(0.25)
    draws = uniform(keys, 1 + 76).numpy().astype("float64")
    first, second = draws[:, 1:39], draws[:, 39:]
    radius = np.sqrt(-2.0 * np.log(1.0 - first))
    normal = np.concatenate(
        [radius * np.cos(2 * np.pi * second), radius * np.sin(2 * np.pi * second)], axis=1
    )[:, :75].reshape(images.shape)
    exact = np.clip(images + np.sqrt(30.0) * normal, 0, 255)
    noisy = add_pixel_noise(images, keys, probability=1.0).numpy()
    # Where float32 and float64 fall on two sides of a whole number they truncate apart.
    sure = np.abs(exact - np.round(exact)) > 1e-3
    sure |= (exact == 0) | (exact == 255)
    assert sure.mean() > 0.99
    np.testing.assert_array_equal(noisy[sure], np.floor(exact)[sure])
    assert noisy.min() == 0 and noisy.max() == 255


@pytest.mark.parametrize("probability, low, high", [(0.0, 0, 0), (0.25, 0.22, 0.28), (1.0, 1, 1)])
def test_images_are_drawn_with_the_probability_and_the_others_stay_as_they_are(
    probability, low, high
):
    images = some_images(2000, 4, 4, 1) + np.float32(0.5)
    noisy = add_pixel_noise(images, 5, probability).numpy()
    changed = (noisy != images).any(axis=(1, 2, 3))
    assert low <= changed.mean() <= high
    np.testing.assert_array_equal(noisy[changed], np.floor(noisy[changed]))
    np.testing.assert_array_equal(noisy[~changed], images[~changed])


def test_without_variance_images_are_only_truncated():
    images = some_images() + np.float32(0.75)
    noisy = add_pixel_noise(images, 1, 1.0, variance=0.0).numpy()
    np.testing.assert_array_equal(noisy, np.minimum(np.floor(images), 255))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16", "float32"])
def test_the_dtype_is_kept(dtype):
    images, keys = some_images(), some_keys(12)
    expected = add_pixel_noise(images, keys).numpy()
    noisy = add_pixel_noise(tf.cast(images, dtype), keys)
    assert noisy.dtype == dtype
    np.testing.assert_array_equal(tf.cast(noisy, "float32"), expected)


def test_a_key_a_row_decides_each_image_wherever_it_stands():
    images, keys = some_images(4), some_keys(4)
    order = np.array([2, 0, 3, 1])
    drawn = add_pixel_noise(images, keys, 1.0).numpy()
    np.testing.assert_array_equal(add_pixel_noise(images[order], keys[order], 1.0), drawn[order])
    np.testing.assert_array_equal(add_pixel_noise(images[2:3], keys[2:3], 1.0), drawn[2:3])


def test_an_integer_a_pair_and_a_generator_are_seeds_and_images_in_a_batch_differ():
    images = np.full((6, 8, 8, 1), 100, "uint8")

    def drawn(seed):
        return add_pixel_noise(images, seed, 1.0).numpy()

    np.testing.assert_array_equal(drawn(7), drawn(7))
    different = [drawn(7), drawn(8), drawn((7, 1)), drawn(keras.random.SeedGenerator(7))]
    assert len({array.tobytes() for array in different}) == len(different)
    assert len({image.tobytes() for image in drawn(7)}) == 6


@pytest.mark.parametrize("compiled", [False, True])
def test_a_graph_and_xla_add_what_eager_code_does(compiled):
    images, keys = tf.constant(some_images()), tf.constant(some_keys(12))
    eager = add_pixel_noise(images, keys).numpy()
    found = tf.function(add_pixel_noise, jit_compile=compiled)(images, keys).numpy()
    # Compilers may round a cosine otherwise, and a sum near a whole number then truncates apart.
    assert np.abs(found - eager).max() <= 1
    assert (found != eager).mean() < 0.002


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"probability": 1.5}, "probability of pixel noise must be in"),
        ({"probability": float("nan")}, "probability of pixel noise must be in"),
        ({"variance": -1.0}, "variance must be a number >= 0"),
        ({"variance": float("inf")}, "variance must be a number >= 0"),
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        add_pixel_noise(some_images(), 0, **settings)


def test_images_of_unknown_size_are_refused():
    blind = tf.function(
        lambda pixels: add_pixel_noise(pixels, 5),
        input_signature=[tf.TensorSpec((None, None, None, 1))],
    )
    with pytest.raises(ValueError, match="height, width and channels are known"):
        blind(some_images(channels=1))

"""Random crops: where they are cut, what lies outside, what decides them, what is refused."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from eactf.nn.counter_random import uniform
from eactf.nn.cropping import random_crop


def some_images(count=12, height=7, width=9, channels=3):
    numbers = np.random.default_rng(0)
    return numbers.integers(1, 200, (count, height, width, channels)).astype("float32")


def some_keys(count, seed=1):
    return np.random.default_rng(seed).integers(0, 2**31, (count, 4)).astype("int32")


def cropped_in_numpy(images, keys, padding, fill):
    """Each image padded with `fill` and its own size cut out at the drawn offset, one by one."""
    height, width, channels = images.shape[1:]
    offsets = np.floor(uniform(keys, 2).numpy().astype("float64") * (2 * padding + 1)).astype(int)
    crops = []
    for image, (top, left) in zip(images, offsets, strict=True):
        padded = np.empty((height + 2 * padding, width + 2 * padding, channels), "float32")
        padded[:] = fill
        padded[padding : padding + height, padding : padding + width] = image
        crops.append(padded[top : top + height, left : left + width])
    return np.stack(crops)


@pytest.mark.parametrize("padding", [1, 4, 12])
@pytest.mark.parametrize("channels, fill", [(1, 0.0), (3, 7.5), (3, [5.0, 6.5, 7.0])])
def test_a_crop_is_the_image_padded_and_cut_at_the_drawn_offset(padding, channels, fill):
    images, keys = some_images(20, channels=channels), some_keys(20)
    crops = random_crop(images, keys, padding, fill).numpy()
    assert crops.shape == images.shape
    np.testing.assert_array_equal(crops, cropped_in_numpy(images, keys, padding, fill))


def test_every_offset_is_reached_about_equally_often():
    marked = np.zeros((5000, 5, 7, 1), "uint8")
    marked[:, 2, 3] = 1
    crops = random_crop(marked, some_keys(5000), 2).numpy()[..., 0]
    image, row, column = np.nonzero(crops)
    np.testing.assert_array_equal(image, np.arange(5000))
    counts = np.zeros((5, 5), int)
    np.add.at(counts, (row, column - 1), 1)
    # 200 each, with a deviation of 13.9.
    assert counts.min() > 150
    assert counts.max() < 250
    assert ((counts - 200) ** 2 / 200).sum() < 43  # chi-squared, 24 degrees of freedom, 99 %


def test_a_draw_next_to_one_stays_within_the_padded_image(monkeypatch):
    # Were its product with the number of places rounded up, the offset would be one too far.
    largest = np.float32(1.0 - 2.0**-24)
    monkeypatch.setattr(
        "eactf.nn.cropping.uniform", lambda keys, draws: tf.fill((keys.shape[0], draws), largest)
    )
    images = some_images(1, 40, 40, 1)
    for padding in range(1, 40):
        crop = random_crop(images, 0, padding, -1.0).numpy()
        np.testing.assert_array_equal(crop[:, :-padding, :-padding], images[:, padding:, padding:])
        assert (crop[:, -padding:] == -1).all()


def test_no_padding_returns_the_images_as_they_are():
    images = some_images()
    np.testing.assert_array_equal(random_crop(images, 3, 0, 9.0), images)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16", "float32", "bfloat16"])
def test_the_dtype_is_kept(dtype):
    images, keys = some_images(), some_keys(12)
    crops = random_crop(tf.cast(images, dtype), keys, 2, 255.0)
    assert crops.dtype == dtype
    expected = cropped_in_numpy(images, keys, 2, 255.0)
    np.testing.assert_array_equal(tf.cast(crops, "float32"), expected)


def test_an_integer_a_pair_and_a_generator_are_seeds_and_images_in_a_batch_differ():
    images = np.broadcast_to(some_images(1), (8, 7, 9, 3))

    def drawn(seed):
        return random_crop(images, seed, 4).numpy()

    np.testing.assert_array_equal(drawn(7), drawn(7))
    np.testing.assert_array_equal(drawn((7, 1)), drawn((7, 1)))
    different = [drawn(7), drawn(8), drawn((7, 1)), drawn((1, 7))]
    different.append(drawn(keras.random.SeedGenerator(7)))
    assert len({array.tobytes() for array in different}) == len(different)
    assert len({image.tobytes() for image in drawn(7)}) > 4
    with pytest.raises(ValueError, match="seed must be given"):
        drawn(None)


def test_a_key_a_row_decides_each_crop_wherever_it_stands():
    images, keys = some_images(4), some_keys(4)
    order = np.array([2, 0, 3, 1])
    drawn = random_crop(images, keys, 3).numpy()
    np.testing.assert_array_equal(random_crop(images[order], keys[order], 3), drawn[order])
    np.testing.assert_array_equal(random_crop(images[2:3], keys[2:3], 3), drawn[2:3])


def test_a_graph_and_xla_cut_what_eager_code_does():
    images, keys = tf.constant(some_images()), tf.constant(some_keys(12))
    eager = random_crop(images, keys, 4, [1.0, 2.0, 3.0]).numpy()
    for compiled in (False, True):

        @tf.function(jit_compile=compiled)
        def cut(pixels, rows):
            return random_crop(pixels, rows, 4, [1.0, 2.0, 3.0])

        np.testing.assert_array_equal(cut(images, keys), eager)


@pytest.mark.parametrize("shape", [(None, 7, 9, 3), (None, None, None, 3)], ids=str)
def test_shapes_known_only_when_it_runs_are_cut_alike(shape):
    @tf.function(input_signature=[tf.TensorSpec(shape)])
    def blind(pixels):
        crops = random_crop(pixels, 5, 2)
        assert crops.shape.as_list() == list(shape)
        return crops

    images = some_images()
    for count in (12, 5):
        expected = random_crop(images[:count], 5, 2)
        np.testing.assert_array_equal(blind(images[:count]), expected)
    assert blind(images[:0]).shape == (0, 7, 9, 3)


@pytest.mark.parametrize("padding", [-1, 1.0, 0.5, "4", None, True], ids=str)
def test_a_padding_that_is_no_number_of_pixels_is_refused(padding):
    with pytest.raises(ValueError, match=f"padding must be a whole number.*received {padding!r}"):
        random_crop(some_images(), 0, padding)

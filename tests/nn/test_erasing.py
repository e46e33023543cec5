"""Random erasing: its statistics, its rule, what decides it, what it refuses."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from eactf.nn.erasing import erase

PAPER = {"area": (0.1, 0.7), "aspect": (0.1, 10.0)}


def blocks(count, size, **settings):
    """Top, left, height and width of each erased block, `(erased, 4)`, of whole ones in none."""
    keys = np.stack([np.full(count, 3), np.arange(count)], axis=1)
    erased = erase(np.ones((count, size, size, 1), "uint8"), keys, **settings).numpy() == 0
    found = []
    for rows, columns in zip(erased.any(axis=2)[..., 0], erased.any(axis=1)[..., 0], strict=True):
        if rows.any():
            (y,), (x,) = np.nonzero(rows), np.nonzero(columns)
            found.append((y[0], x[0], y[-1] - y[0] + 1, x[-1] - x[0] + 1))
    found = np.array(found)
    # A solid rectangle each: as many pixels as its sides say.
    assert erased.sum() == (found[:, 2] * found[:, 3]).sum()
    return found


@pytest.fixture(scope="module")
def default_blocks():
    return blocks(3000, 224, probability=1.0)


def test_at_224_the_default_erases_the_published_area(default_blocks):
    share = default_blocks[:, 2] * default_blocks[:, 3] / 224**2
    assert len(share) == 3000
    np.testing.assert_allclose(share.mean(), 0.135, atol=0.005)
    np.testing.assert_allclose(np.median(share), 0.135, atol=0.006)
    np.testing.assert_allclose(share.std(), 0.066, atol=0.003)
    assert share.min() > 0.019
    assert share.max() < 0.253


def test_the_aspect_is_log_uniform_over_its_range(default_blocks):
    logs = np.log(default_blocks[:, 2] / default_blocks[:, 3])
    low, high = np.log(0.3), np.log(3.3)
    assert logs.min() > low - 0.05
    assert logs.max() < high + 0.05
    expected = np.linspace(low, high, 11)[1:-1]
    np.testing.assert_allclose(np.quantile(logs, np.arange(1, 10) / 10), expected, atol=0.09)


@pytest.mark.parametrize("axis", [0, 1])
def test_the_place_is_uniform_over_all_that_hold_the_block(default_blocks, axis):
    free = 224 - default_blocks[:, 2 + axis] + 1
    place = (default_blocks[:, axis] + 0.5) / free
    np.testing.assert_allclose(np.histogram(place, 10, (0, 1))[0] / 3000, 0.1, atol=0.025)


def test_the_supplements_settings_erase_the_published_area_of_what_fits():
    found = blocks(2500, 224, probability=1.0, **PAPER)
    share = found[:, 2] * found[:, 3] / 224**2
    np.testing.assert_allclose(share.mean(), 0.316, atol=0.012)
    np.testing.assert_allclose(share.std(), 0.161, atol=0.008)
    assert 0.99 < len(found) / 2500 < 1.0
    assert found[:, 2:].max() < 224


def test_a_block_that_never_fits_leaves_the_image_whole():
    images = np.ones((50, 8, 8, 1), "float32")
    whole = erase(images, 1, probability=1.0, area=(1.0, 1.0), aspect=(1.0, 1.0))
    np.testing.assert_array_equal(whole, images)


@pytest.mark.parametrize("probability, low, high", [(0.0, 0, 0), (0.5, 0.47, 0.53), (1.0, 1, 1)])
def test_images_are_erased_with_the_probability_asked_for(probability, low, high):
    images = np.ones((3000, 12, 12, 1), "uint8")
    erased = (erase(images, 5, probability=probability).numpy() == 0).any(axis=(1, 2, 3))
    assert low <= erased.mean() <= high


def test_height_and_width_of_an_oblong_image_are_told_apart():
    images = np.ones((200, 30, 10, 1), "uint8")
    erased = erase(images, 2, 1.0, area=(0.3, 0.3), aspect=(4.0, 4.0)).numpy() == 0
    heights, widths = erased.any(axis=2).sum(axis=1), erased.any(axis=1).sum(axis=1)
    # sqrt(0.3 * 300 * 4) = 18.97 and sqrt(0.3 * 300 / 4) = 4.74
    assert set(heights.ravel()) == {19}
    assert set(widths.ravel()) == {5}


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16", "float32", "bfloat16"])
def test_the_dtype_is_kept_and_what_is_not_erased_stays(dtype):
    images = tf.cast(np.random.default_rng(0).integers(1, 200, (20, 12, 12, 3)), dtype)
    erased = erase(images, 1, probability=1.0)
    assert erased.dtype == images.dtype
    before, after = tf.cast(images, "float32").numpy(), tf.cast(erased, "float32").numpy()
    assert ((after == before) | (after == 0)).all()
    assert (after == 0).any(axis=(1, 2, 3)).all()


def test_the_fill_is_one_value_or_one_a_channel():
    images = np.ones((8, 12, 12, 3), "float32")
    erased = erase(images, 1, probability=1.0, fill=[5.0, 6.5, 7.0]).numpy()
    inside = erased[..., 0] != 1.0
    assert inside.any()
    np.testing.assert_array_equal(
        erased[inside], np.broadcast_to([5.0, 6.5, 7.0], (inside.sum(), 3))
    )
    assert set(erase(images, 1, probability=1.0, fill=9.0).numpy().ravel()) == {1.0, 9.0}


def test_an_integer_a_pair_and_a_generator_are_seeds_and_images_in_a_batch_differ():
    images = np.ones((6, 24, 24, 1), "uint8")

    def drawn(seed):
        return erase(images, seed, probability=1.0).numpy()

    np.testing.assert_array_equal(drawn(7), drawn(7))
    np.testing.assert_array_equal(drawn((7, 1)), drawn((7, 1)))
    different = [drawn(7), drawn(8), drawn((7, 1)), drawn((1, 7)), drawn(-7), drawn(2**40)]
    different.append(drawn(keras.random.SeedGenerator(7)))
    assert len({array.tobytes() for array in different}) == len(different)
    assert len({image.tobytes() for image in drawn(7)}) > 1
    generator = keras.random.SeedGenerator(3)
    assert drawn(generator).tobytes() != drawn(generator).tobytes()


def test_a_key_a_row_decides_each_image_wherever_it_stands():
    keys = np.array([[1, 10], [1, 11], [1, 12], [1, 13]])
    images = np.ones((4, 24, 24, 1), "uint8")
    order = np.array([2, 0, 3, 1])
    drawn = erase(images, keys, probability=1.0).numpy()
    np.testing.assert_array_equal(erase(images, keys[order], probability=1.0), drawn[order])
    np.testing.assert_array_equal(erase(images[:1], keys[2:3], probability=1.0), drawn[2:3])


def test_a_graph_and_xla_erase_what_eager_code_does():
    images = np.random.default_rng(0).integers(1, 255, (16, 24, 24, 3)).astype("uint8")
    keys = tf.constant(np.random.default_rng(1).integers(0, 2**31, (16, 4)), tf.int32)
    eager = erase(images, keys).numpy()
    for compiled in (False, True):
        function = tf.function(erase, jit_compile=compiled)
        np.testing.assert_array_equal(function(tf.constant(images), keys), eager)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"probability": 1.5}, "probability must be in"),
        ({"probability": float("nan")}, "probability must be in"),
        ({"area": (0.5, 0.2)}, "area must be"),
        ({"area": (-0.1, 0.2)}, "area must be"),
        ({"area": (0.1, 1.2)}, "area must be"),
        ({"aspect": (0.0, 1.0)}, "aspect must be"),
        ({"aspect": (3.0, 1.0)}, "aspect must be"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        erase(np.ones((1, 8, 8, 1)), 0, **settings)


@pytest.mark.parametrize("rows", [1, 3])
def test_keys_for_another_number_of_images_are_refused(rows):
    with pytest.raises(ValueError, match="one key row an image"):
        erase(np.ones((4, 8, 8, 1)), np.zeros((rows, 2), "int32"))


def test_a_number_an_image_is_a_key_an_image():
    images = np.ones((6, 20, 20, 1), "float32")
    keys = np.arange(6)
    erased = np.array(erase(images, keys, 1.0))
    np.testing.assert_array_equal(erased, np.array(erase(images, keys[:, None], 1.0)))
    np.testing.assert_array_equal(erased[::-1], np.array(erase(images, keys[::-1].copy(), 1.0)))
    with pytest.raises(ValueError, match="seed must be given"):
        erase(images, None)


def test_images_of_a_size_known_only_when_it_runs_are_erased_alike():
    images = np.ones((3, 20, 24, 1), "float32")

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 1))])
    def blind(pixels):
        return erase(pixels, 5, 1.0)

    np.testing.assert_array_equal(blind(images).numpy(), np.array(erase(images, 5, 1.0)))

"""Strong and weak views: what they change, what decides them, what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from eactf.nn.counter_random import uniform
from eactf.nn.cropping import random_crop
from eactf.nn.rand_augment import apply_operations, drawn_operations
from eactf.nn.strong_augmentation import random_strong, weak_view


def some_images(count=12, height=20, width=24, channels=3):
    numbers = np.random.default_rng(0)
    return numbers.integers(0, 256, (count, height, width, channels)).astype("float32")


def some_keys(count, seed=1):
    return np.random.default_rng(seed).integers(0, 2**31, (count, 4)).astype("int32")


def test_operations_follow_each_other_as_drawn_and_more_of_them_keep_the_first():
    images, keys = some_images(), some_keys(12)
    draws = uniform(keys, 9)
    expected = images
    for count in (1, 2, 3):
        expected = apply_operations(expected, *drawn_operations(draws[:, 1 + 2 * count :][:, :2]))
        found = random_strong(images, keys, operations=count, cutout=False)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("channels, fill", [(3, (125, 123, 114)), (1, (123,))])
def test_cutout_fills_a_square_that_ends_at_the_border(channels, fill):
    black, keys = np.zeros((4000, 20, 20, channels), "uint8"), some_keys(4000)
    made = random_strong(black, keys, operations=0).numpy()
    filled = (made == fill).all(axis=-1)
    assert ((made == 0).all(axis=-1) | filled).all()
    rows, columns = filled.any(axis=2).sum(axis=1), filled.any(axis=1).sum(axis=1)
    np.testing.assert_array_equal(filled.sum(axis=(1, 2)), rows * columns)
    assert rows.max() == columns.max() == 10
    side, row, column = uniform(keys, 3).numpy().T
    for image in range(50):
        low = np.array([row[image], column[image]]) * 20 - side[image] * 5
        inside = [(place + 0.5 > low) & (place + 0.5 < low + side[image] * 10) for place in [0, 19]]
        np.testing.assert_array_equal(filled[image, 0].any(), inside[0][0] and columns[image] > 0)
        np.testing.assert_array_equal(filled[image, :, 19].any(), inside[1][1] and rows[image] > 0)


def test_the_square_has_every_side_up_to_half_the_width_as_often_anywhere():
    wide = np.zeros((4000, 40, 80, 1), "float32")
    filled = random_strong(wide, some_keys(4000), operations=0).numpy()[..., 0] > 0
    whole = filled[:, 0].any(1) | filled[:, -1].any(1) | filled[:, :, 0].any(1)
    whole = ~(whole | filled[:, :, -1].any(1))
    assert filled.any(axis=2).sum(axis=1)[whole].max() > 35  # of 40
    # A pixel in the middle is covered by side^2 of all 40 x 80 centres; the side is U(0, 40).
    assert filled[:, 20, 40].mean() == pytest.approx(1600 / 3 / 3200, abs=0.03)


def test_no_operation_and_no_cutout_only_rounds_to_whole_levels():
    images = some_images() + 0.25
    found = random_strong(images, 3, operations=0, cutout=False)
    np.testing.assert_array_equal(found, np.round(images))


def test_values_stay_whole_levels_and_nearly_all_images_change():
    images = some_images(200)
    strong = random_strong(images, some_keys(200)).numpy()
    assert strong.dtype == "float32"
    assert strong.min() >= 0
    assert strong.max() <= 255
    np.testing.assert_array_equal(strong, np.floor(strong))
    assert (strong != images).any(axis=(1, 2, 3)).mean() > 0.95


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16", "bfloat16"])
def test_the_dtype_is_kept_and_changes_nothing_else(dtype):
    images, keys = some_images(), some_keys(12)
    strong = random_strong(tf.cast(images, dtype), keys)
    assert strong.dtype == dtype
    np.testing.assert_array_equal(tf.cast(strong, "float32"), random_strong(images, keys))


@pytest.mark.parametrize(
    "view", [random_strong, lambda images, seed: weak_view(images, seed, 3)], ids=["strong", "weak"]
)
def test_a_key_a_row_decides_each_view_wherever_it_stands(view):
    images, keys = some_images(6), some_keys(6)
    order = np.array([2, 0, 5, 3, 1, 4])
    drawn = view(images, keys).numpy()
    np.testing.assert_array_equal(view(images[order], keys[order]), drawn[order])
    np.testing.assert_array_equal(view(images[4:5], keys[4:5]), drawn[4:5])
    assert (view(images, some_keys(6, seed=2)).numpy() != drawn).any()


@pytest.mark.parametrize("compiled", [False, True])
def test_a_graph_and_xla_draw_what_eager_code_does(compiled):
    images, keys = tf.constant(some_images(30)), tf.constant(some_keys(30))
    strong = tf.function(random_strong, jit_compile=compiled)(images, keys).numpy()
    # XLA joins a product and a sum: a level or a pixel may fall to the other side.
    differ = strong != random_strong(images, keys).numpy()
    assert differ.mean() < (0.002 if compiled else 1e-12)
    weak = tf.function(weak_view, jit_compile=compiled)(images, keys, 3)
    np.testing.assert_array_equal(weak, weak_view(images, keys, 3))


def test_shapes_known_only_when_it_runs_are_taken_alike():
    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3))])
    def blind(pixels):
        return random_strong(pixels, 5)

    images = some_images()
    for count in (12, 5):
        np.testing.assert_array_equal(blind(images[:count]), random_strong(images[:count], 5))
    assert blind(images[:0]).shape == (0, 20, 24, 3)


def test_half_of_the_weak_views_are_cropped_and_half_of_them_mirrored_apart():
    images, keys = some_images(1000, 6, 8, 1), some_keys(1000)
    views = weak_view(images, keys, 2, fill=7.0).numpy()
    crops = random_crop(images, keys, 2, 7.0).numpy()
    kinds = np.stack([images, crops, images[:, :, ::-1], crops[:, :, ::-1]])
    is_kind = (kinds == views).all(axis=(2, 3, 4))
    assert is_kind.any(axis=0).all()
    # A crop in the middle is the image: one of 25.
    np.testing.assert_allclose(is_kind.mean(axis=1), [0.26, 0.26, 0.26, 0.26], atol=0.05)


def test_a_weak_view_without_padding_is_mirrored_at_most():
    images, keys = some_images(40), some_keys(40)
    views = weak_view(images, keys, 0).numpy()
    mirrored = (views == images[:, :, ::-1]).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(views[~mirrored], images[~mirrored])
    assert 10 < mirrored.sum() < 30
    whole = weak_view(images, keys, 0, flip_probability=0.0)
    np.testing.assert_array_equal(whole, images)


@pytest.mark.parametrize("operations", [-1, 2.0, True, None], ids=str)
def test_a_number_of_operations_that_is_none_is_refused(operations):
    with pytest.raises(ValueError, match=f"operations must be.*received {operations!r}"):
        random_strong(some_images(), 0, operations)


@pytest.mark.parametrize("shape", [(2, 8, 8, 4), (2, 8, 8)], ids=str)
def test_images_that_are_neither_grey_nor_rgb_are_refused(shape):
    with pytest.raises(ValueError, match="images must be grey or RGB"):
        random_strong(np.zeros(shape, "float32"), 0)

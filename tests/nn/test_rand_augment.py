"""Every operation against Pillow's of that name, on images that differ from each other."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops
from PIL import Image, ImageEnhance, ImageOps

from eactf.nn import affine
from eactf.nn.rand_augment import OPERATIONS, apply_operations, drawn_operations

NAMES = [operation.name for operation in OPERATIONS]


def some_images(count=8, height=24, width=32, channels=3):
    """Noise on a gradient, of another range of levels in each image; `(n, H, W, C)` float32."""
    numbers = np.random.default_rng(0)
    slope = np.linspace(0, 60, width)[None, None, :, None]
    images = numbers.integers(0, 120, (count, height, width, channels)) + slope
    return np.floor(images + 10 * np.arange(count)[:, None, None, None]).clip(0, 255).astype("f4")


def magnitudes_of(name, count=8):
    operation = OPERATIONS[NAMES.index(name)]
    return np.linspace(operation.low, operation.high, count).astype("float32")


def affine_in_pillow(image, *matrix, resample=Image.Resampling.NEAREST):
    return image.transform(image.size, Image.Transform.AFFINE, matrix, resample)


IN_PILLOW = {
    "auto_contrast": lambda image, _: ImageOps.autocontrast(image),
    "brightness": lambda image, m: ImageEnhance.Brightness(image).enhance(m),
    "color": lambda image, m: ImageEnhance.Color(image).enhance(m),
    "contrast": lambda image, m: ImageEnhance.Contrast(image).enhance(m),
    "equalize": lambda image, _: ImageOps.equalize(image),
    "identity": lambda image, _: image,
    "posterize": lambda image, m: ImageOps.posterize(image, int(m)),
    "rotate": lambda image, m: image.rotate(m),
    "sharpness": lambda image, m: ImageEnhance.Sharpness(image).enhance(m),
    "shear_x": lambda image, m: affine_in_pillow(image, 1, m, 0, 0, 1, 0),
    "shear_y": lambda image, m: affine_in_pillow(image, 1, 0, 0, m, 1, 0),
    "solarize": lambda image, m: ImageOps.solarize(image, m),
    "translate_x": lambda image, m: affine_in_pillow(image, 1, 0, m * image.width, 0, 1, 0),
    "translate_y": lambda image, m: affine_in_pillow(image, 1, 0, 0, 0, 1, m * image.height),
}


def in_pillow(images, names, magnitudes):
    made = []
    for pixels, name, magnitude in zip(images, names, magnitudes, strict=True):
        grey = pixels.shape[-1] == 1
        image = Image.fromarray((pixels[..., 0] if grey else pixels).astype("uint8"))
        made.append(np.asarray(IN_PILLOW[name](image, float(magnitude)), "float32"))
    return np.stack(made).reshape(images.shape)


def here(images, names, magnitudes):
    places = np.array([NAMES.index(name) for name in names], "int32")
    return apply_operations(images, places, magnitudes).numpy()


def refuse_a_difference(name, found, expected):
    if name in ("rotate", "shear_x", "shear_y", "translate_x", "translate_y"):
        # A source on the border of two pixels may fall to either side in float32.
        assert (found != expected).mean() < 0.003, name
    else:
        # Pillow's autocontrast truncates what float64 leaves below a whole number.
        np.testing.assert_allclose(found, expected, atol=1.0 if name == "auto_contrast" else 0.0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_an_operation_is_the_one_of_pillow(name, channels):
    images, magnitudes = some_images(channels=channels), magnitudes_of(name)
    found = here(images, [name] * 8, magnitudes)
    expected = in_pillow(images, [name] * 8, magnitudes)
    refuse_a_difference(name, found, expected)
    changed = (found != images).any(axis=(1, 2, 3)).sum()
    changes_nothing = name == "identity" or (name, channels) == ("color", 1)
    assert changed == 0 if changes_nothing else changed >= 6


def test_each_image_of_a_batch_goes_through_its_own_operation():
    images = some_images(len(NAMES))
    magnitudes = np.array([magnitudes_of(name)[2] for name in NAMES])
    found, expected = here(images, NAMES, magnitudes), in_pillow(images, NAMES, magnitudes)
    for name, one, other in zip(NAMES, found, expected, strict=True):
        refuse_a_difference(name, one, other)
    alone = here(images[3:4], NAMES[3:4], magnitudes[3:4])
    np.testing.assert_array_equal(alone[0], found[3])


@pytest.mark.parametrize("name", ["auto_contrast", "equalize", "contrast", "sharpness"])
@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 5)], ids=str)
def test_images_of_one_level_or_hardly_any_pixels_are_as_in_pillow(name, shape):
    flat = np.full((1, *shape, 3), 77.0, "float32")
    few = some_images(1, *shape)
    images, magnitudes = np.concatenate([flat, few]), np.array([0.3, 0.7], "float32")
    found = here(images, [name] * 2, magnitudes)
    refuse_a_difference(name, found, in_pillow(images, [name] * 2, magnitudes))


def test_equalizing_few_levels_of_many_pixels_is_as_in_pillow():
    numbers = np.random.default_rng(3)
    levels = numbers.choice([0, 3, 200, 255], (4, 64, 64, 1), p=[0.6, 0.2, 0.15, 0.05])
    images = levels.astype("float32")
    expected = in_pillow(images, ["equalize"] * 4, np.zeros(4))
    np.testing.assert_array_equal(here(images, ["equalize"] * 4, np.zeros(4, "float32")), expected)


def test_a_turn_without_interpolation_is_near_the_interpolated_one():
    smooth = 127 + 120 * np.sin(np.linspace(0, 3, 64))[:, None] * np.cos(np.linspace(0, 3, 64))
    images = np.floor(smooth).astype("float32")[None, :, :, None]
    found = here(images, ["rotate"], np.array([20.0], "float32"))[0, 16:48, 16:48, 0]
    image = Image.fromarray(images[0, :, :, 0].astype("uint8"))
    between = np.asarray(image.rotate(20.0, Image.Resampling.BILINEAR), "float32")[16:48, 16:48]
    assert np.abs(found - between).max() <= 8  # the image changes by up to 6 levels a pixel


def test_what_comes_from_outside_is_filled():
    image = np.ones((1, 4, 4, 1), "uint8")
    shifted = affine.warp(image, affine.translation(np.float32([2]), np.float32([-1])), fill=9)
    assert shifted.dtype == "uint8"
    expected = [[9, 9, 9, 9], [1, 1, 9, 9], [1, 1, 9, 9], [1, 1, 9, 9]]
    np.testing.assert_array_equal(shifted[0, :, :, 0], expected)


def test_every_operation_is_as_likely_and_its_magnitude_uniform_in_its_range():
    draws = np.random.default_rng(0).random((28_000, 2)).astype("float32")
    places, magnitudes = (ops.convert_to_numpy(drawn) for drawn in drawn_operations(draws))
    counts = np.bincount(places, minlength=len(NAMES))
    assert np.abs(counts - 2000).max() < 5 * np.sqrt(2000)
    for place, operation in enumerate(OPERATIONS):
        shares = (magnitudes[places == place] - operation.low) / (operation.high - operation.low)
        assert 0.0 <= shares.min() < 0.01
        assert 0.99 < shares.max() <= 1.0
        assert shares.mean() == pytest.approx(0.5, abs=0.04)

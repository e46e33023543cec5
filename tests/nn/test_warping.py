import numpy as np
import pytest

from eactf.nn.counter_random import uniform
from eactf.nn.erasing import image_keys
from eactf.nn.warping import random_warp

AMOUNTS = {"rotation": 30.0, "shift": 3.0, "zoom": 0.2}


def _images() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (3, 12, 9, 2)).astype("float32")


def _by_hand(image: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """The same from its words: every pixel from where it was before turn, zoom and shift."""
    height, width, _ = image.shape
    angle, right, down, zoomed = 2.0 * draws - 1.0
    angle, factor = np.deg2rad(30.0 * angle), 1.0 + 0.2 * zoomed
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    turned_back = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = np.zeros_like(image)
    for y in range(height):
        for x in range(width):
            moved = np.array([x, y]) - centre - 3.0 * np.array([right, down])
            source = centre + turned_back @ moved / factor
            found[y, x] = _bilinear(image, *source)
    return found


def _bilinear(image: np.ndarray, x: float, y: float) -> np.ndarray:
    total = np.zeros(image.shape[2])
    for row in (int(np.floor(y)), int(np.floor(y)) + 1):
        for column in (int(np.floor(x)), int(np.floor(x)) + 1):
            if 0 <= row < image.shape[0] and 0 <= column < image.shape[1]:
                total += (1 - abs(y - row)) * (1 - abs(x - column)) * image[row, column]
    return total


def test_pixels_are_interpolated_from_where_they_were_before_turn_zoom_and_shift() -> None:
    images = _images()
    draws = np.asarray(uniform(image_keys(images, 5), 4), np.float64)
    expected = np.stack([_by_hand(image, draw) for image, draw in zip(images, draws, strict=True)])
    np.testing.assert_allclose(random_warp(images, 5, **AMOUNTS), expected, atol=0.05)


def test_no_amount_leaves_images_as_they_are() -> None:
    images = _images()
    np.testing.assert_array_equal(random_warp(images, 5), images)


def test_whole_numbers_stay_whole_numbers_and_what_lies_outside_is_black() -> None:
    warped = np.asarray(random_warp(np.full((8, 10, 10, 1), 200, "uint8"), 1, shift=6.0))
    assert warped.dtype == np.uint8
    assert warped.min() == 0
    assert warped.max() == 200


def test_images_are_drawn_for_apart_and_the_same_for_the_same_seed() -> None:
    images = np.repeat(_images()[:1], 3, axis=0)
    first, again = (np.asarray(random_warp(images, 3, **AMOUNTS)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first[0] - first[1]).max() > 1.0
    assert np.abs(first - np.asarray(random_warp(images, 4, **AMOUNTS))).max() > 1.0


@pytest.mark.parametrize("name, amount", [("rotation", -1.0), ("shift", np.inf), ("zoom", 1.0)])
def test_amounts_out_of_range_are_refused(name: str, amount: float) -> None:
    with pytest.raises(ValueError, match=name):
        random_warp(_images(), 0, **{name: amount})

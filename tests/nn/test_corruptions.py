"""Every augmentation of keras-cv that has a name, on grey and colour images."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from eactf.nn.corruptions import CORRUPTIONS, corruption

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3)).astype("uint8")


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_takes_grey_and_colour_in_0_to_255_and_changes_them(name):
    pytest.importorskip("keras_cv")
    keras.utils.set_random_seed(0)  # some of their draws follow the global seed
    corrupt = corruption([name], seed=1)
    for channels, dtype in ((1, "uint8"), (3, "uint8"), (1, "float32"), (3, "float32")):
        images = tf.cast(IMAGES[..., :channels], dtype)
        corrupted = tf.cast(corrupt(images), "float32").numpy()
        assert corrupted.shape == images.shape
        assert 0.0 <= corrupted.min() <= corrupted.max() <= 255.0
        assert corrupted.max() > 100.0  # still 0..255, not 0..1
        changed = np.abs(corrupted - IMAGES[..., :channels]).max()
        if channels == 3 or name not in ("Grayscale", "RandomColorDegeneration"):
            assert changed > 1.0
        else:
            assert changed < 1.0  # grey has no colour to lose


def test_several_are_applied_in_turn_and_draw_anew_at_every_call():
    pytest.importorskip("keras_cv")
    keras.utils.set_random_seed(0)
    corrupt = tf.function(corruption(["GridMask", "RandomGaussianBlur"], seed=1))
    images = tf.constant(IMAGES[..., :1].astype("float32"))
    first, second = corrupt(images).numpy(), corrupt(images).numpy()
    assert np.abs(first - second).max() > 1.0


def test_no_names_are_no_corruption_and_unknown_ones_are_refused_together():
    assert corruption([], seed=0) is None
    with pytest.raises(ValueError, match="unknown corruption Blur, Mask; expected AugMix"):
        corruption(["Blur", "GridMask", "Mask"], seed=0)


def test_without_keras_cv_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "keras_cv", None)
    with pytest.raises(ImportError, match=r"pip install 'eactf\[keras-cv\]'"):
        corruption(["GridMask"], seed=0)

"""The values that say what is done to training images: frozen, checked, kept by the methods."""

from __future__ import annotations

import dataclasses
import json

import keras
import numpy as np
import pytest

import eactf

ERASING = eactf.Erasing(probability=0.75, area=(0.1, 0.3), aspect=(0.5, 2.0), fill=(1.0, 2.0, 3.0))


@keras.saving.register_keras_serializable(package="test_views")
class Brighter(keras.layers.Layer):
    """A corruption that is a Keras layer."""

    def call(self, images):
        return images + 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"probability": 1.5},
        {"probability": float("nan")},
        {"area": (0.5, 0.1)},
        {"area": (0.1, 1.5)},
        {"aspect": (0.0, 1.0)},
    ],
    ids=str,
)
def test_an_erasing_out_of_range_is_refused_when_it_is_made(wrong):
    with pytest.raises(ValueError, match="must be"):
        eactf.Erasing(**wrong)


@pytest.mark.parametrize("wrong", [{"crop_padding": -1}, {"pixel_noise": 1.5}], ids=str)
def test_views_out_of_range_are_refused_when_they_are_made(wrong):
    with pytest.raises(ValueError, match="must be"):
        eactf.Views(**wrong)


def test_the_values_do_not_change_and_hold_nothing_that_does():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ERASING.probability = 0.0
    listed = eactf.Erasing(area=[0.1, 0.3], fill=[1.0, 2.0, 3.0])
    assert (listed.area, listed.fill) == ((0.1, 0.3), (1.0, 2.0, 3.0))
    assert len({ERASING, dataclasses.replace(ERASING), eactf.Erasing()}) == 2


@pytest.mark.parametrize("value", [ERASING, eactf.Erasing(), eactf.Views(crop_padding=3)], ids=str)
def test_a_value_comes_back_from_the_text_that_keras_writes_of_it(value):
    written = json.dumps(keras.saving.serialize_keras_object(value))
    assert keras.saving.deserialize_keras_object(json.loads(written)) == value


@pytest.mark.parametrize(
    "method, settings",
    [
        (eactf.EAC, {"erasing": ERASING}),
        (eactf.CrossEntropy, {"erasing": ERASING}),
        (eactf.SCN, {"erasing": ERASING, "relabel_epoch": None}),
        (eactf.RUL, {"erasing": ERASING, "embedding": 4}),
        (eactf.DivideMix, {"erasing": ERASING}),
        (eactf.TwoNetworks, {"erasing": ERASING}),
        (eactf.CoTeaching, {"erasing": ERASING}),
        (eactf.AttentionConsistency, {}),
    ],
)
def test_a_method_comes_back_from_its_file_with_its_views(
    tiny_classifier, tmp_path, method, settings
):
    views = eactf.Views(corruption=Brighter(), crop_padding=1)
    model = method(tiny_classifier(size=8, channels=3), augmentation=views, **settings)
    model.compile(optimizer=eactf.optimizers.SGD(0.01))
    model.save(tmp_path / "method.keras")
    again = keras.models.load_model(tmp_path / "method.keras")
    assert getattr(again, "erasing", None) == settings.get("erasing")
    assert again.augmentation.crop_padding == 1
    images = np.random.default_rng(0).uniform(0, 250, (6, 8, 8, 3)).astype("float32")
    one, other = (
        keras.tree.flatten(getattr(each, "drawn", each.make_views)(images))
        for each in (model, again)
    )
    for view, same in zip(one, other, strict=True):
        np.testing.assert_array_equal(view, same)


def test_attention_consistency_refuses_noise_that_it_would_leave_out(tiny_classifier):
    with pytest.raises(ValueError, match="puts no noise on pixels"):
        eactf.AttentionConsistency(tiny_classifier(), augmentation=eactf.Views(pixel_noise=0.1))

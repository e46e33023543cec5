"""Foreign backbones: built offline, opened, trained a step."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import eactf


def one_step(classifier, images, labels):
    model = eactf.EAC(classifier)
    model.compile(optimizer=eactf.optimizers.SGD(0.01))
    before = [variable.numpy() for variable in model.trainable_variables]
    logs = model.train_step((images, labels))
    assert np.isfinite(float(logs["loss"]))
    moved = [
        (variable.numpy() != value).any()
        for variable, value in zip(model.trainable_variables, before, strict=True)
    ]
    assert np.mean(moved) > 0.9
    return model


def test_a_model_of_keras_applications_trains_a_step(faces):
    # Seeded: with some initial weights this network blows rounding up to 1e-2.
    keras.utils.set_random_seed(0)
    classifier = eactf.build_classifier(
        "keras_applications:MobileNetV2", image_size=64, channels=1, classes=3
    )
    model = one_step(classifier, *faces(2, size=64))
    assert model.map_size == (2, 2)
    images, _ = faces(2, size=64, seed=1)
    np.testing.assert_allclose(model(images).numpy(), classifier(images).numpy(), atol=1e-4)


def test_models_that_would_rescale_pixels_do_not_do_so_twice():
    classifier = eactf.build_classifier(
        "keras.applications:MobileNetV3Small", image_size=32, classes=3
    )
    kinds = [type(layer) for layer in classifier.layers[2]._flatten_layers()]
    assert keras.layers.Rescaling not in kinds


def test_models_that_always_rescale_pixels_still_see_them_normalised_once(faces):
    classifier = eactf.build_classifier(
        "keras_applications:EfficientNetB0", image_size=64, channels=3, classes=3
    )
    (inner,) = [layer for layer in classifier.layers if isinstance(layer, keras.Model)]
    first = next(layer for layer in inner.layers if isinstance(layer, keras.layers.ZeroPadding2D))
    images, _ = faces(2, size=64, channels=3)
    given = keras.Model(classifier.input, classifier.layers[1].output)(images).numpy()
    before = classifier.layers[classifier.layers.index(inner) - 1].output
    seen = keras.Model(inner.input, first.input)(keras.Model(classifier.input, before)(images))
    np.testing.assert_allclose(seen, given, atol=1e-4)


@pytest.mark.parametrize(
    "name, size, expected",
    [
        *(("resnet18", 224, 7), ("resnet50", 100, 4), ("resnet34", 33, 2)),
        *(("keras_applications:MobileNet", 224, 7), ("keras_applications:MobileNet", 97, 3)),
    ],
)
def test_the_last_map_is_reached_and_its_size_told_at_any_image_size(name, size, expected):
    classifier = eactf.build_classifier(name, image_size=size, channels=1, classes=3)
    assert eactf.CrossEntropy(classifier).map_size == (expected, expected)


@pytest.mark.parametrize("name", ["DenseNetBackbone", "MobileNetV3SmallBackbone"])
def test_models_of_keras_cv_that_need_settings_or_a_network_are_refused(name):
    pytest.importorskip("keras_cv")
    with pytest.raises(ValueError, match=name):
        eactf.build_classifier(f"keras_cv:{name}", image_size=32, classes=3)


def test_a_residual_network_of_keras_cv_is_built_offline_and_trains_a_step(faces):
    pytest.importorskip("keras_cv")
    classifier = eactf.build_classifier(
        "keras_cv:ResNet18", image_size=64, channels=1, classes=3, dtype="mixed_bfloat16"
    )
    assert keras.config.dtype_policy().name == "float32"
    one_step(classifier, *faces(2, size=64))
    parameters = sum(int(np.prod(v.shape)) for v in classifier.trainable_variables)
    # The reference's, with one input channel, and a head of three classes.
    assert parameters == 11_176_512 - 2 * 49 * 64 + 512 * 3 + 3


@pytest.mark.parametrize(
    "name, message",
    [
        ("resnet19", "unknown backbone 'resnet19'; expected resnet10"),
        ("keras_applications:", "unknown backbone"),
        ("torch:resnet18", "unknown backbone"),
        ("keras_applications:NoNet", "has no model 'NoNet'"),
        ("keras_applications:resnet", "has no model 'resnet'"),
    ],
)
def test_an_unknown_name_is_refused(name, message):
    with pytest.raises(ValueError, match=message):
        eactf.build_classifier(name, image_size=32, classes=3)


def test_an_unknown_name_of_keras_cv_is_refused_with_those_that_are_known():
    pytest.importorskip("keras_cv")
    with pytest.raises(ValueError, match=r"no 'NoNet'.*by short name: ResNet18"):
        eactf.build_classifier("keras_cv:NoNet", image_size=32, classes=3)


def test_without_keras_cv_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "keras_cv", None)
    with pytest.raises(ImportError, match=r"pip install 'eactf\[keras-cv\]'"):
        eactf.build_classifier("keras_cv:ResNet18", image_size=32, classes=3)

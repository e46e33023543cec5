"""The plain classifier: what it is, how a method looks into one, that it opens with Keras alone."""

from __future__ import annotations

import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers

import eactf
from eactf.nn.classifier import IMAGENET_MEAN, IMAGENET_STD, open_classifier
from eactf.nn.normalization import FusedBatchNormalization
from eactf.nn.pixels import mean_pixel

RNG = np.random.default_rng(0)

KERAS_ALONE = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("eactf", "keras_cv"):
            raise ImportError("blocked: " + name)

sys.meta_path.insert(0, Block())
import keras
import numpy as np

model = keras.models.load_model("model.keras")
assert "eactf" not in sys.modules
np.save("logits.npy", model.predict(np.load("images.npy"), verbose=0))
"""


def small(**settings):
    defaults = {"image_size": 16, "channels": 1, "classes": 3, "width": 4, "stem": "small"}
    return eactf.build_classifier("resnet10", **{**defaults, **settings})


def random_statistics(model):
    for variable in model.weights:
        if variable.name in ("moving_mean", "moving_variance", "gamma", "beta"):
            variable.assign(RNG.uniform(0.5, 1.5, variable.shape))


def test_a_trained_classifier_opens_with_keras_alone_and_predicts_the_same(tmp_path, faces):
    classifier = small()
    model = eactf.EAC(classifier)
    model.compile(optimizer=eactf.optimizers.SGD(0.01))
    images, labels = faces(4, size=16)
    model.fit(images, labels, batch_size=4, verbose=0)
    classifier.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images)
    # -I: no PYTHONPATH, no working directory in the path.
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", KERAS_ALONE],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    here = classifier.predict(images, verbose=0)
    np.testing.assert_allclose(np.load(tmp_path / "logits.npy"), here, atol=1e-6)
    np.testing.assert_allclose(model.predict(images, verbose=0), here, atol=1e-5)
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(eactf.EAC(again).predict(images, verbose=0), here, atol=1e-5)


def test_pixels_lose_the_mean_and_are_divided_by_the_deviation():
    pixels = np.full((1, 16, 16, 3), 200, np.uint8)
    grey = small(channels=1).get_layer("normalization")(pixels[..., :1])
    mean, deviation = np.mean(IMAGENET_MEAN), np.mean(IMAGENET_STD)
    np.testing.assert_allclose(grey, (200 - mean) / deviation, rtol=1e-5)
    colour = small(channels=3).get_layer("normalization")(pixels)
    expected = (200 - np.array(IMAGENET_MEAN)) / IMAGENET_STD
    np.testing.assert_allclose(colour[0, 0, 0], expected, rtol=1e-5)
    own = small(channels=3, mean=[1, 2, 3], std=10.0).get_layer("normalization")(pixels)
    np.testing.assert_allclose(own[0, 0, 0], (200 - np.array([1, 2, 3])) / 10, rtol=1e-5)


def test_the_mean_pixel_is_what_the_normalisation_takes_away():
    np.testing.assert_allclose(mean_pixel(small(channels=3)), IMAGENET_MEAN, rtol=1e-6)
    inputs = keras.Input((4, 4, 1))
    assert mean_pixel(keras.Model(inputs, layers.ReLU()(inputs))) == 0.0


def test_the_head_starts_uniform_within_one_over_root_of_the_features():
    head = eactf.build_classifier(
        "resnet10", image_size=16, channels=1, classes=100, width=8, stem="small", seed=1
    ).get_layer("logits")
    bound = 64**-0.5
    for values in (head.kernel.numpy(), head.bias.numpy()):
        assert 0.9 * bound < np.abs(values).max() <= bound
        np.testing.assert_allclose(values.std(), bound / np.sqrt(3), rtol=0.15)


def test_the_seed_fixes_every_weight():
    first, same, other = (
        [variable.numpy() for variable in small(seed=seed).trainable_variables]
        for seed in (1, 1, 2)
    )
    assert all((one == two).all() for one, two in zip(first, same, strict=True))
    assert not (first[0] == other[0]).all()


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_low_precision_stays_out_of_the_pixels_and_the_logits(dtype):
    model = small(dtype=dtype)
    assert model.get_layer("stem_conv").compute_dtype == dtype.removeprefix("mixed_")
    assert model.get_layer("normalization").compute_dtype == "float32"
    assert model.get_layer("logits").compute_dtype == "float32"
    assert all(variable.dtype == "float32" for variable in model.trainable_variables)
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"image_size": 0}, "image_size=0"),
        ({"channels": 0}, "channels=0"),
        ({"classes": 0}, "classes=0"),
        ({"stem": "none"}, "stem='none'"),
    ],
)
def test_sizes_that_make_no_network_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        small(**settings)


@pytest.mark.parametrize("fused", [True, False])
def test_the_opened_network_gives_the_last_map_and_the_classifiers_own_logits(fused, faces):
    classifier = small(synchronized=fused)
    random_statistics(classifier)
    opened = open_classifier(classifier, fused=fused)
    images, _ = faces(3, size=16)
    features, logits = (output.numpy() for output in opened.network(images))
    np.testing.assert_allclose(logits, classifier(images).numpy(), atol=1e-5)
    assert opened.map_size == (2, 2)
    assert features.shape == (3, 2, 2, 32)
    assert features.min() >= 0.0
    kernel, bias = (variable.numpy() for variable in opened.head.trainable_variables)
    maps = eactf.losses.class_activation_maps(features, kernel).numpy()
    np.testing.assert_allclose(maps.mean(axis=(1, 2)) + bias, logits, atol=1e-5)
    kinds = [type(layer) for layer in opened.network.layers]
    assert (FusedBatchNormalization in kinds) is fused
    assert (layers.BatchNormalization in kinds) is not fused
    assert {id(v) for v in opened.network.variables} == {id(v) for v in classifier.variables}


def test_the_classifier_itself_keeps_keras_own_layers():
    classifier = small()
    before = classifier.to_json()
    open_classifier(classifier)
    assert classifier.to_json() == before
    assert not any(isinstance(layer, FusedBatchNormalization) for layer in classifier.layers)


def test_a_users_own_model_with_dropout_and_a_frozen_nested_backbone_opens(faces):
    keras.utils.set_random_seed(0)  # some weights and dropouts leave the head nothing to learn from
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, name="conv")(inputs)
    backbone = keras.Model(inputs, layers.BatchNormalization(name="norm")(x), name="backbone")
    backbone.get_layer("norm").moving_mean.assign(RNG.normal(size=4))
    backbone.trainable = False
    outer = keras.Input((8, 8, 1))
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(backbone(outer)))
    x = layers.Dropout(0.5)(layers.Dropout(0.5)(x))
    classifier = keras.Model(outer, layers.Dense(3)(x))
    opened = open_classifier(classifier)
    images, _ = faces(5, size=8)
    expected = classifier(images, training=False).numpy()
    np.testing.assert_allclose(opened.network(images)[1].numpy(), expected, rtol=1e-5)
    # The backbone is frozen: its statistics stand, whatever the mode.
    features, logits = opened.network(images, training=True)
    np.testing.assert_allclose(features, opened.network(images)[0], rtol=1e-5)
    assert np.abs(logits.numpy() - expected).max() > 1e-3  # the dropout works
    model = eactf.EAC(classifier)
    model.compile(optimizer=eactf.optimizers.SGD(0.1))
    before = [variable.numpy() for variable in backbone.variables]
    head = classifier.layers[-1].kernel.numpy()
    model.train_step((images, np.array([0, 1, 2, 0, 1])))
    for variable, value in zip(backbone.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    assert (classifier.layers[-1].kernel.numpy() != head).any()


def ending(make):
    inputs = keras.Input((8, 8, 1))
    return keras.Model(inputs, make(layers.Conv2D(4, 3)(inputs)))


def pooled(x, **settings):
    return layers.GlobalAveragePooling2D(**settings)(x)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: "resnet18", "received str"),
        (lambda: keras.Sequential([layers.Dense(3)]), "functional Keras model.*Sequential"),
        (lambda: ending(lambda x: layers.Dense(3)(layers.Flatten()(x))), "Flatten"),
        (lambda: ending(lambda x: layers.Dense(3, "softmax", name="out")(pooled(x))), "'softmax'"),
        (lambda: ending(lambda x: layers.Softmax()(layers.Dense(3)(pooled(x)))), "Softmax"),
        (lambda: ending(lambda x: layers.Dense(3)(layers.Dense(4)(pooled(x)))), "stands 'dense"),
        (lambda: ending(lambda x: layers.Dense(3)(pooled(x, keepdims=True))), "keepdims=True"),
        (lambda: ending(lambda x: [layers.Dense(3)(pooled(x)), pooled(x)]), "one output"),
    ],
    ids=["text", "sequential", "flatten", "softmax", "softmax-layer", "dense", "keepdims", "two"],
)
def test_models_that_end_otherwise_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        open_classifier(make())

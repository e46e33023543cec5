"""The head on features of unit length: what it computes, what it shares, that its file is plain."""

from __future__ import annotations

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from eactf.nn.classifier import build_classifier, open_classifier
from eactf.nn.dropout import drop
from eactf.nn.normalized_head import normalized_head, unit_length

OPEN_WITH_KERAS_ALONE = """
import sys
import numpy as np
import keras

model = keras.models.load_model("model.keras")
np.save("after.npy", model.predict(np.load("images.npy"), verbose=0))
assert not [name for name in sys.modules if name.partition(".")[0] == "eactf"]
"""


def some_keys(count, seed=1):
    return np.random.default_rng(seed).integers(0, 2**31, (count, 4)).astype("int32")


@pytest.mark.parametrize("scale", [None, 8.0])
def test_logits_are_the_dense_layer_of_scaled_unit_features(tiny_classifier, faces, scale):
    plain = tiny_classifier(filters=5)
    made = normalized_head(plain, scale=scale, seed=0)
    images, _ = faces(4)
    pooled = open_classifier(plain).network(images)[0].numpy().mean(axis=(1, 2))
    unit = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
    kernel, bias = made.head.get_weights()
    expected = unit * (scale or 1.0) @ kernel + bias
    np.testing.assert_allclose(made.classifier(images), expected, atol=1e-5)
    np.testing.assert_allclose(made.network(images), pooled, atol=1e-5)
    logits, features = made.train(pooled, some_keys(4), rate=0.0)
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    np.testing.assert_allclose(features, unit, atol=1e-5)


def test_training_drops_before_it_normalises(tiny_classifier, faces):
    made = normalized_head(tiny_classifier(filters=6), seed=0)
    keys, (images, _) = some_keys(4), faces(4)
    pooled = made.network(images, training=True)
    logits, features = made.train(pooled, keys)
    dropped = drop(pooled, keys, 0.5).numpy()
    lengths = np.linalg.norm(dropped, axis=1, keepdims=True)
    expected = np.divide(dropped, lengths, where=lengths > 0, out=np.zeros_like(dropped))
    np.testing.assert_allclose(features, expected, atol=1e-6)
    np.testing.assert_allclose(logits, made.head(expected), atol=1e-6)


def test_the_backbone_is_the_classifiers_own_and_only_the_dense_layer_is_new(tiny_classifier):
    plain = tiny_classifier()
    made = normalized_head(plain)
    own, new = ({id(v) for v in model.variables} for model in (plain, made.classifier))
    assert len(own & new) == len(own) - 2
    assert new - own == {id(made.head.kernel), id(made.head.bias)}
    assert {id(v) for v in made.network.variables} == own & new
    assert made.map_size == (4, 4)
    assert made.classifier.name == plain.name


def test_the_dense_layer_starts_uniform_and_is_drawn_from_the_seed():
    plain = build_classifier("resnet10", image_size=32, channels=1, classes=7, width=16, seed=3)
    kernel, bias = normalized_head(plain, seed=5).head.get_weights()
    bound = kernel.shape[0] ** -0.5
    assert bound * 0.98 < np.abs(kernel).max() <= bound
    assert 0 < np.abs(bias).max() <= bound
    assert kernel.std() == pytest.approx(bound / np.sqrt(3), rel=0.1)
    again = normalized_head(plain, seed=5).head
    np.testing.assert_array_equal(again.kernel, kernel)
    assert (normalized_head(plain, seed=6).head.kernel.numpy() != kernel).any()


@pytest.mark.parametrize("scale", [None, 8.0])
def test_the_file_opens_with_keras_alone(tmp_path, faces, scale):
    plain = build_classifier("resnet10", image_size=32, channels=1, classes=3, width=4, seed=0)
    made = normalized_head(plain, scale=scale, seed=0).classifier
    images, _ = faces(4, size=32)
    made.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", images)
    command = [sys.executable, "-c", OPEN_WITH_KERAS_ALONE]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    expected = made.predict(images, verbose=0)
    np.testing.assert_allclose(np.load(tmp_path / "after.npy"), expected, atol=1e-5)


def test_a_low_precision_backbone_leaves_the_head_in_float32(faces):
    plain = build_classifier(
        "resnet10", image_size=32, channels=1, classes=3, width=4, dtype="mixed_bfloat16"
    )
    made = normalized_head(plain)
    pooled = made.network(faces(2, size=32)[0], training=True)
    logits, features = made.train(pooled, some_keys(2))
    assert pooled.dtype == logits.dtype == features.dtype == "float32"


def test_unit_length_is_that_of_keras_and_gives_a_row_of_noughts_no_gradient():
    features = np.random.default_rng(0).normal(size=(5, 8)).astype("float32")
    features[1] = 0.0
    features[2] *= 1e-9
    expected = keras.layers.UnitNormalization()(features)
    np.testing.assert_allclose(unit_length(features), expected, atol=1e-6)
    x = tf.constant(features)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(unit_length(x)[:, 0])
    gradient = tape.gradient(loss, x).numpy()
    assert np.isfinite(gradient).all()
    assert (gradient[1] == 0).all()
    # Of a unit vector's first number: (1 - u0^2, -u0 u1, ...) over the length.
    length = np.linalg.norm(features[0])
    unit = features[0] / length
    np.testing.assert_allclose(gradient[0], (np.eye(8)[0] - unit[0] * unit) / length, atol=1e-6)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("inf"), float("nan")])
def test_a_scale_that_is_not_above_nought_is_refused(tiny_classifier, scale):
    with pytest.raises(ValueError, match="scale must be a number above 0"):
        normalized_head(tiny_classifier(), scale=scale)


def test_a_classifier_that_has_the_head_already_is_refused_by_the_name_of_the_layer(
    tiny_classifier,
):
    with pytest.raises(ValueError, match="stands 'unit_length'"):
        normalized_head(normalized_head(tiny_classifier()).classifier)

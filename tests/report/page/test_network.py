"""Class activation maps of stored classifiers: what each place adds to a logit."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from tiny_classifiers import make_faces

import eactf
from eactf.errors import DataError
from eactf.nn.normalized_head import normalized_head
from eactf.report.page.network import open_for_features, open_for_maps


@pytest.fixture(scope="module")
def plain():
    return eactf.build_classifier(
        "resnet10", image_size=32, channels=1, classes=3, width=4, stem="small", seed=1
    )


def flattened(classifier):
    """A classifier as RUL's: each place of the last map has weights of its own."""
    x = eactf.nn.open_classifier(classifier).features
    row = (
        layers.BatchNormalization(center=False, scale=False),
        layers.Dropout(0.4),
        layers.Flatten(),
        layers.Dense(6, name="embedding"),
        layers.BatchNormalization(),
        layers.Dense(3, name="logits"),
    )
    for layer in row:
        x = layer(x)
    model = keras.Model(classifier.input, x)
    draws = np.random.default_rng(3)
    model.set_weights(
        [weight + draws.uniform(0.1, 0.5, weight.shape) for weight in model.get_weights()]
    )
    return model


def images(count=5):
    return make_faces(count, size=32, channels=1)[0]


def means_over_places(network):
    return np.asarray(network.look(images())[2]).mean(axis=(1, 2))


def test_the_mean_of_a_map_is_the_logit_less_its_bias(plain):
    network = open_for_maps(plain)
    bias = plain.layers[-1].bias.numpy()
    logits = np.asarray(plain(images(), training=False))
    assert means_over_places(network) == pytest.approx(logits - bias, abs=1e-4)


def test_so_it_is_where_features_have_one_length(plain):
    head = normalized_head(plain, scale=8.0, seed=2)
    network = open_for_maps(head.classifier)
    logits = np.asarray(head.classifier(images(), training=False))
    assert network.scaled
    assert means_over_places(network) == pytest.approx(logits - head.head.bias.numpy(), abs=1e-4)


def test_so_it_is_up_to_a_constant_where_each_place_is_weighed_by_itself(plain):
    model = flattened(plain)
    network = open_for_maps(model)
    logits = np.asarray(model(images(), training=False))
    constant = logits - means_over_places(network)
    assert np.ptp(constant, axis=0).max() < 1e-4 * np.ptp(logits, axis=0).min()


def test_looking_gives_the_classifiers_own_logits_and_the_features_before_them(plain):
    logits, features, maps = open_for_maps(plain).look(images())
    assert np.asarray(logits) == pytest.approx(np.asarray(plain(images(), training=False)))
    kernel, bias = plain.layers[-1].get_weights()
    assert np.asarray(features) @ kernel + bias == pytest.approx(np.asarray(logits), abs=1e-4)
    assert maps.shape[0] == 5
    assert maps.shape[-1] == 3


@pytest.mark.parametrize(
    "head",
    [
        [layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax")],
        [layers.GlobalAveragePooling2D(), layers.Dense(6, activation="relu"), layers.Dense(3)],
        [layers.GlobalMaxPooling2D(), layers.Dense(3)],
    ],
)
def test_a_classifier_whose_logits_are_no_sums_over_places_is_refused(plain, head):
    x = eactf.nn.open_classifier(plain).features
    for layer in head:
        x = layer(x)
    with pytest.raises(DataError):
        open_for_maps(keras.Model(plain.input, x))


def test_features_are_there_without_maps(plain):
    x = eactf.nn.open_classifier(plain).features
    for layer in (layers.GlobalMaxPooling2D(), layers.Dense(3)):
        x = layer(x)
    features = open_for_features(keras.Model(plain.input, x))
    assert features(images()).shape == (5, plain.layers[-1].kernel.shape[0])

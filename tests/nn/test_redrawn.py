"""A second network: of the same form, with weights of its own, the same for the same seed."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import eactf
from eactf.nn.redrawn import redrawn


def residual(**settings):
    return eactf.build_classifier(
        "resnet10", image_size=16, channels=1, classes=3, width=4, stem="small", **settings
    )


def kernels(model):
    return [variable for variable in model.variables if variable.name == "kernel"]


@pytest.mark.parametrize("make", ["tiny", "residual"])
def test_every_kernel_is_drawn_anew_and_the_form_is_the_same(tiny_classifier, make):
    classifier = tiny_classifier() if make == "tiny" else residual(seed=3)
    other = redrawn(classifier, 0)
    assert type(other) is type(classifier)
    assert [v.shape for v in other.variables] == [v.shape for v in classifier.variables]
    assert len(kernels(classifier)) >= 2
    for one, two in zip(kernels(classifier), kernels(other), strict=True):
        assert not np.array_equal(one.numpy(), two.numpy())
        assert np.std(one.numpy()) == pytest.approx(np.std(two.numpy()), rel=0.8)
    assert not {id(v) for v in classifier.variables} & {id(v) for v in other.variables}


def test_weights_are_a_function_of_the_seed(tiny_classifier):
    first, again, other = (redrawn(tiny_classifier(), seed).get_weights() for seed in (1, 1, 2))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert any(not np.array_equal(one, two) for one, two in zip(first, other, strict=True))


def test_layers_of_one_initial_seed_do_not_begin_alike():
    inputs = keras.Input((4, 4, 2))
    x = inputs
    for _ in range(2):
        x = keras.layers.Conv2D(
            2, 1, kernel_initializer=keras.initializers.RandomNormal(seed=5), use_bias=False
        )(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    classifier = keras.Model(inputs, keras.layers.Dense(3)(x))
    one, two, _ = kernels(redrawn(classifier, 0))
    assert not np.array_equal(one.numpy(), two.numpy())


def test_fixed_statistics_stay_and_trained_weights_do_not(tiny_classifier, faces):
    images = faces(16)[0]
    normalize = keras.layers.Normalization(axis=-1)
    normalize.adapt(images)
    inputs = keras.Input((6, 6, 1))
    x = keras.layers.Conv2D(2, 3)(normalize(inputs))
    classifier = keras.Model(
        inputs, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x))
    )
    classifier.layers[-1].bias.assign([5.0, 6.0, 7.0])
    other = redrawn(classifier, 0)
    np.testing.assert_array_equal(other.layers[1](images), normalize(images))
    np.testing.assert_array_equal(other.layers[-1].bias, np.zeros(3))
    given = redrawn(tiny_classifier(), 0)
    np.testing.assert_array_equal(given.layers[1](images), tiny_classifier().layers[1](images))

"""A second network of the same form: other weights, from a seed, and the same statistics."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import eactf
from eactf.nn.redrawn import redrawn


def kernels(model):
    return [v.numpy() for v in model.trainable_variables if v.path.endswith("kernel")]


def test_every_kernel_is_another_and_a_function_of_the_seed(tiny_classifier):
    classifier = tiny_classifier()
    drawn = [kernels(redrawn(classifier, seed)) for seed in (0, 0, 1)]
    for one, same, other, own in zip(*drawn, kernels(classifier), strict=True):
        np.testing.assert_array_equal(same, one)
        assert np.abs(one - own).min() > 0
        assert np.abs(other - one).min() > 0


def test_two_layers_of_one_seed_get_two_seeds():
    inputs = keras.Input((6, 6, 2))
    start = {"kernel_initializer": keras.initializers.HeNormal(seed=7), "padding": "same"}
    maps = keras.layers.Conv2D(2, 3, **start)(keras.layers.Conv2D(2, 3, **start)(inputs))
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    first, second, _ = kernels(redrawn(keras.Model(inputs, keras.layers.Dense(3)(pooled)), 0))
    assert np.abs(first - second).min() > 0


def test_the_law_of_the_weights_stays_and_trained_ones_are_not_taken_over(tiny_classifier):
    classifier = tiny_classifier(filters=64, channels=3)
    for variable in classifier.trainable_variables:
        variable.assign(variable.numpy() + 5.0)
    convolution, dense = kernels(redrawn(classifier, 0))
    assert convolution.std() == pytest.approx(0.5, rel=0.1)  # the tiny classifier's 0.5
    assert abs(convolution.mean()) < 0.05 and abs(dense.mean()) < 0.2


def test_what_has_no_seed_gets_one():
    inputs = keras.Input((6, 6, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(inputs))
    classifier = keras.Model(inputs, keras.layers.Dense(3)(pooled))
    one, other = (kernels(redrawn(classifier, 4)) for _ in "ab")
    for kernel, same in zip(one, other, strict=True):
        np.testing.assert_array_equal(same, kernel)


def test_form_names_and_precision_are_the_classifiers(tiny_classifier, faces):
    classifier = tiny_classifier(dtype="mixed_bfloat16")
    other = redrawn(classifier, 0)
    assert [layer.name for layer in other.layers] == [layer.name for layer in classifier.layers]
    assert [layer.dtype_policy.name for layer in other.layers] == [
        layer.dtype_policy.name for layer in classifier.layers
    ]
    own = {id(variable) for variable in classifier.variables}
    assert not [variable for variable in other.variables if id(variable) in own]


def adapted(images):
    layer = keras.layers.Normalization()
    layer.adapt(images)
    inputs = keras.Input(images.shape[1:])
    maps = keras.layers.Conv2D(2, 3)(layer(inputs))
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    return keras.Model(inputs, keras.layers.Dense(3)(pooled))


def test_statistics_that_were_learnt_from_the_data_are_kept(faces):
    images, _ = faces(20, channels=2)
    classifier = adapted(images)
    own, other = (model.layers[1] for model in (classifier, redrawn(classifier, 0)))
    np.testing.assert_allclose(other(images), own(images), rtol=1e-6)
    assert abs(float(np.mean(other(images)))) < 1e-3


def test_a_residual_network_is_drawn_anew(faces):
    images, _ = faces(2, size=16)
    classifier = eactf.build_classifier(
        "resnet10", image_size=16, channels=1, classes=3, width=4, stem="small", seed=3
    )
    other = redrawn(classifier, 3)
    for one, own in zip(kernels(other), kernels(classifier), strict=True):
        assert (one != own).mean() > 0.99
        assert one.std() == pytest.approx(own.std(), rel=0.5)
    assert np.isfinite(other.predict(images, verbose=0)).all()

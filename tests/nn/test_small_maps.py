"""Convolutions on small maps with their kernel gradient as a product."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import eactf
from eactf.nn.small_maps import SmallMapConvolution, profits

RNG = np.random.default_rng(0)


def convolution(shape, kernel, **settings):
    layer = keras.layers.Conv2D(6, kernel, padding="same", **settings)
    layer(keras.Input(shape))
    return layer


@pytest.mark.parametrize("kernel", [3, (3, 5), 2])
@pytest.mark.parametrize("bias", [True, False])
def test_outputs_and_gradients_are_those_of_the_convolution(kernel, bias):
    inputs = tf.constant(RNG.normal(size=(7, 4, 3, 5)), tf.float32)
    inner = convolution((4, 3, 5), kernel, use_bias=bias, activation="relu")
    variables = [variable.value for variable in inner.trainable_variables]
    found = []
    for call in (inner, SmallMapConvolution(inner)):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = call(inputs)
            loss = tf.reduce_sum(tf.square(outputs))
        found.append([outputs, *tape.gradient(loss, [inputs, *variables])])
    for expected, got in zip(*found, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_only_convolutions_on_small_maps_are_replaced():
    if tf.config.list_physical_devices("GPU"):
        pytest.skip("on a GPU none is")
    assert profits(convolution((2, 2, 4), 3))
    assert not profits(convolution((3, 3, 4), 3)), "float32 gains on the smallest maps alone"
    assert profits(convolution((7, 7, 4), 3, dtype="mixed_bfloat16"))
    assert not profits(convolution((8, 8, 4), 3, dtype="mixed_bfloat16"))
    assert not profits(convolution((2, 2, 4), 1))
    assert not profits(convolution((2, 2, 4), 3, dilation_rate=2))
    assert not profits(convolution((None, None, 4), 3))


def test_a_residual_network_computes_the_same_with_it_as_plain_keras_does(faces):
    classifier = eactf.build_classifier("resnet10", image_size=16, channels=1, classes=3, width=4)
    model = eactf.CrossEntropy(classifier)
    kinds = {type(layer) for layer in model.network._flatten_layers()}
    assert SmallMapConvolution in kinds or tf.config.list_physical_devices("GPU")
    images, _ = faces(3, size=16)
    np.testing.assert_allclose(model(images).numpy(), classifier(images).numpy(), atol=1e-5)

"""Strided 1x1 convolutions by subsampling: the same numbers, and no crash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from eactf.nn.pointwise import SubsampledConvolution, can_subsample

ROOT = Path(__file__).resolve().parents[2]
RNG = np.random.default_rng(0)


def convolution(shape, **settings):
    layer = keras.layers.Conv2D(5, 1, **settings)
    layer.build(shape)
    return layer


@pytest.mark.parametrize("size", [6, 7])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("bias", [True, False])
def test_outputs_and_gradients_are_those_of_the_strided_convolution(size, padding, bias):
    inputs = tf.constant(RNG.normal(size=(4, size, size, 3)), tf.float32)
    inner = convolution(inputs.shape, strides=2, padding=padding, use_bias=bias)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = SubsampledConvolution(inner)(inputs)
        loss = tf.reduce_sum(tf.square(outputs))
    found = [outputs, *tape.gradient(loss, [inputs, inner.kernel.value])]
    for expected, got in zip(by_hand(inputs.numpy(), inner), found, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def by_hand(inputs, layer):
    """Outputs, and the gradients of the sum of their squares, by matrix products.

    Not by the layer itself: its kernel gradient is what corrupts the heap of the process.
    """
    kernel = np.asarray(layer.kernel)[0, 0]
    seen = inputs[:, ::2, ::2]
    outputs = seen @ kernel + (np.asarray(layer.bias) if layer.use_bias else 0.0)
    to_inputs = np.zeros_like(inputs)
    to_inputs[:, ::2, ::2] = 2 * outputs @ kernel.T
    to_kernel = np.einsum("nhwc,nhwd->cd", seen, 2 * outputs)[None, None]
    return outputs, to_inputs, to_kernel


def test_only_plain_strided_1x1_convolutions_are_replaced():
    shape = (None, 6, 6, 4)
    assert can_subsample(convolution(shape, strides=2))
    assert not can_subsample(convolution(shape))
    assert not can_subsample(convolution(shape, strides=2, groups=1, data_format="channels_first"))
    wide = keras.layers.Conv2D(5, 3, strides=2)
    wide.build(shape)
    assert not can_subsample(wide)
    assert not can_subsample(keras.layers.Conv2D(5, 1, strides=2)), "not built: no kernel to share"


TRAINING = """
import numpy as np, tensorflow as tf, eactf
classifier = eactf.build_classifier(
    "resnet10", image_size=32, channels=1, classes=3, width=4, stem="compact", seed=3
)
model = eactf.EAC(classifier)
model.compile(optimizer=eactf.optimizers.SGD(1e-3))
images, labels = np.zeros((15, 32, 32, 1), "uint8"), np.arange(15) % 3
model.fit(tf.data.Dataset.from_tensor_slices((images, labels)).batch(8), epochs=3, verbose=0)
print("trained")
"""


def test_a_residual_network_trains_on_batches_of_seven_without_corrupting_the_heap():
    process = subprocess.run(
        [sys.executable, "-c", TRAINING],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert process.stdout.strip() == "trained", process.stderr[-500:]
    assert process.returncode == 0

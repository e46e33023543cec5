"""Two logical CPU devices for the whole session, and classifiers small enough to check by hand."""

from __future__ import annotations

import os
import sys

import pytest

import eactf  # before TensorFlow, which reads what it asks for once  # noqa: F401

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def pytest_collection_finish():
    """Split the CPU in two before the first operation; tests without TensorFlow pay nothing."""
    if "tensorflow" not in sys.modules:
        return
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, halves)


@pytest.fixture(scope="session")
def two_devices():
    """The one mirrored strategy of the session: those of one process share their message keys."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


@pytest.fixture
def tiny_classifier():
    """A maker of classifiers: normalisation, one 3x3 convolution, pooling, dense logits."""
    import keras
    from keras import initializers, layers

    def make(
        *, size=6, channels=1, filters=2, classes=3, norm=True, synchronized=False, dtype=None
    ):
        def normal(seed):
            return initializers.RandomNormal(stddev=0.5, seed=seed)

        inputs = keras.Input((size, size, channels))
        x = layers.Normalization(mean=[100.0] * channels, variance=[2500.0] * channels)(inputs)
        x = layers.Conv2D(filters, 3, use_bias=not norm, kernel_initializer=normal(1), dtype=dtype)(
            x
        )
        if norm:
            x = layers.BatchNormalization(
                momentum=0.9, epsilon=1e-3, synchronized=synchronized, dtype=dtype
            )(x)
        x = layers.ReLU(dtype=dtype)(x)
        x = layers.GlobalAveragePooling2D(dtype="float32")(x)
        logits = layers.Dense(
            classes,
            kernel_initializer=normal(2),
            bias_initializer=normal(3),
            dtype="float32",
        )(x)
        return keras.Model(inputs, logits)

    return make


@pytest.fixture
def faces():
    """A maker of seeded batches: images `(n, size, size, channels)` in 0..255 and labels."""
    import numpy as np

    def make(count, *, size=6, channels=1, classes=3, seed=0):
        numbers = np.random.default_rng(seed)
        images = numbers.integers(0, 256, (count, size, size, channels)).astype("float32")
        return images, numbers.integers(0, classes, count)

    return make

"""Classifiers small enough to check by hand, and images for them; for tests' processes as well."""

from __future__ import annotations

__all__ = ["make_faces", "make_tiny_classifier"]


def make_tiny_classifier(
    *, size=6, channels=1, filters=2, classes=3, norm=True, synchronized=False, dtype=None
):
    """Normalisation, one 3x3 convolution, pooling, dense logits."""
    import keras
    from keras import initializers, layers

    def normal(seed):
        return initializers.RandomNormal(stddev=0.5, seed=seed)

    inputs = keras.Input((size, size, channels))
    x = layers.Normalization(mean=[100.0] * channels, variance=[2500.0] * channels)(inputs)
    x = layers.Conv2D(filters, 3, use_bias=not norm, kernel_initializer=normal(1), dtype=dtype)(x)
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


def make_faces(count, *, size=6, channels=1, classes=3, seed=0):
    """A seeded batch: images `(count, size, size, channels)` in 0..255 and labels."""
    import numpy as np

    numbers = np.random.default_rng(seed)
    images = numbers.integers(0, 256, (count, size, size, channels)).astype("float32")
    return images, numbers.integers(0, classes, count)

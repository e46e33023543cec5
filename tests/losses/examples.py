"""Arrays and helpers that the tests of several losses share."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(2, 4, 5, 3))
KERNEL = RNG.normal(size=(3, 6))
CAM = RNG.normal(size=(2, 4, 5, 6))
MIRRORED = RNG.normal(size=(2, 4, 5, 6))
LOGITS = RNG.normal(size=(4, 6)) * 3
HARD = np.array([0, 5, 2, 2])
SOFT = RNG.dirichlet(np.ones(6), 4)
MU, LOG_VARIANCE = RNG.normal(size=(2, 5, 4))
PERMUTATION = np.array([3, 0, 2, 4, 1])

INDEX_TYPES = ["bool", "int8", "uint8", "int64", "uint64", "float16", "float64"]
ALL_FLOATS = ["float16", "bfloat16", "float32", "float64"]
PAIRS = [
    (np.float32, np.float64, tf.float64),
    (np.float16, np.float32, tf.float32),
    (np.float16, tf.bfloat16, tf.float32),
    (np.int32, np.float32, tf.float32),
    (np.int64, np.int8, tf.float32),
]
"""Two types that meet, and the wider one that comes out."""


def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def gradients(loss, *arguments):
    """The gradient of a loss for each of its arguments, by TensorFlow's tape."""
    tensors = [tf.constant(argument) for argument in arguments]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = loss(*tensors)
    return [gradient.numpy() for gradient in tape.gradient(value, tensors)]

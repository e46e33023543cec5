"""Batch normalisation on the fused kernel, over the variables of Keras' own layer.

Keras 3 composes batch normalisation from separate operations. TensorFlow's `FusedBatchNormV3`
does the same arithmetic in one kernel: faster on a CPU, cuDNN's on a GPU. The layer here owns no
variable; it reads and updates those of the `keras.layers.BatchNormalization` it stands in for, so
that the classifier itself stays plain Keras and is saved as such.
"""

from __future__ import annotations

from typing import Any

import keras

__all__ = ["FusedBatchNormalization", "can_fuse"]


def can_fuse(layer: keras.layers.Layer) -> bool:
    """Whether the fused kernel computes what `layer` computes.

    True for a plain Keras BatchNormalization over the last axis of a 4-D input, with scale and
    offset, neither synchronised over replicas nor renormalised, on the TensorFlow backend.
    """
    return (
        keras.backend.backend() == "tensorflow"
        and type(layer) is keras.layers.BatchNormalization
        and layer.axis in (-1, 3)
        and layer.scale
        and layer.center
        and not layer.synchronized
        and not getattr(layer, "renorm", False)
    )


class FusedBatchNormalization(keras.layers.Layer):
    """The fused form of `inner`, sharing its variables.

    Input and output are `(N, H, W, C)` in the compute dtype of `inner` (float32, bfloat16 or
    float16; statistics are float32). One difference to Keras' layer: the moving variance is fed
    with the unbiased batch variance, n / (n - 1) with n = N H W, as PyTorch's is.
    """

    def __init__(self, inner: keras.layers.BatchNormalization) -> None:
        super().__init__(name=f"{inner.name}_fused", dtype=inner.dtype_policy)
        self.inner = inner

    def build(self, input_shape: Any) -> None:
        if not self.inner.built:
            self.inner.build(input_shape)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        import tensorflow as tf

        inner = self.inner
        learning = bool(training) and inner.trainable
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=inner.gamma,
            offset=inner.beta,
            mean=tf.constant([], tf.float32) if learning else inner.moving_mean,
            variance=tf.constant([], tf.float32) if learning else inner.moving_variance,
            epsilon=inner.epsilon,
            is_training=learning,
        )
        if learning:
            _move(inner.moving_mean, mean, inner.momentum)
            _move(inner.moving_variance, variance, inner.momentum)
        return outputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


def _move(average: Any, value: Any, momentum: float) -> None:
    average.assign(average * momentum + keras.ops.stop_gradient(value) * (1.0 - momentum))

"""Batch normalisation on the fused kernel, over the variables of Keras' own layer.

Keras 3 composes batch normalisation from separate operations. TensorFlow's `FusedBatchNormV3`
does the same arithmetic in one kernel: faster on a CPU, cuDNN's on a GPU. The layer here owns no
variable; it reads and updates those of the `keras.layers.BatchNormalization` it stands in for, so
that the classifier itself stays plain Keras and is saved as such.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops

__all__ = ["FusedBatchNormalization", "can_fuse", "weighing_rows"]

_FUSED_DTYPES = ("float32", "bfloat16", "float16")


class _Rows(threading.local):
    """The weight of the rows in work. Replicas are traced in threads of their own."""

    weight: Any = None


_ROWS = _Rows()


@contextmanager
def weighing_rows(weight: Any) -> Iterator[None]:
    """Let batch statistics count every row with `weight`, a scalar 1 or 0.

    A replica that got no samples runs on one blank row, which must not enter the statistics.
    """
    _ROWS.weight = weight
    try:
        yield
    finally:
        _ROWS.weight = None


def can_fuse(layer: keras.layers.Layer) -> bool:
    """Whether the fused kernel computes what `layer` computes.

    True for a plain, built Keras BatchNormalization over the last axis of a 4-D input, with scale
    and offset, float32 variables and no renormalisation, on the TensorFlow backend.
    """
    return (
        keras.backend.backend() == "tensorflow"
        and type(layer) is keras.layers.BatchNormalization
        and layer.built
        and layer.input_spec.ndim == 4
        and layer.axis in (-1, 3)
        and layer.scale
        and layer.center
        and not getattr(layer, "renorm", False)
        and layer.variable_dtype == "float32"
        and layer.compute_dtype in _FUSED_DTYPES
    )


class FusedBatchNormalization(keras.layers.Layer):
    """The fused form of `inner`, sharing its variables.

    Input and output are `(N, H, W, C)` in the compute dtype of `inner` (float32, bfloat16 or
    float16; statistics are float32). One difference to Keras' layer: the moving variance is fed
    with the unbiased batch variance, n / (n - 1) with n = N H W, as PyTorch's is. Where `inner` is
    synchronised and there are several replicas, the statistics of a training batch are composed
    from sums over all of them, weighed by `weighing_rows`.
    """

    def __init__(self, inner: keras.layers.BatchNormalization) -> None:
        super().__init__(name=f"{inner.name}_fused", dtype=inner.dtype_policy)
        self.inner = inner

    def build(self, input_shape: Any) -> None:
        if not self.inner.built:
            self.inner.build(input_shape)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        learning = bool(training) and self.inner.trainable
        if learning and self.inner.synchronized and _replica_count() > 1:
            return self._synchronized(inputs)
        return self._fused(inputs, learning)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def _fused(self, inputs: Any, learning: bool) -> Any:
        import tensorflow as tf

        inner = self.inner
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
            self._move(mean, variance, _ROWS.weight)
        return outputs

    def _synchronized(self, inputs: Any) -> Any:
        import tensorflow as tf

        inner = self.inner
        x = ops.cast(inputs, "float32")
        weight = 1.0 if _ROWS.weight is None else _ROWS.weight
        # Sums about the moving mean: the variance is then no small difference of large numbers.
        origin = ops.stop_gradient(ops.convert_to_tensor(inner.moving_mean))
        shifted = x - origin
        positions = ops.cast(ops.size(x[..., 0]), "float32")
        sums = [
            ops.sum(shifted, axis=(0, 1, 2)) * weight,
            ops.sum(ops.square(shifted), axis=(0, 1, 2)) * weight,
            ops.zeros_like(origin) + positions * weight,
        ]
        # One exchange between the replicas for all three.
        total = tf.distribute.get_replica_context().all_reduce("sum", ops.stack(sums))
        mean, square, count = total[0] / total[2], total[1] / total[2], total[2]
        variance = ops.maximum(square - ops.square(mean), 0.0)
        mean = mean + origin
        self._move(mean, variance * count / ops.maximum(count - 1.0, 1.0), None)
        scale = inner.gamma * ops.rsqrt(variance + inner.epsilon)
        return ops.cast((x - mean) * scale + inner.beta, inputs.dtype)

    def _move(self, mean: Any, variance: Any, weight: Any) -> None:
        share = 1.0 - self.inner.momentum
        if weight is not None:
            share = share * weight
        pairs = ((self.inner.moving_mean, mean), (self.inner.moving_variance, variance))
        for average, value in pairs:
            average.assign(average + (ops.stop_gradient(value) - average) * share)


def _replica_count() -> int:
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return 1 if context is None else int(context.num_replicas_in_sync)

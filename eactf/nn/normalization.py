"""This layer runs batch normalisation on the fused kernel, over the variables of Keras' own layer.

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

__all__ = [
    "FusedBatchNormalization",
    "can_fuse",
    "composed_normalization",
    "weighing_rows",
]

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
    before, _ROWS.weight = _ROWS.weight, weight
    try:
        yield
    finally:
        _ROWS.weight = before


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
    float16; statistics are float32). Two differences to Keras' layer: the moving variance is fed
    with the unbiased batch variance, n / (n - 1) with n = N H W, as PyTorch's is; and a training
    batch of a single value a channel (n = 1), which has no variance and which PyTorch refuses, is
    normalised by the moving averages and leaves them alone. Where `inner` is synchronised and
    there are several replicas, the statistics of a training batch are composed from sums over all
    of them, weighed by `weighing_rows`.
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
        outputs, mean, variance = self._kernel(inputs, learning)
        if not learning:
            return outputs
        if inputs.shape[1:3] == (1, 1) or None in inputs.shape[1:3]:
            several = ops.size(inputs[..., 0]) > 1
            outputs = ops.where(several, outputs, self._kernel(inputs, False)[0])
            # Chosen, not weighed: what a kernel calls the variance of one value may be no number.
            mean = ops.where(several, mean, self.inner.moving_mean)
            variance = ops.where(several, variance, self.inner.moving_variance)
        _move_averages(self.inner, mean, variance, _ROWS.weight)
        return outputs

    def _kernel(self, inputs: Any, learning: bool) -> tuple[Any, Any, Any]:
        """Outputs, and the batch's mean and unbiased variance where `learning`."""
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
        return outputs, mean, variance

    def _synchronized(self, inputs: Any) -> Any:
        return composed_normalization(self.inner, inputs)


def composed_normalization(layer: keras.layers.BatchNormalization, inputs: Any) -> Any:
    """What `layer`, built and over the last axis, makes of a training batch of any rank.

    Composed from sums over all replicas, weighed by `weighing_rows`; scale and offset may be
    absent. The moving averages move as `FusedBatchNormalization` says; not at all
    where the replicas hold a single value a channel between them, which is normalised by them.
    """
    x = ops.cast(inputs, "float32")
    weight = 1.0 if _ROWS.weight is None else _ROWS.weight
    # Sums about the moving mean: the variance is then no small difference of large numbers.
    origin = ops.stop_gradient(ops.convert_to_tensor(layer.moving_mean))
    shifted = x - origin
    positions = ops.cast(ops.size(x[..., 0]), "float32")
    axes = tuple(range(len(x.shape) - 1))
    sums = ops.stack(
        [
            ops.sum(shifted, axis=axes) * weight,
            ops.sum(ops.square(shifted), axis=axes) * weight,
            ops.zeros_like(origin) + positions * weight,
        ]
    )
    total = _summed_over_replicas(sums)
    mean, square, count = total[0] / total[2], total[1] / total[2], total[2]
    variance = ops.maximum(square - ops.square(mean), 0.0)
    unbiased = variance * count / ops.maximum(count - 1.0, 1.0)
    several = count > 1.0
    mean = ops.where(several, mean + origin, origin)
    variance = ops.where(several, variance, layer.moving_variance)
    _move_averages(layer, mean, unbiased, ops.cast(several, "float32"))
    scale = ops.rsqrt(variance + layer.epsilon)
    normalized = (x - mean) * (scale if layer.gamma is None else layer.gamma * scale)
    return ops.cast(normalized if layer.beta is None else normalized + layer.beta, inputs.dtype)


def _move_averages(
    layer: keras.layers.BatchNormalization, mean: Any, variance: Any, weight: Any
) -> None:
    share = 1.0 - layer.momentum
    if weight is not None:
        share = share * weight
    pairs = ((layer.moving_mean, mean), (layer.moving_variance, variance))
    for average, value in pairs:
        average.assign(average + (ops.stop_gradient(value) - average) * share)


def _summed_over_replicas(sums: Any) -> Any:
    """One exchange between the replicas for all the sums."""
    import tensorflow as tf

    if _replica_count() == 1:
        return sums
    return tf.distribute.get_replica_context().all_reduce("sum", sums)


def _replica_count() -> int:
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    return 1 if context is None else int(context.num_replicas_in_sync)

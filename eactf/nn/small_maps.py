"""This layer computes a 3x3 convolution on small maps with a faster gradient of its kernel.

On a CPU most of a bfloat16 step goes into the kernel gradients of a residual network's last stage:
oneDNN's kernel for them is laid out for large maps and reaches a fifth of the processor's speed on
2x2 ones. There the same sums are quicker as patches^T x gradient. `benchmarks/train_step.py`
measures the step as a whole.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from eactf.nn.stand_in import ConvolutionStandIn

__all__ = ["SmallMapConvolution", "profits"]

_LARGEST_MAP = {"bfloat16": 49, "float32": 4}
"""Positions of the output map up to which the matrix product was the quicker one, by dtype."""


def profits(layer: keras.layers.Layer) -> bool:
    """True for a plain, built Keras Conv2D whose kernel gradient is quicker as a product.

    That is: stride 1, padded to the same size, channels last, a map no larger than measured, and
    no GPU (cuDNN needs no help).
    """
    if keras.backend.backend() != "tensorflow" or type(layer) is not keras.layers.Conv2D:
        return False
    import tensorflow as tf

    if not layer.built or tf.config.list_physical_devices("GPU"):
        return False
    height, width = layer.output.shape[1:3] if layer._inbound_nodes else (None, None)
    return (
        height is not None
        and width is not None
        and height * width <= _LARGEST_MAP.get(layer.compute_dtype, 0)
        and layer.padding == "same"
        and min(layer.kernel_size) > 1
        and max(*layer.strides, *layer.dilation_rate) == 1
        and layer.groups == 1
        and layer.data_format == "channels_last"
    )


class SmallMapConvolution(ConvolutionStandIn):
    """What `inner`, a convolution of stride 1, computes, sharing its variables.

    Input `(N, H, W, C)`, output `(N, H, W, filters)`.
    """

    def convolve(self, inputs: Any) -> Any:
        return _convolve(inputs, ops.cast(self.inner.kernel, self.compute_dtype))


def _convolve(images: Any, weights: Any) -> Any:
    import tensorflow as tf

    @tf.custom_gradient
    def convolve(x: Any, kernel: Any) -> Any:
        def gradient(upstream: Any) -> tuple[Any, Any]:
            towards_input = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(x),
                filter=kernel,
                out_backprop=upstream,
                strides=[1, 1, 1, 1],
                padding="SAME",
            )
            return towards_input, _kernel_gradient(x, upstream, kernel.shape)

        return tf.nn.conv2d(x, kernel, 1, "SAME"), gradient

    return convolve(images, weights)


def _kernel_gradient(x: Any, upstream: Any, kernel_shape: Any) -> Any:
    """dL/dkernel `(rows, columns, C, filters)` of a convolution of stride 1, as one product."""
    import tensorflow as tf

    rows, columns, channels, filters = kernel_shape
    height, width = x.shape[1:3]
    # "same" puts the odd one out at the bottom and on the right.
    around = [[(side - 1) // 2, side // 2] for side in (rows, columns)]
    padded = tf.pad(x, [[0, 0], *around, [0, 0]])
    shifted = [
        padded[:, row : row + height, column : column + width, :]
        for row in range(rows)
        for column in range(columns)
    ]
    patches = tf.reshape(tf.concat(shifted, axis=-1), (-1, rows * columns * channels))
    product = tf.matmul(patches, tf.reshape(upstream, (-1, filters)), transpose_a=True)
    return tf.reshape(product, kernel_shape)

"""`ConvolutionStandIn` is the base of layers that compute a convolution in another way."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

__all__ = ["ConvolutionStandIn"]


class ConvolutionStandIn(keras.layers.Layer):
    """Computes what `inner`, a Keras Conv2D, computes, sharing its variables.

    A subclass says how in `convolve`; bias and activation follow here.
    """

    def __init__(self, inner: keras.layers.Conv2D) -> None:
        super().__init__(name=f"{inner.name}_stand_in", dtype=inner.dtype_policy)
        self.inner = inner

    def call(self, inputs: Any) -> Any:
        outputs = self.convolve(inputs)
        if self.inner.use_bias:
            outputs = ops.add(outputs, self.inner.bias)
        activation = self.inner.activation
        return outputs if activation is None else activation(outputs)

    def convolve(self, inputs: Any) -> Any:
        """`inputs` convolved with the inner kernel."""
        raise NotImplementedError(f"{type(self).__name__} has no convolve")

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.inner.compute_output_shape(input_shape)

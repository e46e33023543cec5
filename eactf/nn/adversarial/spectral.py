"""`SpectralNormalized` divides a layer's kernel by its largest singular value as it is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import backend, layers, ops

from eactf.nn.adversarial.starts import seed_of

__all__ = ["SpectralNormalized"]

Tensor = Any

_SHORTEST = 1e-12
_WRAPPED = (layers.Dense, layers.Conv2D, layers.Conv2DTranspose)


@keras.saving.register_keras_serializable(package="eactf")
class SpectralNormalized(layers.Wrapper):
    """`layer`, computed with W / sigma in the place of its kernel W.

    sigma is the estimate u^T M v of M's largest singular value, M being W with the axis of the
    outputs first and all others flattened (Miyato, Kataoka, Koyama, Yoshida, "Spectral
    normalization for generative adversarial networks", ICLR 2018, as PyTorch has it). A training
    call first takes one step of power iteration, v = M^T u and u = M v, each to unit length;
    evaluation uses `u` `(outputs,)` and `v` `(other axes,)` as they are. Whether the layer is
    `trainable` makes no difference to that. u and v start as random directions, drawn from `seed`:
    sigma says nothing before the first training calls.

    W itself stays what the optimiser makes of it, and its gradient passes through sigma, u and v
    being constants: (G - <G, W / sigma> u v^T) / sigma, where G is the gradient by W / sigma.
    `keras.layers.SpectralNormalization` overwrites W instead, differentiates neither, and takes the
    wrong axis of a transposed convolution's kernel.

    `layer` is a Keras Dense, Conv2D or Conv2DTranspose. Inputs and outputs are that layer's, in its
    compute dtype; sigma is at least float32. On several devices each holds u and v of its own,
    which move alike, as they depend on the kernel alone. A kernel of nothing but 0 gives nan, as it
    does in PyTorch. Raises `ValueError` for other layers.

    >>> import numpy as np
    >>> layer = SpectralNormalized(keras.layers.Dense(2, use_bias=False), seed=0)
    >>> layer.build((None, 2))
    >>> _ = layer.layer.kernel.assign([[3.0, 0.0], [0.0, 1.0]])
    >>> for _ in range(20):
    ...     outputs = layer(np.ones((1, 2)), training=True)
    >>> outputs.numpy().round(3)
    array([[1.   , 0.333]], dtype=float32)
    """

    def __init__(
        self,
        layer: layers.Layer,
        seed: int | None = None,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        if type(layer) not in _WRAPPED:
            expected = "layer must be a Keras Dense, Conv2D or Conv2DTranspose"
            raise ValueError(f"{expected}; received {layer!r}")
        # Of its own dtype is only what the kernel is divided in: no scope then casts the kernel
        # before sigma is known, and the inputs are cast below, for the layer.
        dtype = backend.result_type(layer.variable_dtype, "float32")
        super().__init__(layer, name=name, trainable=trainable, dtype=dtype, autocast=False)
        self.seed = seed

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        rows, outputs = _flat_shape(self.layer)
        self.u = self._direction("u", outputs)
        self.v = self._direction("v", rows)
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        layer, dtype = self.layer, self.layer.compute_dtype
        kernel = ops.cast(layer.kernel, self.compute_dtype)
        normalized = ops.cast(kernel / self._sigma(_flat(layer, kernel), training), dtype)
        outputs = _apply(layer, ops.cast(inputs, dtype), normalized)
        if layer.use_bias:
            outputs = outputs + ops.reshape(ops.cast(layer.bias, dtype), _bias_shape(layer))
        return layer.activation(outputs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        kept = {key: config[key] for key in ("name", "trainable", "layer")}
        return {**kept, "seed": self.seed}

    def _sigma(self, flat: Tensor, training: bool | None) -> Tensor:
        """The estimate by `flat` `(other axes, outputs)`, M transposed; u and v move in training.

        u is of unit length along M v, so that u^T M v is there from the same product.
        """
        u, v = ops.convert_to_tensor(self.u), ops.convert_to_tensor(self.v)
        if training:
            v = _unit(ops.matmul(ops.stop_gradient(flat), u))
            self.v.assign(v)
        product = ops.matmul(v, flat)
        if training:
            u = _unit(ops.stop_gradient(product))
            self.u.assign(u)
        return ops.sum(ops.stop_gradient(u) * product)

    def _direction(self, name: str, size: int) -> Any:
        return keras.Variable(
            _random_direction(seed_of(self.seed, name)),
            shape=(size,),
            dtype=self.compute_dtype,
            trainable=False,
            autocast=False,
            name=name,
            # Each replica computes the same from the same kernel: no exchange is needed.
            synchronization="on_read",
            aggregation="only_first_replica",
        )


def _random_direction(seed: int | None) -> Callable[..., Tensor]:
    def initializer(shape: Any, dtype: Any = None) -> Tensor:
        return _unit(keras.initializers.RandomNormal(stddev=1.0, seed=seed)(shape, dtype=dtype))

    return initializer


def _unit(vector: Tensor) -> Tensor:
    return vector / ops.maximum(ops.sqrt(ops.sum(ops.square(vector))), _SHORTEST)


def _flat(layer: layers.Layer, kernel: Tensor) -> Tensor:
    """The kernel with the axis of the outputs last and all others flattened."""
    if isinstance(layer, layers.Conv2DTranspose):  # (height, width, outputs, inputs)
        kernel = ops.transpose(kernel, (0, 1, 3, 2))
    return ops.reshape(kernel, (-1, kernel.shape[-1]))


def _flat_shape(layer: layers.Layer) -> tuple[int, int]:
    outputs = layer.units if isinstance(layer, layers.Dense) else layer.filters
    size = 1
    for length in layer.kernel.shape:
        size *= length
    return size // outputs, outputs


def _apply(layer: layers.Layer, inputs: Tensor, kernel: Tensor) -> Tensor:
    if isinstance(layer, layers.Dense):
        return ops.matmul(inputs, kernel)
    if isinstance(layer, layers.Conv2D):
        return layer.convolution_op(inputs, kernel)
    return ops.conv_transpose(
        inputs,
        kernel,
        strides=layer.strides,
        padding=layer.padding,
        output_padding=layer.output_padding,
        dilation_rate=layer.dilation_rate,
        data_format=layer.data_format,
    )


def _bias_shape(layer: layers.Layer) -> tuple[int, ...]:
    """What the bias broadcasts as along the axis of the outputs."""
    is_first = getattr(layer, "data_format", None) == "channels_first"
    return (-1, 1, 1) if is_first else (-1,)

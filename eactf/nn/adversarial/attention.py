"""`SelfAttention` lets every position of a map see all others."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from eactf.nn.adversarial.spectral import SpectralNormalized
from eactf.nn.adversarial.starts import seed_of, uniform_starts

__all__ = ["SelfAttention"]

Tensor = Any


@keras.saving.register_keras_serializable(package="eactf")
class SelfAttention(layers.Layer):
    """A map `(N, H, W, C)` plus gamma times what its positions gather from each other.

    theta and phi are 1x1 convolutions to C / 8 channels, g one to C / 2; phi and g are max-pooled
    by 2. beta is the softmax over the pooled positions of theta^T phi, without a scale, and a last
    1x1 convolution brings beta g back to C. All four are spectrally normalised and without biases
    (Zhang, Goodfellow, Metaxas, Odena, "Self-attention generative adversarial networks", ICML 2019,
    in the published form of the noisy multi-task networks). `gamma` is a number that starts at 0:
    the layer is then the identity, and only gamma itself gets a gradient. `seed` fixes the start.
    The softmax is computed in float32. Raises `ValueError` for maps of another rank, without a
    known number of channels, or narrower than 2.

    >>> import numpy as np
    >>> maps = np.ones((1, 4, 4, 8), "float32")
    >>> bool((SelfAttention(seed=0)(maps) == maps).numpy().all())
    True
    """

    def __init__(
        self,
        seed: int | None = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.seed = seed

    def build(self, input_shape: Any) -> None:
        channels = _checked_channels(input_shape)
        inner = max(1, channels // 8)  # a narrow network has less than eight channels here
        half = max(1, channels // 2)
        self.theta = self._pointwise("theta", channels, inner)
        self.phi = self._pointwise("phi", channels, inner)
        self.g = self._pointwise("g", channels, half)
        self.o = self._pointwise("o", half, channels)
        for layer in (self.theta, self.phi, self.g):
            layer.build(input_shape)
        self.o.build((*input_shape[:-1], half))
        self.gamma = self.add_weight(shape=(), initializer="zeros", name="gamma")
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        maps = [layer(inputs, training=training) for layer in (self.theta, self.phi, self.g)]
        asking, asked, told = _rows(maps[0]), _rows(_pooled(maps[1])), _rows(_pooled(maps[2]))
        scores = ops.matmul(asking, ops.transpose(asked, (0, 2, 1)))
        shares = ops.softmax(ops.cast(scores, "float32"), axis=-1)
        gathered = ops.matmul(ops.cast(shares, told.dtype), told)
        size = ops.shape(inputs)
        gathered = ops.reshape(gathered, (-1, size[1], size[2], told.shape[-1]))
        return self.gamma * self.o(gathered, training=training) + inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}

    def _pointwise(self, name: str, fan_in: int, filters: int) -> SpectralNormalized:
        seed = seed_of(self.seed, name)
        starts = uniform_starts(fan_in, seed)
        convolution = layers.Conv2D(
            filters,
            1,
            use_bias=False,
            kernel_initializer=starts["kernel_initializer"],
            dtype=self.dtype_policy,
            name="convolution",
        )
        return SpectralNormalized(convolution, seed=seed, name=name)


def _pooled(maps: Tensor) -> Tensor:
    return ops.max_pool(maps, 2, 2, padding="valid")


def _rows(maps: Tensor) -> Tensor:
    """A map's positions as rows, `(N, H W, C)`."""
    return ops.reshape(maps, (ops.shape(maps)[0], -1, maps.shape[-1]))


def _checked_channels(shape: Any) -> int:
    if len(shape) != 4 or shape[-1] is None or min(side or 2 for side in shape[1:3]) < 2:
        expected = "maps must be (n, height, width, channels), at least 2 high and wide"
        raise ValueError(f"{expected}; received shape {tuple(shape)}")
    return int(shape[-1])

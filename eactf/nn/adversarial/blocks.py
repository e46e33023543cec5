"""The blocks of the discriminator: of its image stream, and of all other streams."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops

from eactf.nn.adversarial.spectral import SpectralNormalized
from eactf.nn.adversarial.starts import seed_of, uniform_starts

__all__ = ["BranchedDense", "DiscriminatorBlock"]

Tensor = Any


@keras.saving.register_keras_serializable(package="eactf")
class DiscriminatorBlock(layers.Layer):
    """Two 3x3 convolutions to `out` channels beside a shortcut: `(N, H, W, C)` to `(N, h, w, out)`.

    Convolution, ReLU, convolution, of the inputs' ReLU with `preactivate`; with `downsample` then
    the mean of every 2x2 positions, h = H // 2 and w = W // 2. The shortcut takes the inputs as
    they are, by a 1x1 convolution where `downsample` or another number of channels asks for one,
    and by the same mean. All convolutions are spectrally normalised and have biases. `seed` fixes
    the start. Raises `ValueError` for inputs of another rank or too small to be downsampled.

    >>> block = DiscriminatorBlock(16, preactivate=False, downsample=True, seed=0)
    >>> block(keras.ops.ones((2, 8, 8, 3))).shape
    TensorShape([2, 4, 4, 16])
    """

    def __init__(
        self,
        out: int,
        preactivate: bool = True,
        downsample: bool = True,
        seed: int | None = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.out, self.preactivate, self.downsample = out, preactivate, downsample
        self.seed = seed

    def build(self, input_shape: Any) -> None:
        least = 2 if self.downsample else 1
        if len(input_shape) != 4 or min(side or least for side in input_shape[1:3]) < least:
            expected = f"inputs must be (n, height, width, channels), at least {least} each way"
            raise ValueError(f"{expected}; received shape {tuple(input_shape)}")
        channels = input_shape[-1]
        self.first = self._convolution("first", channels, 3)
        self.second = self._convolution("second", self.out, 3)
        self.shortcut = None
        if self.downsample or channels != self.out:
            self.shortcut = self._convolution("shortcut", channels, 1)
            self.shortcut.build(input_shape)
        self.first.build(input_shape)
        self.second.build((*input_shape[:-1], self.out))
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        x = ops.relu(inputs) if self.preactivate else inputs
        x = ops.relu(self.first(x, training=training))
        x = self.second(x, training=training)
        if self.shortcut is not None:
            inputs = self.shortcut(inputs, training=training)
        return self._halved(x) + self._halved(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        count, *sides, _ = input_shape
        if self.downsample:
            sides = [None if side is None else side // 2 for side in sides]
        return (count, *sides, self.out)

    def get_config(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in ("out", "preactivate", "downsample", "seed")}
        return {**super().get_config(), **own}

    def _halved(self, maps: Tensor) -> Tensor:
        return ops.average_pool(maps, 2, 2, padding="valid") if self.downsample else maps

    def _convolution(self, name: str, channels: int, size: int) -> SpectralNormalized:
        seed = seed_of(self.seed, name)
        convolution = layers.Conv2D(
            self.out,
            size,
            padding="same",
            **uniform_starts(channels * size * size, seed),
            dtype=self.dtype_policy,
            name="convolution",
        )
        return SpectralNormalized(convolution, seed=seed, name=name)


@keras.saving.register_keras_serializable(package="eactf")
class BranchedDense(layers.Layer):
    """Rows `(N, C)` to `(N, out)`: a dense layer plus four branches upon it.

    a = dense(x), r = relu(a), and the result a + the sum of four times dense(relu(dense(r))), each
    with its own layers, spectrally normalised. The supplement has the sum of the four alone; a is
    in it in the published code. `seed` fixes the start. Raises `ValueError` for inputs that are
    not rows.

    >>> BranchedDense(16, seed=0)(keras.ops.ones((2, 7))).shape
    TensorShape([2, 16])
    """

    def __init__(
        self,
        out: int,
        seed: int | None = None,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.out, self.seed = out, seed

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != 2 or input_shape[-1] is None:
            received = f"received shape {tuple(input_shape)}"
            raise ValueError(f"inputs must be (n, channels); {received}")
        self.stem = self._dense("stem", input_shape[-1])
        self.branches = [
            [self._dense(f"branch{branch}_{place}", self.out) for place in (1, 2)]
            for branch in (1, 2, 3, 4)
        ]
        self.built = True

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        total = self.stem(inputs, training=training)
        rectified = ops.relu(total)
        for first, second in self.branches:
            inner = ops.relu(first(rectified, training=training))
            total = total + second(inner, training=training)
        return total

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], self.out)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "out": self.out, "seed": self.seed}

    def _dense(self, name: str, channels: int) -> SpectralNormalized:
        seed = seed_of(self.seed, name)
        starts = uniform_starts(channels, seed)
        dense = layers.Dense(self.out, **starts, dtype=self.dtype_policy, name="dense")
        layer = SpectralNormalized(dense, seed=seed, name=name)
        layer.build((None, channels))
        return layer

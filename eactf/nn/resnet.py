"""`resnet` builds residual networks (He et al., CVPR 2016) as functional Keras graphs.

Padding is explicit and symmetric, as in the reference implementations: TensorFlow's "same" pads
a stride-2 convolution of an even size on the right and bottom only, which shifts features and
makes imported weights wrong. Batch normalisation has their epsilon and momentum (1e-5, 0.9;
Keras' own defaults are 1e-3, 0.99).
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

__all__ = ["RESNETS", "STEMS", "VARIANTS", "resnet"]

Tensor = Any


@dataclass(frozen=True)
class _Plan:
    blocks: tuple[int, int, int, int]
    bottleneck: bool


RESNETS = {
    "resnet10": _Plan((1, 1, 1, 1), bottleneck=False),
    "resnet18": _Plan((2, 2, 2, 2), bottleneck=False),
    "resnet34": _Plan((3, 4, 6, 3), bottleneck=False),
    "resnet50": _Plan((3, 4, 6, 3), bottleneck=True),
}

STEMS = ("imagenet", "small", "compact")
"""imagenet: 7x7 stride 2 and 3x3 max-pool stride 2 (map = input / 32). small: 3x3 stride 1, no
pool (map = input / 8), for inputs of 32 to 64 pixels. compact: 3x3 stride 2, no pool (map =
input / 16): a quarter of the small stem's cost."""

VARIANTS = ("torchvision", "vggface2")
"""torchvision: a bottleneck strides on its 3x3 convolution; the stem's pool has one row and column
of padding on all sides. vggface2, as the network of that release: a bottleneck strides on its first
1x1 convolution; the pool has no padding, and a last window that does not fit counts (ceil mode)."""


@dataclass(frozen=True)
class _Layers:
    """What every layer of one network shares."""

    variant: str
    dtype: Any
    seed: int | None
    synchronized: bool

    def initial_seed(self, name: str) -> int | None:
        """One seed a layer, so that a layer's start depends on (seed, name) and on no other."""
        return None if self.seed is None else zlib.crc32(f"{self.seed}/{name}".encode())


def resnet(
    inputs: Tensor,
    depth: str,
    *,
    stem: str,
    width: int,
    variant: str = "torchvision",
    dtype: Any = None,
    seed: int | None = None,
    synchronized: bool = False,
) -> Tensor:
    """The last feature map, after its ReLU: `(N, h, w, 8 * width)`, times 4 for bottlenecks.

    `inputs` is `(N, H, W, C)`, normalised. `depth` is a key of `RESNETS`, `stem` one of `STEMS`;
    `width` the channels of the first stage (64 in the paper); `variant` one of `VARIANTS`, which
    have the same variables and compute different features. Kernels start from a normal with
    variance 2 / fan-out; `seed` fixes it. `synchronized` batch normalisation takes its statistics
    over all replicas. Raises `ValueError` for an unknown depth, stem or variant.
    """
    if depth not in RESNETS or stem not in STEMS or variant not in VARIANTS:
        raise ValueError(
            f"depth must be one of {', '.join(RESNETS)}, stem one of {', '.join(STEMS)} and "
            f"variant one of {', '.join(VARIANTS)}; "
            f"received depth={depth!r}, stem={stem!r}, variant={variant!r}"
        )
    plan = RESNETS[depth]
    common = _Layers(variant, dtype, seed, synchronized)
    x = _stem(inputs, stem, width, common)
    for stage, blocks in enumerate(plan.blocks):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            name = f"stage{stage + 1}_block{block + 1}"
            make = _bottleneck_block if plan.bottleneck else _basic_block
            x = make(x, width * 2**stage, stride, name, common)
    return x


def _stem(x: Tensor, stem: str, width: int, common: _Layers) -> Tensor:
    kernel, stride = {"imagenet": (7, 2), "small": (3, 1), "compact": (3, 2)}[stem]
    x = _conv_bn(x, width, kernel, stride, "stem", common)
    x = layers.ReLU(name="stem_relu", dtype=common.dtype)(x)
    if stem == "imagenet":
        # Padding with nought is exact here: after the ReLU nothing is smaller.
        # Ceil mode is a row and column more at the end, which the pool drops where they are odd.
        sides = ((0, 1), (0, 1)) if common.variant == "vggface2" else 1
        x = layers.ZeroPadding2D(sides, name="stem_pool_pad", dtype=common.dtype)(x)
        x = layers.MaxPooling2D(3, 2, name="stem_pool", dtype=common.dtype)(x)
    return x


def _basic_block(x: Tensor, filters: int, stride: int, name: str, common: _Layers) -> Tensor:
    shortcut = _shortcut(x, filters, stride, name, common)
    x = _conv_bn(x, filters, 3, stride, f"{name}_1", common)
    x = layers.ReLU(name=f"{name}_1_relu", dtype=common.dtype)(x)
    x = _conv_bn(x, filters, 3, 1, f"{name}_2", common)
    x = layers.Add(name=f"{name}_add", dtype=common.dtype)([x, shortcut])
    return layers.ReLU(name=f"{name}_out", dtype=common.dtype)(x)


def _bottleneck_block(x: Tensor, filters: int, stride: int, name: str, common: _Layers) -> Tensor:
    shortcut = _shortcut(x, 4 * filters, stride, name, common)
    first, second = (stride, 1) if common.variant == "vggface2" else (1, stride)
    x = _conv_bn(x, filters, 1, first, f"{name}_1", common)
    x = layers.ReLU(name=f"{name}_1_relu", dtype=common.dtype)(x)
    x = _conv_bn(x, filters, 3, second, f"{name}_2", common)
    x = layers.ReLU(name=f"{name}_2_relu", dtype=common.dtype)(x)
    x = _conv_bn(x, 4 * filters, 1, 1, f"{name}_3", common)
    x = layers.Add(name=f"{name}_add", dtype=common.dtype)([x, shortcut])
    return layers.ReLU(name=f"{name}_out", dtype=common.dtype)(x)


def _shortcut(x: Tensor, filters: int, stride: int, name: str, common: _Layers) -> Tensor:
    if stride == 1 and x.shape[-1] == filters:
        return x
    return _conv_bn(x, filters, 1, stride, f"{name}_shortcut", common)


def _conv_bn(
    x: Tensor, filters: int, kernel: int, stride: int, name: str, common: _Layers
) -> Tensor:
    # At stride 1 "same" is symmetric already and saves a copy of the map.
    padding = "same" if stride == 1 else "valid"
    if stride > 1 and kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad", dtype=common.dtype)(x)
    deviation = math.sqrt(2.0 / (kernel * kernel * filters))
    x = layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding=padding,
        use_bias=False,
        kernel_initializer=keras.initializers.RandomNormal(
            stddev=deviation, seed=common.initial_seed(name)
        ),
        name=f"{name}_conv",
        dtype=common.dtype,
    )(x)
    return layers.BatchNormalization(
        momentum=0.9,
        epsilon=1e-5,
        synchronized=common.synchronized,
        name=f"{name}_bn",
        dtype=common.dtype,
    )(x)

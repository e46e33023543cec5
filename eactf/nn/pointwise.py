"""This layer computes a 1x1 convolution with a stride as a subsampling and one without a stride.

The result is that of the convolution itself, whose plain way is broken: on a CPU, TensorFlow 2.21's
oneDNN kernel for the kernel gradient of a strided 1x1 convolution writes past its buffer for some
batch sizes (7 images of 16x16x4 to 8 channels, stride 2, for one) and the process dies some steps
later with a corrupted heap. Residual networks have such a convolution in every stage's shortcut.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from eactf.nn.stand_in import ConvolutionStandIn

__all__ = ["SubsampledConvolution", "can_subsample"]


def can_subsample(layer: keras.layers.Layer) -> bool:
    """True for a plain, built 1x1 Keras Conv2D with a stride, channels last, ungrouped."""
    return (
        type(layer) is keras.layers.Conv2D
        and layer.built
        and tuple(layer.kernel_size) == (1, 1)
        and max(layer.strides) > 1
        and layer.groups == 1
        and layer.data_format == "channels_last"
    )


class SubsampledConvolution(ConvolutionStandIn):
    """What `inner`, a strided 1x1 convolution, computes, sharing its variables.

    Input `(N, H, W, C)`, output `(N, ceil(H / s), ceil(W / s), filters)`: a 1x1 kernel sees only
    the positions 0, s, 2s, ... whatever the padding.
    """

    def convolve(self, inputs: Any) -> Any:
        # The mean over one position is that position; slicing says the same, but its gradient
        # takes ten times as long.
        kept = ops.average_pool(inputs, 1, self.inner.strides, padding="valid")
        return ops.conv(kept, self.inner.kernel, padding="valid")

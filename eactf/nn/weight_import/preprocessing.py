"""`Preprocessing` says how a network's images were prepared: mean, deviation, order of channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eactf.errors import UsageError
from eactf.nn.classifier import IMAGENET_MEAN, IMAGENET_STD

__all__ = ["PRESETS", "Preprocessing", "imagenet_for"]


@dataclass(frozen=True)
class Preprocessing:
    """What was taken from pixels of 0..255 and what they were then divided by.

    Red first, or one value for grey. `order` is that of the channels as the network was given them,
    RGB or BGR.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    order: str = "RGB"

    @staticmethod
    def of(
        mean: tuple[float, ...], std: tuple[float, ...], *, scale: float | None, order: str
    ) -> Preprocessing:
        """From values in the network's own order, of pixels divided by `scale`.

        Raises `UsageError` for values that leave open what they refer to, or make no sense.
        """
        if len(mean) != len(std) or len(mean) not in (1, 3):
            raise UsageError(
                f"--mean has {len(mean)} values, --std {len(std)}; expected 3 each, or 1 for grey"
            )
        if scale is None and max(*mean, *std) <= 1:
            raise UsageError(
                f"--mean {mean} and --std {std} look like values of images in 0..1",
                hint="add --scale 255 (pixels were divided by 255 first), or --scale 1 if not",
            )
        scale = scale or 1.0
        if not all(np.isfinite([*mean, *std, scale])) or min(*std, scale) <= 0:
            raise UsageError("--mean must be numbers, --std and --scale numbers above 0")
        step = -1 if order == "BGR" else 1
        return Preprocessing(
            tuple(value * scale for value in mean[::step]),
            tuple(value * scale for value in std[::step]),
            order,
        )

    def for_channels(self, channels: int) -> Preprocessing:
        """The same for a network of 1 or 3 channels; grey ones take the mean over the colours."""
        if len(self.mean) == channels:
            return self
        mean, std = ((float(np.mean(values)),) * channels for values in (self.mean, self.std))
        return Preprocessing(mean, std, "RGB" if channels == 1 else self.order)


PRESETS = {
    "imagenet": Preprocessing(IMAGENET_MEAN, IMAGENET_STD),
    # The release takes this mean from BGR images of 0..255 and divides by nothing.
    "vggface2": Preprocessing((131.0912, 103.8827, 91.4953), (1.0, 1.0, 1.0), "BGR"),
}
"""`imagenet` is torchvision's; `vggface2` that of the VGGFace2 release."""


def imagenet_for(channels: int) -> Preprocessing:
    """What `data.normalization: imagenet` does to images of 1 or 3 channels."""
    return PRESETS["imagenet"].for_channels(channels)

"""What is done to training images before a network sees them, as two values: Views and Erasing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from eactf.nn.cropping import check_padding
from eactf.nn.erasing import check_erasing
from eactf.nn.pixel_noise import check_pixel_noise
from eactf.nn.warping import check_warp

__all__ = ["Erasing", "Views"]

Tensor = Any


@keras.saving.register_keras_serializable(package="eactf")
@dataclass(frozen=True)
class Erasing:
    """How blocks are erased from training images; the published code's values by default.

    - `probability`: the share of the images that lose a block, in [0, 1]; 0 erases nothing. EAC's
      paper has 0.7 to 1.0.
    - `area`: the range of the block's share of the image, within [0, 1]; (0.1, 0.7) in the paper.
    - `aspect`: the range of the block's height / width, above 0; (0.1, 10) in the paper.
    - `fill`: what stands in the block, one value or one a channel. None: the mean that the
      classifier's own normalisation takes away, 0 where it has none.

    The rule by which blocks are drawn is that of `eactf.nn.erase`. Raises `ValueError` on ranges
    out of order or out of bounds.

    >>> Erasing(area=(0.1, 0.7))
    Erasing(probability=0.5, area=(0.1, 0.7), aspect=(0.3, 3.3), fill=None)
    >>> Erasing.from_config(Erasing(fill=0.0).get_config()) == Erasing(fill=0.0)
    True
    """

    probability: float = 0.5
    area: tuple[float, float] = (0.02, 0.25)
    aspect: tuple[float, float] = (0.3, 3.3)
    fill: float | Sequence[float] | None = None

    def __post_init__(self) -> None:
        check_erasing(self.probability, self.area, self.aspect)
        # A frozen value holds nothing that changes, and lists come out of files of JSON.
        for name in ("area", "aspect", "fill"):
            value = getattr(self, name)
            if not isinstance(value, (int, float, type(None))):
                object.__setattr__(self, name, tuple(float(number) for number in value))

    def get_config(self) -> dict[str, Any]:
        """The four settings, as JSON can hold them."""
        fill = list(self.fill) if isinstance(self.fill, tuple) else self.fill
        return {
            "probability": self.probability,
            "area": list(self.area),
            "aspect": list(self.aspect),
            "fill": fill,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Erasing:
        """The value that `get_config` told of."""
        return cls(**config)


@keras.saving.register_keras_serializable(package="eactf")
@dataclass(frozen=True)
class Views:
    """What else is done to training images, before blocks are erased; nothing by default.

    In this order, where they are asked for:

    - `corruption`: a callable or Keras layer `images -> images`, of images `(n, H, W, C)`
      (`keras_cv.layers.RandomGaussianBlur`, ...).
    - `rotation`, `shift`, `zoom`: the most degrees, pixels and share, >= 0, by which an image is
      turned, moved and zoomed at random (`eactf.nn.warping.random_warp`); what lies outside is
      black. 0: none.
    - `crop_padding`: pixels, >= 0, to pad by before a random crop of the image's own size
      (`eactf.nn.cropping.random_crop`), one crop for all views of an image; 0: none. 4 is usual at
      32 x 32. What lies outside is the mean that the classifier's normalisation takes away.
    - `pixel_noise`: the probability, in [0, 1], of Gaussian noise on an image's pixels, which must
      be in 0..255 (`eactf.nn.pixel_noise`). 0 is EAC's paper; the published codes have 0.5 (EAC)
      and 0.25 (SCN and RUL).

    Raises `ValueError` on numbers out of range.

    >>> Views(crop_padding=4)
    Views(corruption=None, crop_padding=4, pixel_noise=0.0, rotation=0.0, shift=0.0, zoom=0.0)
    """

    corruption: Callable[[Tensor], Tensor] | None = None
    crop_padding: int = 0
    pixel_noise: float = 0.0
    rotation: float = 0.0
    shift: float = 0.0
    zoom: float = 0.0

    def __post_init__(self) -> None:
        check_padding(self.crop_padding)
        check_pixel_noise(self.pixel_noise)
        check_warp(self.rotation, self.shift, self.zoom)

    def get_config(self) -> dict[str, Any]:
        """All settings; the corruption as Keras serialises it."""
        corruption = self.corruption
        serialize = keras.saving.serialize_keras_object
        return {
            "corruption": None if corruption is None else serialize(corruption),
            "crop_padding": self.crop_padding,
            "pixel_noise": self.pixel_noise,
            "rotation": self.rotation,
            "shift": self.shift,
            "zoom": self.zoom,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Views:
        """The value that `get_config` told of."""
        corruption = keras.saving.deserialize_keras_object(config.get("corruption"))
        return cls(**{**config, "corruption": corruption})

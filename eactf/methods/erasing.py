"""What methods share that erase blocks of their training images, or add noise to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import keras
from keras import ops

from eactf.methods.base import Method
from eactf.nn.counter_random import uniform
from eactf.nn.cropping import check_padding, random_crop
from eactf.nn.erasing import check_erasing, erase
from eactf.nn.pixel_noise import add_pixel_noise, check_pixel_noise
from eactf.nn.pixels import mean_pixel

__all__ = ["CorruptingMethod", "ErasingMethod", "OneViewMethod"]

Tensor = Any

_ERASE, _FLIP, _CROP, _NOISE = 0, 2, 6, 7  # 1 and 8 are EAC's, 3 to 5 RUL's


class CorruptingMethod(Method):
    """A method whose images pass a corruption and a random crop first.

    `corruption` is a callable or Keras layer `images -> images`, None for none. `crop_padding` is
    that of `eactf.nn.cropping.random_crop`, 0 for no crop; what lies outside the image is the mean
    that the classifier's normalisation takes away. Raises `ValueError` on a padding out of range.
    """

    def __init__(
        self,
        classifier: keras.Model,
        *,
        corruption: Callable[[Tensor], Tensor] | None,
        crop_padding: int = 0,
        seed: int,
        name: str,
    ) -> None:
        check_padding(crop_padding)
        super().__init__(classifier, seed=seed, name=name)
        self.corruption = corruption
        self.crop_padding = int(crop_padding)

    def corrupted(self, images: Tensor) -> Tensor:
        """`images` through the corruption and the crop, where there are any; the dtype is kept.

        All views are made of what comes out: they share one crop, so that their maps are of the
        same places.
        """
        if self.corruption is not None:
            images = ops.cast(self.corruption(images), images.dtype)
        if self.crop_padding == 0:
            return images
        keys = self.sample_keys(images, _CROP)
        return random_crop(images, keys, self.crop_padding, mean_pixel(self.classifier))

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        corruption = self.corruption
        return {
            "classifier": serialize(self.classifier),
            "corruption": None if corruption is None else serialize(corruption),
            "crop_padding": self.crop_padding,
            "seed": self.seed,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        deserialize = keras.saving.deserialize_keras_object
        built = {key: deserialize(config[key]) for key in ("classifier", "corruption")}
        return cls(**{**config, **built})


class ErasingMethod(CorruptingMethod):
    """A method with erasing settings and, before erasing, a corruption and a random crop.

    `erase_probability`, `erase_area` and `erase_aspect` are those of `eactf.nn.erase`.
    `erase_fill` is one value or one a channel; None for the mean that the classifier's
    normalisation takes away, 0 where it has none. `corruption` and `crop_padding` are those of
    `CorruptingMethod`. `pixel_noise` is the probability of noise on an image's pixels
    (`eactf.nn.pixel_noise.add_pixel_noise`), added after those and before erasing; 0: none. Raises
    `ValueError` on settings out of range.
    """

    def __init__(
        self,
        classifier: keras.Model,
        *,
        erase_probability: float,
        erase_area: tuple[float, float],
        erase_aspect: tuple[float, float],
        erase_fill: float | Sequence[float] | None,
        corruption: Callable[[Tensor], Tensor] | None,
        crop_padding: int = 0,
        pixel_noise: float = 0.0,
        seed: int,
        name: str,
    ) -> None:
        check_erasing(erase_probability, erase_area, erase_aspect)
        check_pixel_noise(pixel_noise)
        super().__init__(
            classifier, corruption=corruption, crop_padding=crop_padding, seed=seed, name=name
        )
        self.erase_probability = float(erase_probability)
        self.erase_area = erase_area
        self.erase_aspect = erase_aspect
        self.erase_fill = mean_pixel(classifier) if erase_fill is None else erase_fill
        self.pixel_noise = float(pixel_noise)

    def noisy(self, images: Tensor, probability: float) -> Tensor:
        """`images`, some with pixel noise, drawn with `probability` each."""
        return add_pixel_noise(images, self.sample_keys(images, _NOISE), probability)

    def erased(self, images: Tensor, stream: int) -> Tensor:
        """`images` with blocks erased; another `stream` draws other blocks for the same samples."""
        return erase(
            images,
            self.sample_keys(images, stream),
            self.erase_probability,
            self.erase_area,
            self.erase_aspect,
            self.erase_fill,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "erase_probability": self.erase_probability,
            "erase_area": list(self.erase_area),
            "erase_aspect": list(self.erase_aspect),
            "erase_fill": self.erase_fill,
            "pixel_noise": self.pixel_noise,
        }


class OneViewMethod(ErasingMethod):
    """A method that sees each image once, erased and mirrored or noisy at random.

    `flip_probability` and `pixel_noise`, in [0, 1] and together at most 1, are decided by one draw:
    an image is mirrored, or gets pixel noise, or neither, never both (0.25 each in the published
    code of SCN and RUL). The other settings are those of `ErasingMethod`.
    """

    def __init__(
        self,
        classifier: keras.Model,
        *,
        flip_probability: float,
        erase_probability: float,
        erase_area: tuple[float, float],
        erase_aspect: tuple[float, float],
        erase_fill: float | Sequence[float] | None,
        corruption: Callable[[Tensor], Tensor] | None,
        crop_padding: int = 0,
        pixel_noise: float = 0.0,
        seed: int,
        name: str,
    ) -> None:
        if not 0.0 <= flip_probability <= 1.0:
            raise ValueError(f"flip_probability must be in [0, 1]; received {flip_probability!r}")
        if flip_probability + pixel_noise > 1.0:
            raise ValueError(
                "an image is mirrored or noisy, never both: flip_probability + pixel_noise must be "
                f"at most 1; received {flip_probability!r} and {pixel_noise!r}"
            )
        super().__init__(
            classifier,
            erase_probability=erase_probability,
            erase_area=erase_area,
            erase_aspect=erase_aspect,
            erase_fill=erase_fill,
            corruption=corruption,
            crop_padding=crop_padding,
            pixel_noise=pixel_noise,
            seed=seed,
            name=name,
        )
        self.flip_probability = float(flip_probability)

    def make_views(self, images: Tensor) -> Tensor:
        """The one view the network is trained on: noisy or mirrored, and erased, at random."""
        images = self.corrupted(images)
        draw = uniform(self.sample_keys(images, _FLIP), 1)[:, :, None, None]
        mirrored = draw < self.flip_probability
        if self.pixel_noise > 0.0:
            others = draw >= self.flip_probability + self.pixel_noise
            whole = ops.logical_or(mirrored, others)
            images = ops.where(whole, images, self.noisy(images, 1.0))
        images = self.erased(images, _ERASE)
        return ops.where(mirrored, ops.flip(images, axis=2), images)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "flip_probability": self.flip_probability}

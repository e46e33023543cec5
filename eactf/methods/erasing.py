"""This module holds the base classes of methods that erase or disturb parts of their images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import keras
from keras import ops

from eactf.methods.base import Method
from eactf.methods.views import Erasing, Views
from eactf.nn.counter_random import uniform
from eactf.nn.cropping import random_crop
from eactf.nn.erasing import erase
from eactf.nn.pixel_noise import add_pixel_noise
from eactf.nn.pixels import mean_pixel
from eactf.nn.warping import random_warp

__all__ = ["CorruptingMethod", "ErasingMethod", "OneViewMethod"]

Tensor = Any

_ERASE, _FLIP, _CROP, _NOISE, _WARP = 0, 2, 6, 7, 18  # 1 and 8 are EAC's, 3 to 5 RUL's


class CorruptingMethod(Method):
    """A method whose images pass a corruption and a random crop first, as `augmentation` says."""

    def __init__(
        self,
        classifier: keras.Model,
        *,
        augmentation: Views,
        prior_adjustment: float = 0.0,
        class_prior: Sequence[float] | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(
            classifier,
            prior_adjustment=prior_adjustment,
            class_prior=class_prior,
            seed=seed,
            name=name,
        )
        self.augmentation = augmentation

    def corrupted(self, images: Tensor) -> Tensor:
        """`images` through what disturbs them and the crop, where there are any; the dtype is kept.

        All views are made of what comes out: they share one crop, so that their maps are of the
        same places.
        """
        images, padding = self.disturbed(images), self.augmentation.crop_padding
        if padding == 0:
            return images
        keys = self.sample_keys(images, _CROP)
        return random_crop(images, keys, padding, mean_pixel(self.classifier))

    def disturbed(self, images: Tensor) -> Tensor:
        """`images` through the corruption, then turned, shifted and zoomed; the dtype is kept."""
        how = self.augmentation
        if how.corruption is not None:
            images = ops.cast(how.corruption(images), images.dtype)
        if not (how.rotation or how.shift or how.zoom):
            return images
        keys = self.sample_keys(images, _WARP)
        return random_warp(images, keys, rotation=how.rotation, shift=how.shift, zoom=how.zoom)

    def extra_variables(self) -> list[Any]:
        """The seed generators of the corruption's layers."""
        layers = getattr(self.augmentation.corruption, "layers", [self.augmentation.corruption])
        return [variable for layer in layers for variable in getattr(layer, "variables", [])]

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        return {
            "classifier": serialize(self.classifier),
            "augmentation": serialize(self.augmentation),
            "prior_adjustment": self.prior_adjustment,
            "class_prior": None if self.class_prior is None else list(self.class_prior),
            "seed": self.seed,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        deserialize = keras.saving.deserialize_keras_object
        objects = {"classifier", "augmentation", "erasing"}
        return cls(**{k: deserialize(v) if k in objects else v for k, v in config.items()})


class ErasingMethod(CorruptingMethod):
    """A method that erases blocks as `erasing` says, after all that `augmentation` asks for."""

    def __init__(
        self,
        classifier: keras.Model,
        *,
        erasing: Erasing,
        augmentation: Views,
        prior_adjustment: float = 0.0,
        class_prior: Sequence[float] | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        super().__init__(
            classifier,
            augmentation=augmentation,
            prior_adjustment=prior_adjustment,
            class_prior=class_prior,
            seed=seed,
            name=name,
        )
        self.erasing = erasing
        self._fill = mean_pixel(classifier) if erasing.fill is None else erasing.fill

    def noisy(self, images: Tensor, probability: float) -> Tensor:
        """`images`, some with pixel noise, drawn with `probability` each."""
        return add_pixel_noise(images, self.sample_keys(images, _NOISE), probability)

    def erased(self, images: Tensor, stream: int) -> Tensor:
        """`images` with blocks erased; another `stream` draws other blocks for the same samples."""
        keys = self.sample_keys(images, stream)
        how = self.erasing
        return erase(images, keys, how.probability, how.area, how.aspect, self._fill)

    def get_config(self) -> dict[str, Any]:
        erasing = keras.saving.serialize_keras_object(self.erasing)
        return {**super().get_config(), "erasing": erasing}


class OneViewMethod(ErasingMethod):
    """A method that sees each image once, erased and mirrored or noisy at random.

    `flip_probability` and the augmentation's `pixel_noise`, in [0, 1] and together at most 1, are
    decided by one draw: an image is mirrored, or gets pixel noise, or neither, never both (0.25
    each in the published code of SCN and RUL).
    """

    def __init__(
        self,
        classifier: keras.Model,
        *,
        flip_probability: float,
        erasing: Erasing,
        augmentation: Views,
        prior_adjustment: float = 0.0,
        class_prior: Sequence[float] | None = None,
        seed: int = 0,
        name: str | None = None,
    ) -> None:
        if not 0.0 <= flip_probability <= 1.0:
            raise ValueError(f"flip_probability must be in [0, 1]; received {flip_probability!r}")
        if flip_probability + augmentation.pixel_noise > 1.0:
            raise ValueError(
                "an image is mirrored or noisy, never both: flip_probability + pixel_noise must be "
                f"at most 1; received {flip_probability!r} and {augmentation.pixel_noise!r}"
            )
        super().__init__(
            classifier,
            erasing=erasing,
            augmentation=augmentation,
            prior_adjustment=prior_adjustment,
            class_prior=class_prior,
            seed=seed,
            name=name,
        )
        self.flip_probability = float(flip_probability)

    def make_views(self, images: Tensor) -> Tensor:
        """The one view the network is trained on: noisy or mirrored, and erased, at random."""
        images = self.corrupted(images)
        draw = uniform(self.sample_keys(images, _FLIP), 1)[:, :, None, None]
        mirrored = draw < self.flip_probability
        pixel_noise = self.augmentation.pixel_noise
        if pixel_noise > 0.0:
            others = draw >= self.flip_probability + pixel_noise
            whole = ops.logical_or(mirrored, others)
            images = ops.where(whole, images, self.noisy(images, 1.0))
        images = self.erased(images, _ERASE)
        return ops.where(mirrored, ops.flip(images, axis=2), images)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "flip_probability": self.flip_probability}

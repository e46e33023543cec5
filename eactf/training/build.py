"""From a recipe's sections to Keras objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from eactf import optimizers
from eactf.data.pipeline import ImageForm
from eactf.data.records import Dataset, Samples
from eactf.errors import UsageError
from eactf.methods.base import Method
from eactf.methods.cross_entropy import CrossEntropy
from eactf.methods.eac import EAC
from eactf.nn.classifier import build_classifier
from eactf.nn.corruptions import corruption
from eactf.recipe import CrossEntropySettings, EacSettings, Recipe

__all__ = [
    "build_method",
    "build_model",
    "build_optimizer",
    "image_form",
    "pixel_statistics",
]


def image_form(recipe: Recipe, data: Dataset) -> ImageForm:
    """The size and channels that the network takes: the recipe's, or as stored."""
    height, width, channels = data.image_shape
    return ImageForm(
        size=recipe.data.image_size or max(height, width),
        channels=recipe.data.channels or channels,
    )


def build_model(
    recipe: Recipe,
    form: ImageForm,
    classes: int,
    statistics: tuple[np.ndarray, np.ndarray] | None,
    *,
    dtype: str | None = None,
    synchronized: bool = False,
) -> keras.Model:
    """The recipe's classifier; `statistics` are `pixel_statistics`, None for ImageNet's.

    Raises `UsageError` for a backbone that is unknown, not installed, or not for such images.
    """
    mean, std = statistics if statistics is not None else (None, None)
    try:
        return build_classifier(
            recipe.model.backbone,
            image_size=form.size,
            channels=form.channels,
            classes=classes,
            stem=recipe.model.stem,
            width=recipe.model.width,
            mean=mean,
            std=std,
            dtype=dtype or recipe.train.precision,
            seed=recipe.seed,
            synchronized=synchronized,
        )
    except (ImportError, ValueError) as reason:
        raise UsageError(
            f"model.backbone = {recipe.model.backbone} cannot be built for images of "
            f"{form.size} px and {form.channels} channels: {reason}"
        ) from reason


def build_method(recipe: Recipe, classifier: keras.Model) -> Method:
    """The recipe's method around a classifier; `UsageError` for settings that do not work."""
    settings = recipe.method
    try:
        return _BUILDERS[type(settings)](settings, classifier, recipe.seed)
    except (ImportError, ValueError) as reason:
        raise UsageError(f"method.name = {settings.name} cannot be built: {reason}") from reason


def build_optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    """The recipe's optimizer, at the first epoch's rate."""
    settings = recipe.optimizer
    if settings.name == "adam":
        return optimizers.Adam(
            settings.learning_rate,
            beta_1=settings.beta_1,
            beta_2=settings.beta_2,
            epsilon=settings.epsilon,
            coupled_weight_decay=settings.coupled_weight_decay,
        )
    return optimizers.SGD(
        settings.learning_rate,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
        coupled_weight_decay=settings.coupled_weight_decay,
    )


def pixel_statistics(recipe: Recipe, train: Samples, form: ImageForm) -> Any:
    """Mean and standard deviation a channel over the training split, 0..255; None for ImageNet's.

    Taken from the stored images, a thousand at a time, so that memory stays flat.
    """
    if recipe.data.normalization == "imagenet":
        return None
    total = square = np.zeros(train.images.shape[-1])
    for start in range(0, len(train), 1000):
        block = train.images[start : start + 1000].astype(np.float64)
        total = total + block.mean(axis=(1, 2)).sum(axis=0)
        square = square + np.square(block).mean(axis=(1, 2)).sum(axis=0)
    mean = total / len(train)
    # A constant image set has deviation nought; one grey level then stands for it.
    std = np.maximum(np.sqrt(np.maximum(square / len(train) - mean**2, 0.0)), 1.0)
    if len(mean) != form.channels:
        mean, std = (np.resize(value.mean(), form.channels) for value in (mean, std))
    return mean, std


def _build_eac(settings: EacSettings, classifier: keras.Model, seed: int) -> Method:
    return EAC(
        classifier,
        settings.consistency_weight,
        consistency_ramp=settings.consistency_ramp,
        pair=settings.pair,
        batch_views=settings.batch_views,
        erase_probability=settings.erase.probability,
        erase_area=settings.erase.area,
        erase_aspect=settings.erase.aspect,
        corruption=corruption(settings.corruptions, seed),
        seed=seed,
    )


def _build_cross_entropy(
    settings: CrossEntropySettings, classifier: keras.Model, seed: int
) -> Method:
    return CrossEntropy(
        classifier,
        erase_probability=settings.erase.probability,
        erase_area=settings.erase.area,
        erase_aspect=settings.erase.aspect,
        corruption=corruption(settings.corruptions, seed),
        seed=seed,
    )


_BUILDERS: dict[type, Callable[[Any, keras.Model, int], Method]] = {
    EacSettings: _build_eac,
    CrossEntropySettings: _build_cross_entropy,
}

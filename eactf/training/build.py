"""These functions build the Keras objects that the sections of a recipe describe."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from eactf import optimizers
from eactf.data.balance import class_quotas
from eactf.data.pipeline import ImageForm
from eactf.data.prepare import PreparedData
from eactf.errors import UsageError
from eactf.foreign import reason_of
from eactf.method_names import METHODS
from eactf.methods.base import Method
from eactf.methods.views import Erasing, Views
from eactf.nn.adversarial import encoder
from eactf.nn.classifier import build_classifier
from eactf.nn.corruptions import corruption
from eactf.nn.weight_import import (
    BackboneWeights,
    WeightsFacts,
    imagenet_for,
    open_weights,
)
from eactf.packed.records import Dataset, Samples
from eactf.recipe import (
    AugmentedSettings,
    ErasingSettings,
    MethodSettings,
    ModelSettings,
    Recipe,
    TaskSettings,
)
from eactf.suggestions import command_line

__all__ = [
    "backbone_weights",
    "build_method",
    "build_model",
    "build_optimizer",
    "class_counts",
    "image_form",
    "pixel_statistics",
    "takes_two_networks",
]


_FULL_WIDTH = 64
"""The channels of an encoder's first stage at its paper's width."""

_SEEDS_APART = 1 << 32
"""A second network's seed is no recipe's: those go to 2**32."""


def image_form(recipe: Recipe, data: Dataset) -> ImageForm:
    """The size and channels that the network takes: the recipe's, or as stored."""
    height, width, channels = data.image_shape
    return ImageForm(
        size=recipe.data.image_size or max(height, width),
        channels=recipe.data.channels or channels,
    )


def backbone_weights(recipe: Recipe, form: ImageForm) -> BackboneWeights | None:
    """What `model.weights` names, checked against the recipe; None where it names nothing.

    Raises `UsageError` where the recipe's network or normalisation is not that of the weights, with
    every difference and what to set, and what `open_weights` raises.
    """
    if recipe.model.weights is None:
        if recipe.data.normalization == "weights":
            raise UsageError(
                "data.normalization = weights, but the recipe names no weights",
                hint="give model.weights, or set data.normalization to imagenet or dataset",
            )
        return None
    weights = open_weights(Path(recipe.model.weights))
    differences = list(_differences(recipe, form, weights.facts))
    if differences:
        found = "".join(f"\n  {difference}" for difference, _ in differences)
        words = [word for _, setting in differences for word in ("--set", setting)]
        raise UsageError(
            f"the recipe does not fit model.weights = {weights.path}:{found}",
            hint=f"to use these weights: {command_line(*words)}",
        )
    return weights


def _differences(recipe: Recipe, form: ImageForm, facts: WeightsFacts) -> Iterator[tuple[str, str]]:
    """What differs between recipe and weights, and the setting that ends it."""
    for key in ("backbone", "stem", "width"):
        own, wanted = getattr(recipe.model, key), getattr(facts, key)
        if own != wanted:
            yield f"model.{key} = {own}, the weights have {wanted}", f"model.{key}={wanted}"
    if form.channels != facts.channels:
        received = f"channels of the images: {form.channels}, the weights take {facts.channels}"
        # Grey images are given to colour weights in three equal channels: exactly what the network
        # knows. One summed kernel would differ at the borders, where padding is not the mean.
        yield received, f"data.channels={facts.channels}"
    normalization = recipe.data.normalization
    imagenet = imagenet_for(facts.channels)
    same = np.allclose([facts.mean, facts.std], [imagenet.mean, imagenet.std], atol=0.01)
    if normalization == "dataset" or (normalization == "imagenet" and not same):
        mean, std = (", ".join(f"{value:.4g}" for value in row) for row in (facts.mean, facts.std))
        yield (
            f"data.normalization = {normalization}, the weights have mean {mean} and std {std}",
            "data.normalization=weights",
        )


def build_model(
    recipe: Recipe,
    form: ImageForm,
    classes: int,
    statistics: tuple[np.ndarray, np.ndarray] | None,
    *,
    weights: BackboneWeights | None = None,
    dtype: str | None = None,
    synchronized: bool = False,
    number: int = 1,
) -> keras.Model:
    """The recipe's classifier, its backbone with `weights` where they are given.

    For methods of several kinds of labels it is the encoder with a head for each. `number` is 2 for
    the second of two networks, whose weights are drawn from another seed.
    `statistics` are `pixel_statistics`, None for ImageNet's. Raises `UsageError` for a backbone
    that is unknown, not installed, or not for such images.
    """
    mean, std = statistics if statistics is not None else (None, None)
    dtype = dtype or recipe.train.precision
    try:
        if isinstance(recipe.method, TaskSettings):
            return _encoder(recipe.model, recipe.method, form, classes, dtype, recipe.seed)
        classifier = build_classifier(
            recipe.model.backbone,
            image_size=form.size,
            channels=form.channels,
            classes=classes,
            stem=recipe.model.stem,
            width=recipe.model.width,
            variant="torchvision" if weights is None else weights.facts.variant,
            mean=mean,
            std=std,
            dtype=dtype,
            seed=recipe.seed if number == 1 else recipe.seed + number * _SEEDS_APART,
            synchronized=synchronized,
        )
    except (ImportError, ValueError) as reason:
        raise UsageError(
            f"model.backbone = {recipe.model.backbone} cannot be built for images of "
            f"{form.size} px and {form.channels} channels: {reason_of(reason)}"
        ) from reason
    if weights is not None:
        weights.apply(classifier)
    return classifier


def _encoder(
    model: ModelSettings, tasks: TaskSettings, form: ImageForm, classes: int, dtype: str, seed: int
) -> keras.Model:
    """The encoder that a method of several kinds of labels trains, a head for each of them."""
    sets = dict.fromkeys((tasks.label, *tasks.label_sets), classes)
    numbers = {name: len(columns) for name, columns in tasks.values.items()}
    return encoder(
        form.size,
        {**sets, **numbers},
        channels=form.channels,
        features=model.features,
        dropout=model.dropout,
        width=model.width / _FULL_WIDTH,
        seed=seed,
        dtype=dtype,
    )


def build_method(
    recipe: Recipe,
    classifier: keras.Model,
    ids: np.ndarray,
    class_counts: Sequence[int] | np.ndarray | None = None,
    another: Callable[[], keras.Model] | None = None,
) -> Method:
    """The recipe's method around a classifier; `ids` are those of the training samples.

    `class_counts` are those of the function of that name; None will do without a
    `prior_adjustment`. `another` builds a second classifier, for methods of two networks; None: one
    of the first one's form, drawn anew.

    Raises `UsageError` for settings that do not work.
    """
    settings = recipe.method
    method_class = _method_class(recipe)
    counts = None if class_counts is None else tuple(float(count) for count in class_counts)
    given = {"ids": ids, "class_prior": counts, "seed": recipe.seed}
    if another is not None and takes_two_networks(recipe):
        given["second"] = another()
    try:
        method: Method = method_class(classifier, **_arguments(method_class, settings, given))
    except (ImportError, ValueError) as reason:
        raise UsageError(
            f"method.name = {settings.name} cannot be built: {reason_of(reason)}"
        ) from reason
    method.repeats_samples = recipe.data.balance != "none"
    return method


def takes_two_networks(recipe: Recipe) -> bool:
    """Whether the recipe's method trains a second network."""
    return "second" in inspect.signature(_method_class(recipe).__init__).parameters


def _method_class(recipe: Recipe) -> type[Method]:
    name = recipe.method.name
    found: type[Method] = getattr(importlib.import_module(f"eactf.methods.{name}"), METHODS[name])
    return found


def class_counts(recipe: Recipe, data: PreparedData) -> np.ndarray:
    """How often each class is given as a label in an epoch, the mean of all, `(classes,)` float64.

    Planted noise is included, and so is a balance of the classes: what an epoch evens out is not
    to be evened out once more.
    """
    counts = np.bincount(data.train.given, minlength=len(data.class_names))
    quotas = class_quotas(counts, recipe.data.balance, len(data.train))
    plain = min(recipe.data.balance_from - 1, recipe.train.epochs) / recipe.train.epochs
    return np.asarray(counts * plain + quotas * (1.0 - plain))


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


def pixel_statistics(
    recipe: Recipe, train: Samples, form: ImageForm, weights: BackboneWeights | None = None
) -> Any:
    """Mean and standard deviation a channel, 0..255, as `data.normalization` says.

    None for ImageNet's. Those of the training split are taken from the stored images, a thousand at
    a time, so that memory stays flat.
    """
    if recipe.data.normalization == "imagenet":
        return None
    if weights is not None:
        return np.array(weights.facts.mean), np.array(weights.facts.std)
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


def _arguments(
    method_class: type[Method], settings: MethodSettings, given: Mapping[str, Any]
) -> dict[str, Any]:
    """What the constructor takes of the method's settings, and of what is `given` beside them."""
    taken = inspect.signature(method_class.__init__).parameters
    known = {
        **{key: getattr(settings, key) for key in type(settings).model_fields if key != "name"},
        "erasing": _erasing(settings),
        "augmentation": _views(settings, given["seed"]),
        **given,
    }
    return {key: value for key, value in known.items() if key in taken}


def _erasing(settings: MethodSettings) -> Erasing | None:
    if not isinstance(settings, ErasingSettings):
        return None
    if settings.corruption != "erase":
        return Erasing(probability=0.0)
    how = settings.erase
    return Erasing(probability=how.probability, area=how.area, aspect=how.aspect)


def _views(settings: MethodSettings, seed: int) -> Views | None:
    """What is done to the images first."""
    if not isinstance(settings, AugmentedSettings):
        return None
    instead, noise = "erase", 0.0
    if isinstance(settings, ErasingSettings):
        instead, noise = settings.corruption, settings.pixel_noise
    return Views(
        corruption=corruption(settings.corruptions, seed, instead=instead),
        crop_padding=settings.crop_padding,
        pixel_noise=noise,
        rotation=settings.rotation,
        shift=settings.shift,
        zoom=settings.zoom,
    )

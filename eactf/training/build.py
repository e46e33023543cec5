"""These functions build the Keras objects that the sections of a recipe describe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
from eactf.methods.attention_consistency import AttentionConsistency
from eactf.methods.base import Method
from eactf.methods.cross_entropy import CrossEntropy
from eactf.methods.eac import EAC
from eactf.methods.rul import RUL
from eactf.methods.scn import SCN
from eactf.methods.views import Erasing, Views
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
    AttentionConsistencySettings,
    CrossEntropySettings,
    EacSettings,
    ErasingSettings,
    MethodSettings,
    OneViewSettings,
    Recipe,
    RulSettings,
    ScnSettings,
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
]


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
) -> keras.Model:
    """The recipe's classifier, its backbone with `weights` where they are given.

    `statistics` are `pixel_statistics`, None for ImageNet's. Raises `UsageError` for a backbone
    that is unknown, not installed, or not for such images.
    """
    mean, std = statistics if statistics is not None else (None, None)
    try:
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
            dtype=dtype or recipe.train.precision,
            seed=recipe.seed,
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


@dataclass(frozen=True)
class _About:
    """What a method wants to know beside its settings.

    The seed, the training samples' ids, and how often each class is given as a label in training.
    """

    seed: int
    ids: np.ndarray
    class_counts: tuple[int, ...] | None


def build_method(
    recipe: Recipe,
    classifier: keras.Model,
    ids: np.ndarray,
    class_counts: Sequence[int] | np.ndarray | None = None,
) -> Method:
    """The recipe's method around a classifier; `ids` are those of the training samples.

    `class_counts` are those of the function of that name; None will do without a
    `prior_adjustment`.

    Raises `UsageError` for settings that do not work.
    """
    settings = recipe.method
    try:
        counts = None if class_counts is None else tuple(int(count) for count in class_counts)
        about = _About(recipe.seed, ids, counts)
        method = _BUILDERS[type(settings)](settings, classifier, about)
    except (ImportError, ValueError) as reason:
        raise UsageError(
            f"method.name = {settings.name} cannot be built: {reason_of(reason)}"
        ) from reason
    method.repeats_samples = recipe.data.balance != "none"
    return method


def class_counts(recipe: Recipe, data: PreparedData) -> np.ndarray:
    """How often each class is given as a label in an epoch of training, `(classes,)`.

    Planted noise is included, and so is a balance of the classes: what an epoch evens out is not
    to be evened out once more.
    """
    counts = np.bincount(data.train.given, minlength=len(data.class_names))
    return class_quotas(counts, recipe.data.balance, len(data.train))


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


def _erasing(settings: ErasingSettings | EacSettings) -> Erasing:
    how = settings.erase
    return Erasing(probability=how.probability, area=how.area, aspect=how.aspect)


def _views(settings: MethodSettings, about: _About, *, instead: str = "erase") -> Views:
    """What is done to the images first; `instead` is `corruption`'s."""
    return Views(
        corruption=corruption(settings.corruptions, about.seed, instead=instead),
        crop_padding=settings.crop_padding,
        pixel_noise=getattr(settings, "pixel_noise", 0.0),
    )


def _build_eac(settings: EacSettings, classifier: keras.Model, about: _About) -> Method:
    erases = settings.corruption == "erase"
    return EAC(
        classifier,
        settings.consistency_weight,
        consistency_ramp=settings.consistency_ramp,
        pair=settings.pair,
        classify=settings.classify,
        transform=settings.transform,
        batch_views=settings.batch_views,
        consistency_share=settings.consistency_share,
        erasing=_erasing(settings) if erases else Erasing(probability=0.0),
        augmentation=_views(settings, about, instead=settings.corruption),
        **_all(settings, about),
    )


def _build_attention_consistency(
    settings: AttentionConsistencySettings, classifier: keras.Model, about: _About
) -> Method:
    return AttentionConsistency(
        classifier,
        settings.consistency_weight,
        consistency_ramp=settings.consistency_ramp,
        scale_weight=settings.scale_weight,
        views=settings.views,
        batch_views=settings.batch_views,
        augmentation=_views(settings, about),
        **_all(settings, about),
    )


def _build_cross_entropy(
    settings: CrossEntropySettings, classifier: keras.Model, about: _About
) -> Method:
    return CrossEntropy(
        classifier,
        label_smoothing=settings.label_smoothing,
        generalized=settings.generalized,
        **_one_view(settings, about),
    )


def _build_scn(settings: ScnSettings, classifier: keras.Model, about: _About) -> Method:
    return SCN(
        classifier,
        ids=about.ids,
        ratio=settings.ratio,
        rank_margin=settings.rank_margin,
        rank_weight=settings.rank_weight,
        relabel_epoch=settings.relabel_epoch,
        relabel_margin=settings.relabel_margin,
        relabel=settings.relabel,
        **_one_view(settings, about),
    )


def _build_rul(settings: RulSettings, classifier: keras.Model, about: _About) -> Method:
    return RUL(
        classifier,
        embedding=settings.embedding,
        dropout=settings.dropout,
        head_rate=settings.head_rate,
        **_one_view(settings, about),
    )


def _one_view(settings: OneViewSettings, about: _About) -> dict[str, Any]:
    return {
        "flip_probability": settings.flip_probability,
        "erasing": _erasing(settings),
        "augmentation": _views(settings, about),
        **_all(settings, about),
    }


def _all(settings: MethodSettings, about: _About) -> dict[str, Any]:
    """What every method takes."""
    return {
        "prior_adjustment": settings.prior_adjustment,
        "class_prior": about.class_counts,
        "seed": about.seed,
    }


_BUILDERS: dict[type, Callable[[Any, keras.Model, _About], Method]] = {
    EacSettings: _build_eac,
    AttentionConsistencySettings: _build_attention_consistency,
    CrossEntropySettings: _build_cross_entropy,
    ScnSettings: _build_scn,
    RulSettings: _build_rul,
}

"""These classes are the settings of the methods; `method.name` says which of them a recipe has.

To add a method, write its class after the others and enter it in `Method`; keys, ranges, help and
did-you-mean follow from that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag

from eactf.recipe.sections import (
    Conflict,
    Expected,
    Names,
    Only,
    Pair,
    Section,
    whole_number,
)

__all__ = [
    "METHOD_NAMES",
    "AttentionConsistencySettings",
    "CrossEntropySettings",
    "EacSettings",
    "Erasing",
    "ErasingSettings",
    "Method",
    "MethodSettings",
    "OneViewSettings",
    "RulSettings",
    "ScnSettings",
    "method_name",
]


# The first method's help stands for a key that several methods have.
_PIXEL_NOISE = (
    "share of the training images that get Gaussian pixel noise (variance 30); 0: EAC's paper. "
    "Published code: EAC 0.5; SCN and RUL 0.25, with flip_probability 0.25"
)


class Erasing(Section):
    """Random erasing: a rectangle of a training image set to the mean colour."""

    probability: float = Field(default=0.5, ge=0, le=1, description="share of the images erased")
    area: Annotated[Pair, Expected("[low, high], 0 < low <= high < 1")] = Field(
        default=(0.02, 0.25), description="erased share of the image, drawn uniformly"
    )
    aspect: Annotated[Pair, Expected("[low, high], 0 < low <= high")] = Field(
        default=(0.3, 3.3), description="height / width of the rectangle, drawn log-uniformly"
    )

    def conflicts(self) -> Iterator[Conflict]:
        if not 0 < self.area[0] <= self.area[1] < 1:
            yield Conflict("area", "out of range", "")
        if not 0 < self.aspect[0] <= self.aspect[1]:
            yield Conflict("aspect", "out of range", "")


class MethodSettings(Section):
    """What all methods have: a name, and augmentations and a crop before all else."""

    name: str = Field(default="", description="the training method")
    corruptions: Names = Field(
        default=(),
        description="further augmentations, keras-cv layers by name (needs eactf[keras-cv])",
    )
    crop_padding: int = Field(
        default=0,
        ge=0,
        le=64,
        description="pixels to pad by before cutting a random crop of the image's size; 0: no crop",
    )
    prior_adjustment: float = Field(
        default=0.0,
        ge=0,
        description="tau of the logit adjustment by how often each class is given as a label in "
        "training, for the sake of rare classes (Menon et al., ICLR 2021: 1); 0: off",
    )


class ErasingSettings(MethodSettings):
    """A method whose training views are erased at random."""

    erase: Erasing = Field(default_factory=Erasing, description="random erasing")


class EacSettings(MethodSettings):
    """Erasing Attention Consistency (Zhang et al., ECCV 2022)."""

    name: Literal["eac"] = Field(default="eac", description="erasing attention consistency")
    consistency_weight: float = Field(
        default=5.0, ge=0, description="weight of the flip consistency (lambda of the paper)"
    )
    consistency_ramp: float = Field(
        default=0.0, ge=0, description="epochs over which the weight grows from 0; 0: the paper"
    )
    pair: Literal["mirrored", "independent"] = Field(
        default="mirrored",
        description="second view: the first one mirrored (paper), or erased anew (published code)",
    )
    batch_views: bool = Field(
        default=False,
        description="both views in one forward pass; differs in BatchNorm from one a view, which "
        "EAC's code makes (attention_consistency: true unless set, as its code)",
    )
    consistency_share: float = Field(
        default=1.0,
        ge=0.001,
        le=1,
        description="share of each batch that has a second view; 1: the paper. A step costs about "
        "1 + this share of a cross-entropy step",
    )
    classify: Literal["original", "both"] = Field(
        default="original",
        description="views that are classified; both: without the paper's imbalanced framework",
    )
    transform: Literal["flip", "rotate", "scale"] = Field(
        default="flip", description="how the second view is made (table 4 of the paper)"
    )
    corruption: Literal["erase", "blur", "auto_augment", "none"] = Field(
        default="erase", description="how the views are disturbed (table 4 of the paper)"
    )
    erase: Annotated[Erasing, Only("corruption", "erase")] = Field(
        default_factory=Erasing, description="random erasing"
    )
    pixel_noise: float = Field(default=0.0, ge=0, le=1, description=_PIXEL_NOISE)


class AttentionConsistencySettings(MethodSettings):
    """Attention consistency (Guo et al., CVPR 2019)."""

    name: Literal["attention_consistency"] = Field(
        default="attention_consistency", description="attention consistency, nothing erased"
    )
    consistency_weight: float = Field(
        default=1.0, ge=0, description="weight of the distances between maps"
    )
    consistency_ramp: float = Field(
        default=0.0, ge=0, description="epochs over which the weight grows from 0; 0: the paper"
    )
    views: Annotated[Literal[2, 4], BeforeValidator(whole_number)] = Field(
        default=2, description="2: the image and its mirror; 4: both at two sizes (the original)"
    )
    batch_views: bool = Field(
        default=True, description="image and mirror in one forward pass, as the published code"
    )
    scale_weight: Annotated[float | None, Only("views", "4")] = Field(
        default=None,
        ge=0,
        description="weight of the distance between the sizes; null: consistency_weight",
    )


class OneViewSettings(ErasingSettings):
    """A method that sees each image once, erased and mirrored at random."""

    flip_probability: float = Field(
        default=0.5, ge=0, le=1, description="share of the training images mirrored"
    )
    pixel_noise: float = Field(default=0.0, ge=0, le=1, description=_PIXEL_NOISE)

    def conflicts(self) -> Iterator[Conflict]:
        # An image is mirrored or noisy, never both: one draw decides.
        if self.flip_probability + self.pixel_noise > 1:
            advice = (
                f"flip_probability + pixel_noise must be at most 1; here "
                f"{self.flip_probability:g} + {self.pixel_noise:g}"
            )
            yield Conflict("pixel_noise", "out of range", advice)


class CrossEntropySettings(OneViewSettings):
    """The paper's baseline: cross-entropy on flipped and erased images."""

    name: Literal["cross_entropy"] = Field(
        default="cross_entropy", description="plain cross-entropy"
    )
    label_smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="share of each label spread over all classes"
    )
    generalized: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="exponent q of generalised cross-entropy (0.7 in its paper); null: plain",
    )


class ScnSettings(OneViewSettings):
    """Self-Cure Network (Wang et al., CVPR 2020)."""

    name: Literal["scn"] = Field(default="scn", description="self-cure network")
    ratio: float = Field(
        default=0.7, gt=0, lt=1, description="share of a batch in the important group"
    )
    rank_margin: float = Field(
        default=0.15, ge=0, description="distance the groups must keep (0.07 advised at batch 64)"
    )
    rank_weight: float = Field(default=1.0, ge=0, description="weight of the rank regularisation")
    relabel_epoch: int | None = Field(
        default=10, ge=1, description="first epoch that changes labels; null: none does"
    )
    relabel_margin: float = Field(
        default=0.2, ge=0, lt=1, description="lead in probability that changes a label"
    )
    relabel: Literal["all", "low_importance"] = Field(
        default="all",
        description="samples that may change: all (published code), the low group (paper)",
    )


class RulSettings(OneViewSettings):
    """Relative Uncertainty Learning (Zhang et al., NeurIPS 2021)."""

    name: Literal["rul"] = Field(default="rul", description="relative uncertainty learning")
    embedding: int = Field(default=64, ge=1, le=4096, description="features of each branch")
    dropout: float = Field(default=0.4, ge=0, lt=1, description="dropout before each branch")
    head_rate: float = Field(
        default=10.0, gt=0, description="the last layer's learning rate over the others'"
    )


def method_name(settings: Any) -> str:
    """The name that chooses a method's settings: `eac` where a recipe does not say."""
    if isinstance(settings, Mapping):
        return str(settings.get("name", "eac"))
    return str(getattr(settings, "name", None))


Method = Annotated[
    Annotated[EacSettings, Tag("eac")]
    | Annotated[CrossEntropySettings, Tag("cross_entropy")]
    | Annotated[AttentionConsistencySettings, Tag("attention_consistency")]
    | Annotated[ScnSettings, Tag("scn")]
    | Annotated[RulSettings, Tag("rul")],
    Discriminator(method_name),
]
"""The settings of one method, found by `name`."""

METHOD_NAMES: tuple[str, ...] = tuple(
    mark.tag
    for member in get_args(get_args(Method)[0])
    for mark in get_args(member)
    if isinstance(mark, Tag)
)

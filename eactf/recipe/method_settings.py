"""These classes are the settings of the methods; `method.name` says which of them a recipe has.

What several methods share stands here. A method's own settings are its constructor's arguments:
their annotations say what each accepts, the docstring's bullets what it is (`signatures.py`). So a
new method's keys, ranges, help and did-you-mean follow from its file, and its line in
`eactf/method_names.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from pydantic import BeforeValidator, Discriminator, Field, Tag, create_model

from eactf.method_names import METHODS
from eactf.only import Only
from eactf.recipe.sections import (
    Conflict,
    Expected,
    Names,
    NamesByName,
    NumbersByName,
    Pair,
    Section,
    Table,
    whole_number,
)
from eactf.recipe.signatures import Argument, read_constructor

__all__ = [
    "SETTINGS",
    "AugmentedSettings",
    "Erasing",
    "ErasingSettings",
    "Method",
    "MethodSettings",
    "TaskSettings",
    "method_name",
]


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


class NoErasing(Erasing):
    """Random erasing, of methods that erase nothing unless they are told to."""

    probability: float = Field(default=0.0, ge=0, le=1, description="share of the images erased")


class MethodSettings(Section):
    """What all methods have: a name."""

    name: str = Field(default="", description="the training method")


class AugmentedSettings(Section):
    """Of methods that take an `augmentation`: what is done to the images before all else."""

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
    rotation: float = Field(
        default=0.0, ge=0, le=180, description="degrees by which images are turned at most"
    )
    shift: float = Field(
        default=0.0, ge=0, le=1024, description="pixels by which images are shifted at most"
    )
    zoom: float = Field(
        default=0.0, ge=0, lt=1, description="share by which images are zoomed in or out at most"
    )


class AdjustedSettings(Section):
    """Of methods that take a `prior_adjustment`."""

    prior_adjustment: float = Field(
        default=0.0,
        ge=0,
        description="tau of the logit adjustment by how often each class is given as a label in "
        "training, for the sake of rare classes (Menon et al., ICLR 2021: 1); 0: off",
    )


class ErasingSettings(Section):
    """Of methods that take an `erasing`: views erased at random, or disturbed in another way."""

    corruption: Literal["erase", "blur", "auto_augment", "none"] = Field(
        default="erase", description="how the views are disturbed (table 4 of EAC's paper)"
    )
    erase: Annotated[Erasing, Only("corruption", "erase")] = Field(
        default_factory=Erasing, description="random erasing"
    )
    pixel_noise: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of the training images that get Gaussian pixel noise (variance 30); 0: "
        "EAC's paper. Published code: EAC 0.5; SCN and RUL 0.25, with flip_probability 0.25",
    )


class MirroringSettings(Section):
    """Of methods that take a `flip_probability`: they see each image once, mirrored at random."""

    flip_probability: float = Field(
        default=0.5, ge=0, le=1, description="share of the training images mirrored"
    )

    def conflicts(self) -> Iterator[Conflict]:
        yield from super().conflicts()
        # An image is mirrored or noisy, never both: one draw decides.
        noise = getattr(self, "pixel_noise", 0.0)
        if self.flip_probability + noise > 1:
            advice = (
                f"flip_probability + pixel_noise must be at most 1; here "
                f"{self.flip_probability:g} + {noise:g}"
            )
            yield Conflict("pixel_noise", "out of range", advice)


class TaskSettings(Section):
    """Of methods that train an `encoder`: the labels of several kinds that it learns."""

    label: str = Field(
        default="label",
        min_length=1,
        description="what the class labels are called, of which the result is: the name of their "
        "head in encoder.keras",
    )
    label_sets: Names = Field(
        default=(), description="further label sets of the data to learn, a head each"
    )
    values: NamesByName = Field(
        default_factory=Table,
        description="the data's continuous targets to learn, by the name of their head, such as "
        "{affect: [valence, arousal]}",
    )
    task_weights: NumbersByName = Field(
        default_factory=Table,
        description="how much each head's loss counts; 1 where it is not named",
    )

    @property
    def heads(self) -> tuple[str, ...]:
        """The names of all heads."""
        return (self.label, *self.label_sets, *self.values)

    def conflicts(self) -> Iterator[Conflict]:
        yield from super().conflicts()
        columns = [*self.heads, *(name for names in self.values.values() for name in names)]
        twice = [name for name in columns if columns.count(name) > 1]
        if twice:
            yield Conflict("values", "given twice", f"two heads or targets are called {twice[0]}")
        empty = [name for name, columns in self.values.items() if not columns]
        if empty:
            yield Conflict("values", "out of range", f"the head {empty[0]} has no target")
        for name, weight in self.task_weights.items():
            if name not in self.heads:
                advice = f"there is no head {name}; there are {', '.join(self.heads)}"
                yield Conflict("task_weights", "unknown name", advice)
            elif weight < 0:
                yield Conflict("task_weights", "out of range", f"{name}: expected a number >= 0")


class ScoreSettings(Section):
    """Of methods that take `score_weights`: what a discriminator's scores count."""

    score_weights: NumbersByName = Field(
        default_factory=Table,
        description="weights of the discriminator's scores (gamma): image, noise, joint and each "
        "head; 1 where one is not named",
    )

    def conflicts(self) -> Iterator[Conflict]:
        yield from super().conflicts()
        known = ("image", "noise", *getattr(self, "heads", ()), "joint")
        for name, weight in self.score_weights.items():
            if name not in known:
                advice = f"there is no score {name}; there are {', '.join(known)}"
                yield Conflict("score_weights", "unknown name", advice)
            elif weight < 0:
                yield Conflict("score_weights", "out of range", f"{name}: expected a number >= 0")


_SHARED: dict[str, type[Section]] = {
    "augmentation": AugmentedSettings,
    "prior_adjustment": AdjustedSettings,
    "erasing": ErasingSettings,
    "flip_probability": MirroringSettings,
    "encoder": TaskSettings,
    "score_weights": ScoreSettings,
}
"""The settings behind arguments that several methods take."""

_OFF = "Erasing(probability=0.0)"

_GIVEN = ("seed", "name")
"""Arguments that are plain values and no settings of the method."""


def _settings_of(name: str, class_name: str) -> type[MethodSettings]:
    constructor = read_constructor(name, class_name)
    shared = [kind for taken, kind in _SHARED.items() if taken in constructor.takes]
    fields: dict[str, Any] = {
        "name": (Literal[name], Field(default=name, description=constructor.summary))
    }
    if constructor.defaults.get("erasing") == _OFF:
        kind = Annotated[NoErasing, Only("corruption", "erase")]
        fields["erase"] = (kind, Field(default_factory=NoErasing, description="random erasing"))
    if constructor.defaults.get("flip_probability") == "0.0":
        about = "share of the training images mirrored"
        fields["flip_probability"] = (float, Field(default=0.0, ge=0, le=1, description=about))
    told = {*_GIVEN, *_SHARED, *(key for kind in shared for key in kind.model_fields)}
    for argument in constructor.arguments:
        if argument.name not in told:
            fields[argument.name] = _field(argument)
    # Keys of later bases come first.
    bases: Any = (*reversed(shared), MethodSettings)
    made: type[MethodSettings] = create_model(
        f"{class_name}Settings", __base__=bases, __doc__=constructor.summary, **fields
    )
    return made


def _field(argument: Argument) -> tuple[Any, Any]:
    if not argument.help:
        raise TypeError(f"no bullet of the class's docstring begins with `{argument.name}`:")
    kind = argument.annotation
    if get_origin(kind) is Literal and all(type(choice) is int for choice in get_args(kind)):
        kind = Annotated[kind, BeforeValidator(whole_number)]
    return kind, Field(default=argument.default, description=argument.help)


SETTINGS = {name: _settings_of(name, class_name) for name, class_name in METHODS.items()}
"""The settings' class of each method, by the method's name."""


def method_name(settings: Any) -> str:
    """The name that chooses a method's settings: `eac` where a recipe does not say."""
    if isinstance(settings, Mapping):
        return str(settings.get("name", next(iter(SETTINGS))))
    return str(getattr(settings, "name", None))


if TYPE_CHECKING:
    Method = MethodSettings
else:
    _tagged = (Annotated[kind, Tag(name)] for name, kind in SETTINGS.items())
    Method = Annotated[reduce(or_, _tagged), Discriminator(method_name)]
    """The settings of one method, found by `name`."""

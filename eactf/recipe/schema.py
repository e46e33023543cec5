"""The schema defines every key of a recipe: its type, its range, its default and what it does.

Those of the methods stand in `method_settings.py`, those of label noise in `noise_settings.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from eactf.only import Only
from eactf.recipe.method_settings import SETTINGS, Method, TaskSettings
from eactf.recipe.noise_settings import PRESETS, NoiseSettings
from eactf.recipe.sections import (
    Conflict,
    Expected,
    Section,
    Seed,
    as_tuple,
    refuse,
    whole_number,
)

__all__ = [
    "PRESETS",
    "DataSettings",
    "DrawnFaces",
    "ModelSettings",
    "NoiseSettings",
    "OptimizerSettings",
    "Recipe",
    "ReportSettings",
    "ScheduleSettings",
    "TrainSettings",
    "seconds_of",
]

_DURATION = re.compile(r"(?=.*[1-9])(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)


def seconds_of(duration: str) -> int:
    """The seconds of a duration such as `1h30m`; `ValueError` for a text that is none."""
    match = _DURATION.fullmatch(duration)
    if match is None:
        raise ValueError(f"expected a time such as 55m, 90s or 1h30m; received {duration!r}")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds


def _duration(value: Any) -> Any:
    if value is not None and not (isinstance(value, str) and _DURATION.fullmatch(value)):
        raise refuse("out of range", "expected a time such as 55m, 90s or 1h30m")
    return value


EpochNumbers = Annotated[tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(as_tuple)]


class DrawnFaces(Section):
    """The face set drawn in code: how many, how large, how hard."""

    train: int = Field(default=2000, ge=1, le=1_000_000, description="training faces to draw")
    validation: int = Field(default=500, ge=1, le=1_000_000, description="validation faces to draw")
    test: int = Field(default=1000, ge=1, le=1_000_000, description="test faces to draw")
    size: int = Field(default=48, ge=16, le=512, description="width and height of a face in pixels")
    seed: Seed = Field(
        default=0, description="seed of the faces; the recipe's own seed leaves them alone"
    )
    difficulty: float = Field(
        default=1.0, ge=0, le=2, description="0: plain, frontal faces; 1: varied; 2: harder still"
    )


class DataSettings(Section):
    """Where the images come from and how they are prepared."""

    source: Literal["drawn-faces", "packed", "images"] = Field(
        default="packed",
        description="a face set drawn in code, a file made by 'eactf data pack', or images that it"
        " could pack (a folder, manifest or arrays), packed anew for each run",
    )
    path: Annotated[
        str | None, Only("source", "packed", "images"), Expected("path of a file or folder")
    ] = Field(
        default=None,
        description="the packed file or the images; --data sets it, and data.source with it",
    )
    max_bad: Annotated[float, Only("source", "images")] = Field(
        default=0.01,
        ge=0,
        le=1,
        description="share of the images that may turn out unreadable and be left out",
    )
    image_size: int | None = Field(
        default=None, ge=8, le=1024, description="resize to this width and height; null: as stored"
    )
    channels: Annotated[Literal[1, 3] | None, BeforeValidator(whole_number)] = Field(
        default=None, description="1 grey, 3 colour; null: as stored"
    )
    normalization: Literal["imagenet", "dataset", "weights"] = Field(
        default="imagenet",
        description="mean and deviation of ImageNet, of the training split, or of model.weights",
    )
    train_limit: int | None = Field(
        default=None,
        ge=1,
        description="train on this many samples, chosen by (seed, id); null: all",
    )
    balance: Literal["none", "class", "sqrt"] = Field(
        default="none",
        description="how often a class is shown in training: as it is there, all classes alike, or"
        " by the root of their counts; an epoch keeps its length",
    )
    balance_from: Annotated[int, Only("balance", "class", "sqrt")] = Field(
        default=1,
        ge=1,
        description="first epoch that is balanced; earlier ones show the classes as they are"
        " (deferred re-balancing, Cao et al., NeurIPS 2019)",
    )
    validation_fraction: Annotated[float, Only("source", "packed", "images")] = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="share of train held out if the data has no validation split",
    )
    drawn: Annotated[DrawnFaces, Only("source", "drawn-faces")] = Field(
        default_factory=DrawnFaces, description="the drawn faces"
    )


class ModelSettings(Section):
    """The classifier: backbone, global average pooling, dense layer."""

    backbone: Annotated[
        str,
        Expected(
            "resnet10 | resnet18 | resnet34 | resnet50 | vgg16 | keras_cv:NAME |"
            " keras_applications:NAME"
        ),
    ] = Field(
        default="resnet18",
        pattern=r"^(resnet(10|18|34|50)|vgg16|(keras_cv|keras[._]applications):[A-Za-z0-9][A-Za-z0-9_./-]*)$",
        description="the network before pooling; vgg16 is the encoder of multi_task and"
        " joint_distribution",
    )
    stem: Annotated[Literal["imagenet", "small", "compact"], Only("backbone", "resnet*")] = Field(
        default="imagenet",
        description="first layers; the map is input / 32 (imagenet), / 16 (compact), / 8 (small)",
    )
    width: Annotated[int, Only("backbone", "resnet*", "vgg16")] = Field(
        default=64,
        ge=4,
        le=256,
        description="channels of the first stage; the last has 8 times as many",
    )
    features: Annotated[int, Only("backbone", "vgg16")] = Field(
        default=500,
        ge=1,
        le=4096,
        description="units of the two dense layers behind the encoder, at width 64; they scale "
        "with it",
    )
    dropout: Annotated[float, Only("backbone", "vgg16")] = Field(
        default=0.5, ge=0, lt=1, description="share of these layers' units left out in training"
    )
    weights: Annotated[
        str | None, Only("backbone", "resnet*"), Expected("path of a .weights.h5 file")
    ] = Field(
        default=None,
        min_length=1,
        description="backbone to start from, made by 'eactf weights import'; null: random",
    )


class OptimizerSettings(Section):
    """The step that training takes."""

    name: Literal["adam", "sgd"] = Field(default="adam", description="the optimiser")
    learning_rate: float = Field(default=2e-4, gt=0, description="learning rate of the first epoch")
    coupled_weight_decay: float = Field(
        default=1e-4, ge=0, description="decay added to the gradient, as torch does; not AdamW's"
    )
    momentum: Annotated[float, Only("name", "sgd")] = Field(
        default=0.9, ge=0, le=1, description="momentum"
    )
    nesterov: Annotated[bool, Only("name", "sgd")] = Field(
        default=False, description="Nesterov's momentum"
    )
    beta_1: Annotated[float, Only("name", "adam")] = Field(
        default=0.9, ge=0, lt=1, description="decay of the mean of the gradient"
    )
    beta_2: Annotated[float, Only("name", "adam")] = Field(
        default=0.999, ge=0, lt=1, description="decay of the mean of its square"
    )
    epsilon: Annotated[float, Only("name", "adam")] = Field(
        default=1e-8, gt=0, description="added to the root of the second moment"
    )


class ScheduleSettings(Section):
    """How the learning rate changes from epoch to epoch."""

    kind: Literal["exponential", "cosine", "linear", "step", "constant"] = Field(
        default="exponential",
        description="times gamma every epoch, down to 0 as a cosine or in a line, in steps, or"
        " unchanged",
    )
    gamma: Annotated[float, Only("kind", "exponential")] = Field(
        default=0.9, gt=0, le=1, description="factor after every epoch"
    )
    after: Annotated[
        EpochNumbers, Only("kind", "step"), Expected("list of numbers of epochs, from 1")
    ] = Field(default=(), description="epochs after each of which the rate is times factor")
    factor: Annotated[float, Only("kind", "step")] = Field(
        default=0.1, gt=0, le=1, description="what each step multiplies the rate by"
    )
    constant_epochs: Annotated[int, Only("kind", "linear")] = Field(
        default=0,
        ge=0,
        description="epochs at the full rate before it falls (Co-teaching: 80 of 200)",
    )
    beta_1: Annotated[float | None, Only("kind", "linear")] = Field(
        default=None,
        ge=0,
        lt=1,
        description="Adam's beta_1 once the rate falls (Co-teaching: 0.1); null: optimizer.beta_1",
    )

    def conflicts(self) -> Iterator[Conflict]:
        if self.kind == "step" and not self.after:
            yield Conflict("after", "missing key", "say when the rate falls: after: [40]")


class TrainSettings(Section):
    """How long, how much at once, on what."""

    epochs: int = Field(default=60, ge=1, description="passes over the training split")
    batch_size: int = Field(
        default=32, ge=1, description="samples a step, over all devices together"
    )
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = Field(
        default="float32", description="type to compute in; mixed_float16 scales the loss"
    )
    xla: bool = Field(default=False, description="compile the step with XLA")
    devices: int | None = Field(
        default=None, ge=1, description="devices to use; null: every GPU found"
    )
    checkpoint_minutes: float = Field(
        default=10.0,
        gt=0,
        description="save the run's state this often within an epoch too; it is saved after each",
    )
    stop_after: Annotated[
        str | None, BeforeValidator(_duration), Expected("a time such as 55m, 90s or 1h30m")
    ] = Field(
        default=None,
        description="end in time, saved, for a queue's limit: 55m, 90s, 1h30m; null: no limit",
    )


class ReportSettings(Section):
    """How the result is told."""

    last_epochs: int = Field(
        default=5, ge=1, description="report the mean of this many last epochs (the paper: 5)"
    )
    best_on_test: bool = Field(
        default=False,
        description="also tell the epoch best on the judged split itself: optimistic, chosen on it",
    )
    every_epoch: bool = Field(
        default=False,
        description="judge after every epoch: recalls and confusion matrix, in judged.jsonl",
    )


class Recipe(Section):
    """One complete experiment.

    >>> Recipe(method={"name": "eac", "consistency_weight": 3.0}).method.consistency_weight
    3.0
    """

    seed: Seed = Field(default=0, description="seed of weights, order, erasing and noise")
    data: DataSettings = Field(default_factory=DataSettings, description="the images")
    noise: NoiseSettings = Field(default_factory=NoiseSettings, description="wrong labels")
    model: ModelSettings = Field(default_factory=ModelSettings, description="the classifier")
    method: Method = Field(
        default_factory=next(iter(SETTINGS.values())), description="the training method"
    )
    optimizer: OptimizerSettings = Field(
        default_factory=OptimizerSettings, description="the optimiser"
    )
    schedule: ScheduleSettings = Field(
        default_factory=ScheduleSettings, description="the learning rate over the epochs"
    )
    train: TrainSettings = Field(default_factory=TrainSettings, description="the training run")
    report: ReportSettings = Field(default_factory=ReportSettings, description="the result")

    def conflicts(self) -> Iterator[Conflict]:
        yield from self._encoder_conflicts()
        warped = any(getattr(self.method, key, 0.0) for key in ("rotation", "shift", "zoom"))
        if self.train.xla and warped:
            advice = "XLA cannot turn, shift or zoom images: set train.xla to false"
            yield Conflict("train.xla", "not together", advice)
        if self.schedule.beta_1 is not None and self.optimizer.name != "adam":
            advice = (
                "beta_1 serves only optimizer.name = adam; here optimizer.name = "
                f"{self.optimizer.name}"
            )
            yield Conflict("schedule.beta_1", "has no effect", advice)

    def _encoder_conflicts(self) -> Iterator[Conflict]:
        encodes, encoder = isinstance(self.method, TaskSettings), self.model.backbone == "vgg16"
        name = self.method.name
        if encodes and not encoder:
            advice = f"{name} trains an encoder: set model.backbone to vgg16"
            yield Conflict("model.backbone", "another network", advice)
        if encoder and not encodes:
            advice = f"vgg16 has no pooled head, which {name} needs: take a resnet"
            yield Conflict("model.backbone", "another network", advice)
        if encoder and self.data.normalization != "imagenet":
            advice = "the encoder scales its images itself: leave out data.normalization"
            yield Conflict("data.normalization", "has no effect", advice)

    @property
    def noise_seed(self) -> int:
        """The seed of the label noise: its own where it has one, else the recipe's."""
        return self.seed if self.noise.seed is None else self.noise.seed

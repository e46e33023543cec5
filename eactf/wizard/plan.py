"""`make_plan` gives every key of a recipe a value with its reason, from data, machine and answers.

::

    image_rules    size, channels, normalisation, stem
    label_rules    which labels, how many are wrong, the method
    time_rules     network, batch, epochs, precision
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eactf.intake.fingerprint import Fingerprint
from eactf.wizard import balance_rules, image_rules, label_rules, time_rules
from eactf.wizard.choices import Choice, Origin
from eactf.wizard.cost import Network, StepTime
from eactf.wizard.label_rules import WrongLabels
from eactf.wizard.machine import Machine
from eactf.wizard.time_rules import WANTED_EPOCHS, Budget, Pace

__all__ = ["Answers", "Plan", "make_plan", "packed_bytes", "usual_minutes", "validation_share"]

_MINUTES = (5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480)
_PATIENCE_MINUTES = 30
_FEW_IMAGES = 2000


@dataclass(frozen=True)
class Answers:
    """What the user said that the recipe depends on.

    `labels` is `GIVEN` or the name of a label set. The recipe names `data`, a packed file or, where
    `packed` is false, the user's own images. `held_out`: packing takes a validation split off.
    `max_bad` is the share of images that may be unusable. `minutes_origin` is `DEFAULT` where
    nobody said how long it may take, `data_origin` where nobody said to pack.
    """

    labels: str
    minutes: int
    data: str
    packed: bool = True
    held_out: bool = False
    max_bad: float = 0.01
    minutes_origin: Origin = Origin.YOU
    data_origin: Origin = Origin.YOU


@dataclass(frozen=True)
class Plan:
    """A recipe to be: its keys in order, each with its reason, and what it will cost.

    `views` are how often a training step sees each image; `seconds` is the length of the run.
    """

    choices: Mapping[str, Choice[Any]]
    network: Network
    step: StepTime
    views: int
    seconds: float

    def value(self, key: str) -> Any:
        """The value of a key of the plan."""
        return self.choices[key].value


@dataclass(frozen=True)
class _Outline:
    """What follows from the data and the machine alone."""

    size: Choice[int]
    channels: Choice[int]
    stem: Choice[str]
    batch: Choice[int]
    precision: Choice[str]
    train: int
    validation: int
    candidates: tuple[Network, ...]

    def budget(self, minutes: int, origin: Origin = Origin.YOU) -> Budget:
        return Budget(self.train, self.validation, self.batch.value, minutes, origin)


def make_plan(fingerprint: Fingerprint, answers: Answers, wrong: WrongLabels, pace: Pace) -> Plan:
    """Every key of the recipe: a rule each, in the order in which they need each other."""
    outline = _outline(fingerprint, pace.machine)
    method = label_rules.method_name(wrong)
    views = 1 if method.value == "cross_entropy" else 2
    budget = outline.budget(answers.minutes, answers.minutes_origin)
    steps = _step_times(outline, pace, views)
    fitting = {one: time_rules.fitting_epochs(budget, step) for one, step in steps.items()}
    network = time_rules.network(fitting)
    epochs = time_rules.epochs(budget, steps[network])
    limit = time_rules.train_limit(budget, steps[network])
    train = outline.train if limit is None else limit.value
    count = epochs.value
    choices = {
        "seed": Choice(0, Origin.DEFAULT),
        **_data(fingerprint, answers, outline, limit),
        **balance_rules.balance(fingerprint, count),
        **label_rules.noise(answers.labels),
        **_model(network, outline, budget),
        "method.name": method,
        **label_rules.method_settings(
            method.value, count, wrong, balance_rules.consistency_weight(fingerprint)
        ),
        **_optimisation(count),
        "train.epochs": epochs,
        "train.batch_size": time_rules.limited(outline.batch, limit),
        "train.precision": outline.precision,
        "train.devices": Choice(None, Origin.MACHINE, pace.machine.described),
        "report.last_epochs": Choice(min(5, count), Origin.DEFAULT, "the paper's"),
    }
    step = steps[network]
    seconds = count * step.epoch_seconds(train, outline.validation, budget.batch)
    return Plan(choices, network, step, views, seconds)


def usual_minutes(fingerprint: Fingerprint, pace: Pace) -> Choice[int]:
    """The default for the time: 40 epochs of the largest sensible network, if they end soon.

    Else 40 epochs of the smallest.
    """
    outline = _outline(fingerprint, pace.machine)
    budget, steps = outline.budget(0), _step_times(outline, pace, views=2)
    minutes = {
        one: WANTED_EPOCHS * step.epoch_seconds(budget.train, budget.validation, budget.batch) / 60
        for one, step in steps.items()
    }
    first, last = outline.candidates[0], outline.candidates[-1]
    chosen = first if minutes[first] <= _PATIENCE_MINUTES else last
    needed = minutes[chosen] * 1.2 + 1
    nice = next((count for count in _MINUTES if count >= needed), _MINUTES[-1])
    return Choice(nice, Origin.DATA, f"about {WANTED_EPOCHS} epochs of {chosen.backbone}")


def validation_share(train: int) -> Choice[float]:
    """The share of the training split to hold out where there is no validation split."""
    share = 0.1 if train >= _FEW_IMAGES else 0.2
    return Choice(share, Origin.DATA, "there is no validation split; test stays unseen")


def packed_bytes(fingerprint: Fingerprint, machine: Machine) -> int:
    """What the images take, packed at the size they are trained on."""
    side = image_rules.image_size(fingerprint, machine).value
    return fingerprint.packed_bytes(side, side, image_rules.channels(fingerprint).value)


def _outline(fingerprint: Fingerprint, machine: Machine) -> _Outline:
    size = image_rules.image_size(fingerprint, machine)
    channels = image_rules.channels(fingerprint)
    side = size.value
    stem = image_rules.stem(side)
    train, validation = fingerprint.splits["train"], fingerprint.splits.get("validation", 0)
    if not validation:
        validation = max(1, round(validation_share(train).value * train))
        train = max(1, train - validation)
    return _Outline(
        size,
        channels,
        stem,
        time_rules.batch_size(train, side, machine),
        time_rules.precision(machine),
        train,
        validation,
        tuple(
            Network(backbone, stem.value, width, side, channels.value)
            for backbone, width in time_rules.rungs(train)
        ),
    )


def _step_times(outline: _Outline, pace: Pace, views: int) -> dict[Network, StepTime]:
    batch, precision = outline.batch.value, outline.precision.value
    return {
        one: pace.step(one, batch=batch, views=views, precision=precision)
        for one in outline.candidates
    }


def _data(
    fingerprint: Fingerprint, answers: Answers, outline: _Outline, limit: Choice[int] | None
) -> dict[str, Choice[Any]]:
    source = "packed" if answers.packed else "images"
    keys = {
        "data.source": Choice(source, answers.data_origin),
        "data.path": Choice(answers.data, answers.data_origin),
        "data.image_size": outline.size,
        "data.channels": outline.channels,
        "data.normalization": image_rules.normalization(),
    }
    if limit is not None:
        keys["data.train_limit"] = limit
    if not answers.packed:
        said = Origin.DEFAULT if answers.max_bad == Answers.max_bad else Origin.YOU
        keys["data.max_bad"] = Choice(answers.max_bad, said, "more would stop the run")
    if not fingerprint.splits.get("validation") and not answers.held_out:
        keys["data.validation_fraction"] = validation_share(fingerprint.splits["train"])
    return keys


def _model(network: Network, outline: _Outline, budget: Budget) -> dict[str, Choice[Any]]:
    keys = time_rules.network_choices(network, outline.candidates[0], budget)
    return {
        "model.backbone": keys["model.backbone"],
        "model.stem": outline.stem,
        "model.width": keys["model.width"],
    }


def _optimisation(epochs: int) -> dict[str, Choice[Any]]:
    start = "as in the small shipped recipes"
    return {
        "optimizer.name": Choice("adam", Origin.DEFAULT),
        "optimizer.learning_rate": Choice(1e-3, Origin.DEFAULT, start),
        "optimizer.coupled_weight_decay": Choice(1e-4, Origin.DEFAULT, "the paper's"),
        "schedule.kind": Choice("exponential", Origin.DEFAULT, "the paper's"),
        "schedule.gamma": time_rules.gamma(epochs),
    }

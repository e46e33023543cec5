"""These rules choose network, batch, epochs and precision so that a run fits the minutes given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from eactf.wizard.choices import Choice, Origin
from eactf.wizard.cost import Network, StepTime, estimate_step
from eactf.wizard.machine import Machine
from eactf.wording import counted

__all__ = [
    "Budget",
    "Pace",
    "batch_size",
    "epochs",
    "fitting_epochs",
    "gamma",
    "limited",
    "network",
    "network_choices",
    "precision",
    "rungs",
    "train_limit",
]

FEWEST_EPOCHS, WANTED_EPOCHS, MOST_EPOCHS = 10, 40, 60
"""Fewer teach nothing, so many the recipes measured here have, so many the paper has."""

MOST_EPOCHS_OF_FEW = 120
_FEW_STEPS = 1000
_ENOUGH_STEPS = 20
_START_SECONDS = 30
_IN_HAND = 0.9
"""A tenth of the time is kept in hand, for storing and for a machine that is not idle."""

_RUNGS = (("resnet18", 64), ("resnet18", 32), ("resnet10", 32), ("resnet10", 16))
_IMAGES_FOR = (20_000, 8_000, 2_000, 0)
"""Networks from the largest down, and how many training images the use of each asks for."""


@dataclass(frozen=True)
class Budget:
    """What is to be gone through in an epoch, and the minutes there are for all of them.

    `origin` is who said how many minutes.
    """

    train: int
    validation: int
    batch: int
    minutes: int
    origin: Origin = Origin.YOU


@dataclass(frozen=True)
class Pace:
    """How fast this machine is: steps measured so far, and by how much estimates were off."""

    machine: Machine
    measured: Mapping[Network, StepTime] = field(default_factory=dict)
    factor: float = 1.0

    def step(self, network: Network, *, batch: int, views: int, precision: str) -> StepTime:
        """Seconds of a step: as measured where it was, else the corrected estimate."""
        if network in self.measured:
            return self.measured[network]
        guess = estimate_step(network, self.machine, batch=batch, views=views, precision=precision)
        return StepTime(guess.train * self.factor, guess.evaluation * self.factor, False)

    def with_measured(self, network: Network, step: StepTime, estimate: StepTime) -> Pace:
        """This pace, one measurement the wiser."""
        known = {**self.measured, network: step}
        return replace(self, measured=known, factor=self.factor * step.train / estimate.train)


def precision(machine: Machine) -> Choice[str]:
    """bfloat16 where the device is quicker with it."""
    if machine.gpus:
        weakest = min(machine.gpus, key=lambda gpu: gpu.capability)
        if weakest.capability >= 8:
            return Choice("mixed_bfloat16", Origin.MACHINE, f"{weakest.name} is quicker with it")
        if weakest.capability >= 7:
            return Choice("mixed_float16", Origin.MACHINE, f"{weakest.name} has no bfloat16")
        return Choice("float32", Origin.MACHINE, f"{weakest.name} is no quicker with 16 bits")
    if machine.bfloat16:
        return Choice("mixed_bfloat16", Origin.MACHINE, f"the CPU has {machine.bfloat16}")
    return Choice("float32", Origin.MACHINE, "the CPU has no fast bfloat16")


def batch_size(train: int, size: int, machine: Machine) -> Choice[int]:
    """The largest batch that leaves an epoch 20 steps, between 16 and what the device likes.

    Of fewer than 16 images it is all of them.
    """
    most = 64 if not machine.gpus or size > 112 else 128
    for batch in (128, 64, 32):
        if batch <= most and train >= batch * _ENOUGH_STEPS:
            return Choice(batch, Origin.DATA, _steps(train, batch))
    return Choice(min(16, train), Origin.DATA, f"{counted(train, 'image')} are few")


def rungs(train: int) -> tuple[tuple[str, int], ...]:
    """Backbone and width of the networks that `train` images suffice for, the largest first."""
    return tuple(rung for rung, need in zip(_RUNGS, _IMAGES_FOR, strict=True) if train >= need)


def network(fitting: Mapping[Network, float]) -> Network:
    """The first, the largest, of which 40 epochs fit into the time; else the last.

    `fitting` gives the candidates from the largest down and how many epochs of each fit.
    """
    found = list(fitting)
    return next((one for one in found if fitting[one] >= WANTED_EPOCHS), found[-1])


def network_choices(chosen: Network, largest: Network, budget: Budget) -> dict[str, Choice[Any]]:
    """The recipe's keys of a network, with what decided: the number of images or the time."""
    minutes = counted(budget.minutes, "minute")
    origin, reason = budget.origin, f"the largest that fits into {minutes}"
    if chosen == largest:
        origin, reason = Origin.DATA, f"enough for {budget.train:,} training images"
    return {
        "model.backbone": Choice(chosen.backbone, origin, reason),
        "model.width": Choice(chosen.width, origin, reason),
    }


def fitting_epochs(budget: Budget, step: StepTime) -> float:
    """How many epochs end within the minutes, starting up included."""
    seconds = max(budget.minutes * 60 * _IN_HAND - _START_SECONDS, budget.minutes * 30)
    return seconds / step.epoch_seconds(budget.train, budget.validation, budget.batch)


def epochs(budget: Budget, step: StepTime) -> Choice[int]:
    """As many epochs as fit, up to the paper's 60, or more where an epoch has few steps."""
    fits, steps = int(fitting_epochs(budget, step)), -(-budget.train // budget.batch)
    most = min(MOST_EPOCHS_OF_FEW, max(MOST_EPOCHS, -(-_FEW_STEPS // steps)))
    if fits < most:
        told = f"{counted(budget.minutes, 'minute')} at {step.train:.2g} s a step"
        if step.measured:
            return Choice(max(FEWEST_EPOCHS, fits), Origin.MEASURED, told)
        return Choice(max(FEWEST_EPOCHS, fits), budget.origin, f"{told} (estimated)")
    if most > MOST_EPOCHS:
        return Choice(most, Origin.DATA, f"an epoch has only {counted(steps, 'step')}")
    return Choice(most, Origin.DEFAULT, "the paper's; the time would allow more")


def train_limit(budget: Budget, step: StepTime) -> Choice[int] | None:
    """Fewer training images where not even 10 epochs of all of them fit; else None."""
    fits = fitting_epochs(budget, step)
    if fits >= FEWEST_EPOCHS:
        return None
    batches = max(1, int(budget.train * fits / FEWEST_EPOCHS) // budget.batch)
    if batches * budget.batch >= budget.train:
        return None
    minutes = counted(budget.minutes, "minute")
    reason = f"{FEWEST_EPOCHS} epochs of all {budget.train:,} take over {minutes}"
    return Choice(batches * budget.batch, budget.origin, reason)


def gamma(epochs: int) -> Choice[float]:
    """The factor an epoch that brings the learning rate down to a tenth over the run."""
    return Choice(round(0.1 ** (1 / epochs), 3), Origin.DEFAULT, "ends at a tenth of the rate")


def limited(batch: Choice[int], limit: Choice[int] | None) -> Choice[int]:
    """The same batch, with the steps that a limit of the training images leaves."""
    if limit is None:
        return batch
    return replace(batch, reason=_steps(limit.value, batch.value))


def _steps(train: int, batch: int) -> str:
    return f"{counted(train, 'image')} are {counted(-(-train // batch), 'step')} an epoch"

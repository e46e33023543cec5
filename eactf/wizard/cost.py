"""This module estimates what a network costs: its last map, its multiplications, seconds a step.

The estimates serve until a step is measured; they are right within a factor of two or three.
"""

from __future__ import annotations

from dataclasses import dataclass

from eactf.wizard.machine import Machine

__all__ = ["STRIDES", "Network", "StepTime", "estimate_step", "map_side"]

STRIDES = {"small": 1, "compact": 2, "imagenet": 4}
"""By how much a stem makes the image smaller; the stages behind it make it 8 times smaller yet."""

_BLOCKS = {"resnet10": (1, 1, 1, 1), "resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3)}

_CORE_RATE = 45e9
_BFLOAT16_GAIN = 1.5
_GPU_RATE = 4e12
_STEP_OVERHEAD = 0.02
"""Operations a second of one core and of one GPU in these networks, seconds a step on top."""


@dataclass(frozen=True)
class Network:
    """A classifier as the recipe names it, for square images of `size` pixels."""

    backbone: str
    stem: str
    width: int
    size: int
    channels: int

    @property
    def map_side(self) -> int:
        """Positions along a side of the last feature map."""
        return map_side(self.size, self.stem)

    @property
    def operations(self) -> float:
        """Floating-point operations of one image forward, two a multiply-add."""
        side = -(-self.size // min(STRIDES[self.stem], 2))
        kernel = 49 if self.stem == "imagenet" else 9
        total = side**2 * kernel * self.channels * self.width
        side, before = -(-self.size // STRIDES[self.stem]), self.width
        for stage, blocks in enumerate(_BLOCKS[self.backbone]):
            side, filters = -(-side // (2 if stage else 1)), self.width * 2**stage
            first = 9 * before * filters + (before * filters if stage else 0)
            total += side**2 * (first + 9 * filters**2 * (2 * blocks - 1))
            before = filters
        return 2.0 * total


@dataclass(frozen=True)
class StepTime:
    """Seconds of a training and of an evaluation step of one batch, measured here or estimated."""

    train: float
    evaluation: float
    measured: bool

    def epoch_seconds(self, train: int, validation: int, batch: int) -> float:
        """Seconds of an epoch: the training steps and those of watching the validation split."""
        return -(-train // batch) * self.train + -(-validation // batch) * self.evaluation


def map_side(size: int, stem: str) -> int:
    """Positions along a side of the last map: every stride of two rounds up.

    >>> map_side(48, "small"), map_side(100, "compact"), map_side(224, "imagenet")
    (6, 7, 7)
    """
    return -(-size // (8 * STRIDES[stem]))


def estimate_step(
    network: Network, machine: Machine, *, batch: int, views: int, precision: str
) -> StepTime:
    """Seconds a step from the operations alone: a training step is three forward passes a view."""
    rate = _GPU_RATE * len(machine.gpus) if machine.gpus else _CORE_RATE * machine.cores
    if precision != "float32":
        rate *= _BFLOAT16_GAIN
    forward = network.operations * batch / rate
    return StepTime(
        train=3 * views * forward + _STEP_OVERHEAD,
        evaluation=forward + _STEP_OVERHEAD / 2,
        measured=False,
    )

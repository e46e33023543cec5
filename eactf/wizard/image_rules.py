"""These rules choose the size, channels and normalisation of the images, and the network's stem."""

from __future__ import annotations

from eactf.intake.fingerprint import Fingerprint
from eactf.wizard.choices import Choice, Origin
from eactf.wizard.cost import STRIDES, map_side
from eactf.wizard.machine import Machine

__all__ = ["channels", "image_size", "normalization", "stem"]

CPU_LARGEST, GPU_LARGEST = 64, 224
SMALLEST = 25
"""Below this side even the finest stem leaves a map smaller than 4x4."""

_ENLARGED = 32
_PAPERS_MAP = 7
_SQUARE = 1.1
"""Width over height up to which nobody minds the images being made square."""


def image_size(fingerprint: Fingerprint, machine: Machine) -> Choice[int]:
    """The side of the square images to train on: as stored, within what the device can bear."""
    short = fingerprint.short_side.median
    largest = GPU_LARGEST if machine.gpus else CPU_LARGEST
    stored = _stored(fingerprint)
    if short < SMALLEST:
        reason = f"{stored}, enlarged: the network needs a map of 4x4"
        return Choice(_ENLARGED, Origin.DATA, reason)
    if short > largest:
        device = "a GPU" if machine.gpus else "a CPU"
        return Choice(largest, Origin.MACHINE, f"{stored}; more costs {device} too much time")
    if fingerprint.same_size:
        return Choice(short, Origin.DATA, stored)
    side = max(_ENLARGED, short // 8 * 8)
    return Choice(side, Origin.DATA, f"{stored}; the median short side is {short}")


def channels(fingerprint: Fingerprint) -> Choice[int]:
    """1 where no image has a colour, else 3."""
    if fingerprint.grey:
        return Choice(1, Origin.DATA, "no image has a colour")
    grey = fingerprint.grey_share
    return Choice(3, Origin.DATA, f"colour, {grey:.0%} grey" if grey else "colour")


def normalization() -> Choice[str]:
    """The training split's own statistics: no pre-trained network asks for ImageNet's."""
    reason = "from random weights, the data's own mean and deviation"
    return Choice("dataset", Origin.DEFAULT, reason)


def stem(size: int) -> Choice[str]:
    """The stem whose last map is nearest to the paper's 7x7, of two the cheaper one."""
    sides = {name: map_side(size, name) for name in STRIDES}
    best = min(sides, key=lambda name: (abs(sides[name] - _PAPERS_MAP), -STRIDES[name]))
    reason = f"{size} px give a map of {sides[best]}x{sides[best]}"
    return Choice(best, Origin.DATA, f"{reason}; the paper has 7x7")


def _stored(fingerprint: Fingerprint) -> str:
    least, most = fingerprint.aspect
    square = "" if most <= _SQUARE and least >= 1 / _SQUARE else ", squeezed to squares"
    if fingerprint.same_size:
        return f"stored as {fingerprint.widths.median}x{fingerprint.heights.median}{square}"
    return f"stored as {_range(*fingerprint.widths)} x {_range(*fingerprint.heights)}{square}"


def _range(least: int, median: int, most: int) -> str:
    return str(median) if least == most else f"{least}-{most}"

"""These checks find images that cannot be read, look odd or differ from the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

import numpy as np

from eactf.intake.checks.evidence import Evidence, Finder, counted, percent
from eactf.intake.findings import Finding, Severity
from eactf.intake.image_kinds import suffix_formats

__all__ = ["FINDERS"]

MAX_BAD = 0.01
"""Share of bad images from which packing stops, where it is not told otherwise."""

SMALLEST = 16
"""Pixels of the short side under which an image shows too little."""

DISTORTED = 1.25
"""How many times wider or narrower than the middle one an image may be before it is named."""

UNLIKE = 4
"""The largest short side over the smallest from which the sizes are called very different."""


def unusable(data: Evidence) -> Iterator[Finding]:
    """Images that cannot be used, one finding a reason."""
    bad = [row for row in data.scan.bad if data.listing.given[row.row] >= 0]
    labelled = int((data.listing.given >= 0).sum())
    too_many = len(bad) > data.max_bad * labelled
    fix = "repair or remove them; packing leaves them out and lists them"
    if too_many:
        fix = (
            f"repair or remove them: {percent(len(bad), labelled)} of the images are bad and"
            f" packing stops at {100 * data.max_bad:g} %, or at what --max-bad says"
        )
    for reason in dict.fromkeys(row.reason for row in data.scan.bad):
        rows = [row for row in data.scan.bad if row.reason == reason]
        detail = next((f" ({row.detail})" for row in rows if row.detail), "")
        yield Finding(
            reason.replace(" ", "-"),
            Severity.ERROR if too_many else Severity.WARNING,
            f"{counted(len(rows), 'image')} cannot be used: {reason}{detail}",
            fix.replace("repair", "convert") if reason == "unread kind" else fix,
            tuple(row.name for row in rows),
        )


def wrong_suffix(data: Evidence) -> Iterator[Finding]:
    """Files whose content is of another format than their name says."""
    formats, promised = data.scan.format.tolist(), suffix_formats()
    rows = [
        row
        for row, (name, kind) in enumerate(zip(data.listing.names.tolist(), formats, strict=True))
        if kind and kind not in promised.get(PurePosixPath(name).suffix.lower(), (kind,))
    ]
    if rows:
        kinds = ", ".join(sorted({formats[row] for row in rows}))
        yield Finding(
            "wrong-suffix",
            Severity.NOTE,
            f"{counted(len(rows), 'file')} of another format than the name says ({kinds})",
            "nothing to do here, where the content counts; rename them for other programs",
            data.names(np.array(rows)),
        )


def one_colour(data: Evidence) -> Iterator[Finding]:
    """Images whose every pixel is the same."""
    if data.scan.flat.any():
        yield Finding(
            "one-colour",
            Severity.WARNING,
            f"{counted(int(data.scan.flat.sum()), 'image')} of a single colour: nothing to see",
            "remove them",
            data.names(data.scan.flat),
        )


def zero_and_one(data: Evidence) -> Iterator[Finding]:
    """Images of no value but 0 and 1, such as masks: of 255 steps one is used, which is black."""
    dark = data.scan.good & (data.scan.high == 1)
    if dark.any():
        most = 2 * dark.sum() > data.scan.good.sum()
        yield Finding(
            "values-0-and-1",
            Severity.ERROR if most else Severity.WARNING,
            f"{counted(int(dark.sum()), 'image')} without a value above 1 of 255: black to look at",
            "multiply their values by 255 and save them again",
            data.names(dark),
        )


def too_small(data: Evidence) -> Iterator[Finding]:
    """Images of hardly any pixels."""
    small = data.scan.good & (_short_side(data) < SMALLEST)
    if small.any():
        yield Finding(
            "too-small",
            Severity.WARNING,
            f"{counted(int(small.sum()), 'image')} less than {SMALLEST} pixels wide or high",
            "remove them, or bring larger ones",
            data.names(small),
        )


def sizes(data: Evidence) -> Iterator[Finding]:
    """Images of very different sizes: packed to one size, some lose detail and some have none."""
    sides = _short_side(data)[data.scan.good]
    if len(sides) and sides.max() >= UNLIKE * max(1, int(sides.min())):
        middle = int(np.median(sides))
        every = _short_side(data)
        unlike = data.scan.good & ((2 * every < middle) | (every > 2 * middle))
        yield Finding(
            "sizes-differ",
            Severity.NOTE,
            f"the short sides run from {sides.min():,} to {sides.max():,} pixels;"
            f" {counted(int(unlike.sum()), 'image')} under half or over twice the median"
            f" ({middle:,})",
            f"packing resizes all to one size; choose it by eactf data pack --size {middle}",
            data.names(unlike),
        )


def shapes(data: Evidence) -> Iterator[Finding]:
    """Images of another shape than most: packed to one shape, what they show is distorted."""
    good = data.scan.good
    if not good.any():
        return
    aspect = data.scan.width / np.maximum(data.scan.height, 1)
    middle = float(np.median(aspect[good]))
    odd = good & ((aspect > middle * DISTORTED) | (aspect < middle / DISTORTED))
    if odd.any():
        yield Finding(
            "shapes-differ",
            Severity.WARNING if odd.sum() > 0.05 * good.sum() else Severity.NOTE,
            f"{counted(int(odd.sum()), 'image')} ({percent(int(odd.sum()), int(good.sum()))})"
            f" more than {DISTORTED:g} times wider or narrower than the middle one (width /"
            f" height {middle:.2f})",
            "crop them to the face: resized to one shape, they are stretched",
            data.names(odd),
        )


def grey_among_colour(data: Evidence) -> Iterator[Finding]:
    """Grey images beside coloured ones: a network may tell classes by that."""
    good, grey = data.scan.good, data.scan.good & data.scan.grey
    coloured = good & ~data.scan.grey
    if grey.any() and coloured.any():
        fewer = min((grey, coloured), key=np.count_nonzero)
        yield Finding(
            "grey-among-colour",
            Severity.NOTE,
            f"{counted(int(grey.sum()), 'image')} without a colour, {int(coloured.sum()):,} with",
            "if that goes with the class, pack all in grey: eactf data pack --channels 1",
            data.names(fewer),
        )


def animated(data: Evidence) -> Iterator[Finding]:
    """Images of several frames."""
    moving = data.scan.frames > 1
    if moving.any():
        yield Finding(
            "animated",
            Severity.NOTE,
            f"{counted(int(moving.sum()), 'image')} with several frames: the first is used",
            "nothing to do, unless another frame is meant",
            data.names(moving),
        )


def _short_side(data: Evidence) -> np.ndarray:
    return np.asarray(np.minimum(data.scan.width, data.scan.height))


FINDERS: tuple[Finder, ...] = (
    unusable,
    one_colour,
    zero_and_one,
    too_small,
    shapes,
    sizes,
    grey_among_colour,
    animated,
    wrong_suffix,
)

"""These checks find images that are in a data set more than once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from eactf.intake.checks.evidence import TRAIN, Evidence, Finder, counted, percent
from eactf.intake.findings import Finding, Severity

__all__ = ["FINDERS"]

LEAK = 0.01
"""Share of the images to judge by that training has seen, from which the result is spoiled."""


def within_splits(data: Evidence) -> Iterator[Finding]:
    """Pixel-identical images in one split."""
    groups = [rows for rows in data.duplicates.exact_groups() if not _across(data, rows)]
    if groups:
        extra = sum(len(rows) - 1 for rows in groups)
        yield Finding(
            "duplicates",
            Severity.WARNING if extra > LEAK * len(data.listing) else Severity.NOTE,
            f"{counted(extra, 'image')} pixel for pixel equal to another one in the same split",
            "remove all but one: copies count double, and fall on both sides of a held-out share",
            _members(data, groups),
        )


def across_splits(data: Evidence) -> Iterator[Finding]:
    """Pixel-identical images in several splits."""
    groups = [rows for rows in data.duplicates.exact_groups() if _across(data, rows)]
    yield from _leak(
        data, groups, "duplicates-across-splits", "pixel for pixel equal to", certain=True
    )


def contradicting(data: Evidence) -> Iterator[Finding]:
    """Pixel-identical images with different labels."""
    groups = [
        rows
        for rows in data.duplicates.exact_groups()
        if len({label for label in data.listing.given[rows].tolist() if label >= 0}) > 1
    ]
    if groups:
        many = counted(len(groups), "picture")
        yield Finding(
            "duplicates-with-different-labels",
            Severity.WARNING,
            f"{many} there more than once, with different labels: all but one label are wrong",
            "decide which label is right and remove the other copies",
            _members(data, groups),
        )


def near_within_splits(data: Evidence) -> Iterator[Finding]:
    """Nearly equal images in one split."""
    groups = [rows for rows in data.duplicates.near_groups() if not _across(data, rows)]
    if groups and not data.duplicates.alike:
        extra = sum(len(rows) - 1 for rows in groups)
        yield Finding(
            "near-duplicates",
            Severity.NOTE,
            f"{counted(extra, 'image')} nearly equal to another one in the same split (resized,"
            " cropped, compressed again or of other brightness)",
            "look at them; keep copies of one picture on one side when a share is held out",
            _members(data, groups),
        )


def near_across_splits(data: Evidence) -> Iterator[Finding]:
    """Nearly equal images in several splits."""
    if not data.duplicates.alike:
        groups = [rows for rows in data.duplicates.near_groups() if _across(data, rows)]
        code = "near-duplicates-across-splits"
        yield from _leak(data, groups, code, "nearly equal to", certain=False)


def alike(data: Evidence) -> Iterator[Finding]:
    """Images that look so much alike that near copies cannot be told."""
    groups = data.duplicates.near_groups()
    if data.duplicates.alike and groups:
        yield Finding(
            "images-look-alike",
            Severity.NOTE,
            "many images look much alike, so that copies that were resized or cropped cannot be"
            f" told from likeness; the closest {counted(sum(map(len, groups)), 'image')} are named",
            "look at some of them; if they are copies, remove them",
            _members(data, groups),
        )


def _leak(
    data: Evidence, groups: list[np.ndarray], code: str, how: str, *, certain: bool
) -> Iterator[Finding]:
    if not groups:
        return
    splits = [data.listing.splits[rows] for rows in groups]
    seen = sum(int((here != here.min()).sum()) for here in splits)
    judged = int((data.scan.good & (data.listing.splits != TRAIN)).sum())
    spoiled = certain and seen > LEAK * judged
    yield Finding(
        code,
        Severity.ERROR if spoiled else Severity.WARNING,
        f"{counted(seen, 'image')} to judge by ({percent(seen, judged)} of all) {how} one in"
        " another split: what was learned by heart counts as understood",
        "remove them from one of the splits",
        _members(data, groups),
    )


def _across(data: Evidence, rows: np.ndarray) -> bool:
    return len(np.unique(data.listing.splits[rows])) > 1


def _members(data: Evidence, groups: list[np.ndarray]) -> tuple[str, ...]:
    """The names of all copies; those of one picture one after the other."""
    return data.names(np.concatenate(groups))


FINDERS: tuple[Finder, ...] = (
    across_splits,
    near_across_splits,
    contradicting,
    within_splits,
    near_within_splits,
    alike,
)

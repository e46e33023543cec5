"""A card describes a published data set; a listing can be checked against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from eactf.intake.findings import Finding, Severity
from eactf.packed.records import SPLITS

__all__ = ["Card", "Option", "check_counts"]


@dataclass(frozen=True)
class Option:
    """A setting of a reader; its value is a text, one of `choices` where there are any."""

    name: str
    help: str
    default: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Card:
    """What there is to know of a published data set before reading it.

    `classes` are their names, empty where they come with the files; `class_total` is their number.
    `counts` are the published numbers of images a split; `class_counts` those a class. `needs` says
    in a few words what it takes to get it, `get` where it is to be had and what to download,
    `layout` the files that the reader looks for. `terms` is the licence in a few words.
    `unverified` lists what could not be checked against the published files. `takes` is what
    follows the name on the command line: `FOLDER`; `FILE`, which may be the folder of the file too;
    or options.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    class_total: int
    counts: Mapping[str, int]
    needs: str
    get: str
    layout: tuple[str, ...]
    licence: str
    terms: str
    citation: str
    class_counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    quirks: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    unverified: tuple[str, ...] = ()
    takes: str = "FOLDER"

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists, texts and numbers, as JSON has them."""
        return asdict(self)


def check_counts(
    card: Card,
    class_names: tuple[str, ...],
    splits: np.ndarray,
    given: np.ndarray,
    *,
    counts: Mapping[str, int] | None = None,
) -> tuple[Finding, ...]:
    """A warning for every split whose images, or whose classes, are not as many as published.

    `counts` replace those of the card, where an option changes them.
    """
    findings = []
    for split, expected in (card.counts if counts is None else counts).items():
        here = splits == SPLITS.index(split)
        if int(here.sum()) != expected:
            findings.append(_finding(f"{split} has {here.sum():,} images, published: {expected:,}"))
            continue
        by_class = card.class_counts.get(split, ())
        found = np.bincount(given[here & (given >= 0)], minlength=len(class_names))
        findings += [
            _finding(f"{split} has {n:,} images of {name}, published: {published:,}")
            for name, n, published in zip(class_names, found.tolist(), by_class, strict=False)
            if n != published
        ]
    return tuple(findings)


def _finding(what: str) -> Finding:
    return Finding(
        "count-differs",
        Severity.WARNING,
        what,
        "use the files as published; results are not comparable otherwise",
    )

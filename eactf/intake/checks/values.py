"""These checks look at continuous targets: missing ones, and those off the scale they belong on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from eactf.intake.checks.evidence import Evidence, Finder, counted
from eactf.intake.findings import Finding, Severity
from eactf.packed.values import is_affect

__all__ = ["FINDERS"]


def out_of_range(data: Evidence) -> Iterator[Finding]:
    """Valence or arousal outside [-1, 1], the scale that all of the field uses."""
    for name, values in data.listing.values.items():
        outside = data.usable & (np.abs(values) > 1)  # not so where it is NaN
        if is_affect(name) and outside.any():
            least, most = values[outside].min(), values[outside].max()
            yield Finding(
                "value-out-of-range",
                Severity.WARNING,
                f"{counted(int(outside.sum()), 'image')} with {name} outside -1 to 1: from"
                f" {least:.4g} to {most:.4g}",
                "bring them to -1 to 1; packing keeps them as they are",
                data.names(outside),
            )


def missing(data: Evidence) -> Iterator[Finding]:
    """Images without a value that others have."""
    for name, values in data.listing.values.items():
        without = data.usable & np.isnan(values)
        if without.any():
            yield Finding(
                "value-missing",
                Severity.NOTE,
                f"{counted(int(without.sum()), 'image')} of {int(data.usable.sum()):,} without"
                f" {name}",
                "nothing to do; packing keeps them, the value missing",
                data.names(without),
            )


def constant(data: Evidence) -> Iterator[Finding]:
    """A target that is the same for all images, from which nothing can be learned."""
    for name, values in data.listing.values.items():
        known = values[data.usable & ~np.isnan(values)]
        if len(known) > 1 and (known == known[0]).all():
            yield Finding(
                "value-constant",
                Severity.WARNING,
                f"{name} is {known[0]:.4g} for all {len(known):,} images that have it",
                "is it the column that is meant?",
            )


FINDERS: tuple[Finder, ...] = (out_of_range, missing, constant)

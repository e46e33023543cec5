"""`Evidence` holds what every check looks at: the listing, its scanned images and their copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from eactf.intake.duplicates import Duplicates
from eactf.intake.findings import Finding
from eactf.intake.listing import Listing
from eactf.intake.scan import Scan
from eactf.packed.records import SPLITS
from eactf.wording import counted, enumerated

__all__ = ["TRAIN", "Evidence", "Finder", "counted", "enumerated", "percent"]

TRAIN = SPLITS.index("train")


@dataclass(frozen=True)
class Evidence:
    """A listing, what its images are like, which are copies, and how many may be bad (a share)."""

    listing: Listing
    scan: Scan
    duplicates: Duplicates
    max_bad: float

    @property
    def usable(self) -> np.ndarray:
        """`(n,)` bool: the image decodes and has a label, so that it can be packed."""
        return np.asarray(self.scan.good & (self.listing.given >= 0))

    def names(self, rows: np.ndarray) -> tuple[str, ...]:
        """The names of the samples at `rows` (positions or a mask), in order."""
        return tuple(self.listing.names[rows].tolist())

    def counts(self, split: int) -> np.ndarray:
        """How many usable samples each class has in a split, `(classes,)`."""
        here = self.usable & (self.listing.splits == split)
        return np.bincount(self.listing.given[here], minlength=len(self.listing.class_names))


Finder: TypeAlias = Callable[[Evidence], Iterator[Finding]]


def percent(part: int, whole: int) -> str:
    """A share for reading.

    >>> percent(1, 3), percent(1, 4000), percent(0, 0)
    ('33.3 %', 'under 0.1 %', '0.0 %')
    """
    share = 100 * part / whole if whole else 0.0
    return "under 0.1 %" if 0 < share < 0.1 else f"{share:.1f} %"

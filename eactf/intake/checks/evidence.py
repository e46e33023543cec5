"""What the checks look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from eactf.intake.duplicates import Duplicates
from eactf.intake.findings import Finding
from eactf.intake.listing import Listing
from eactf.intake.scan import Scan
from eactf.packed.records import SPLITS

__all__ = ["TRAIN", "Evidence", "Finder", "counted", "enumerated", "percent"]

TRAIN = SPLITS.index("train")


@dataclass(frozen=True)
class Evidence:
    """A listing, what its images are like, and which of them are copies."""

    listing: Listing
    scan: Scan
    duplicates: Duplicates

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


def counted(count: int, singular: str, plural: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "image"), counted(1200, "image"), counted(2, "class", "classes")
    ('1 image', '1,200 images', '2 classes')
    """
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def percent(part: int, whole: int) -> str:
    """A share for reading.

    >>> percent(1, 3), percent(1, 4000), percent(0, 0)
    ('33.3 %', 'under 0.1 %', '0.0 %')
    """
    share = 100 * part / whole if whole else 0.0
    return "under 0.1 %" if 0 < share < 0.1 else f"{share:.1f} %"


def enumerated(things: Iterable[str], most: int = 8) -> str:
    """Things with commas, the first few of many.

    >>> enumerated("abc"), enumerated("abcd", most=2)
    ('a, b, c', 'a, b and 2 more')
    """
    all_of_them = list(things)
    rest = len(all_of_them) - most
    return ", ".join(all_of_them[:most]) + (f" and {rest} more" if rest > 0 else "")

"""A `PackReport` says what was packed, what was left out, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from eactf.intake.quarantine import count_reasons
from eactf.intake.scan import BadRow

__all__ = ["PackReport", "empty_parts"]


@dataclass(frozen=True)
class PackReport:
    """What was packed, what was left out, and why.

    `splits` counts the packed images by split and class, `label_sets` and `values` those with a
    label in each further set and with each continuous target. `unlabelled` were left out for want
    of a label, `bad` because they cannot be used; `quarantine` is the list of the latter, None
    where there are none. `resized` of the images had another size. `remarks` are sentences to read.
    """

    path: str
    kind: str
    source: str
    image_shape: tuple[int, int, int]
    why_size: str
    why_channels: str
    class_names: tuple[str, ...]
    splits: Mapping[str, Mapping[str, int]]
    label_sets: Mapping[str, int]
    values: Mapping[str, int]
    unlabelled: int
    bad: tuple[BadRow, ...]
    quarantine: str | None
    resized: int
    remarks: tuple[str, ...]

    @property
    def images(self) -> int:
        """How many images were packed."""
        return sum(sum(classes.values()) for classes in self.splits.values())

    @property
    def reasons(self) -> dict[str, int]:
        """How many images each reason kept out."""
        return count_reasons(self.bad)

    def as_dict(self) -> dict[str, Any]:
        """Plain dictionaries, lists and numbers, as JSON has them."""
        return {**asdict(self), "images": self.images, "reasons": self.reasons}


def empty_parts(splits: Mapping[str, Mapping[str, int]]) -> list[str]:
    """A sentence for every split without images, and for every class that a split lacks."""
    remarks = []
    for split, classes in splits.items():
        lacking = [name for name, count in classes.items() if not count]
        if len(lacking) == len(classes):
            remarks.append(f"none of the images of the split {split} can be used: it is left out")
        elif lacking:
            named = ", ".join(map(repr, lacking[:5])) + (", ..." if len(lacking) > 5 else "")
            remarks.append(f"{split} has no image of {len(lacking)} of the classes: {named}")
    return remarks

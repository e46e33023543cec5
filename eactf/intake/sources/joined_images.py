"""`JoinedImages` presents the images of several places as those of one listing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from eactf.intake.listing import Images

__all__ = ["JoinedImages"]


class JoinedImages:
    """The images of all `parts`, one part after the other; implements `listing.Images`."""

    def __init__(self, parts: Sequence[Images]) -> None:
        self._parts = tuple(parts)
        self._starts = np.cumsum([0, *(len(part) for part in self._parts)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def open(self, row: int) -> Image.Image:
        part, inside = self._find(row)
        return part.open(inside)

    def bytes_on_disk(self, row: int) -> int:
        part, inside = self._find(row)
        return part.bytes_on_disk(inside)

    def digest(self, row: int) -> int:
        part, inside = self._find(row)
        return part.digest(inside)

    def _find(self, row: int) -> tuple[Images, int]:
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)} images")
        index = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self._parts[index], row - int(self._starts[index])

"""`choose_form` picks the size and channels of a packed file from what the images' headers say."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from eactf.intake.decode import is_grey, upright_size
from eactf.intake.listing import ArrayImages, BadImage, Images
from eactf.intake.parallel import in_order

__all__ = ["LARGEST", "Form", "choose_form"]

LARGEST = 1_024
"""No side is longer unless it was asked for: a recipe takes no larger images."""


@dataclass(frozen=True)
class Form:
    """The shape that every packed image gets, and why it is that."""

    height: int
    width: int
    channels: int
    why_size: str
    why_channels: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        return self.height, self.width, self.channels


def choose_form(
    images: Images,
    rows: np.ndarray,
    *,
    size: tuple[int, int] | None,
    channels: int | None,
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Form:
    """The form of the images `rows`; `size` (height, width) and `channels` are kept where given.

    Where all have one size it is that, else a square of the median short side; neither side comes
    out above `LARGEST`. Where all are grey by their mode there is 1 channel, else 3. Images that
    cannot be opened have no say.
    `progress(done)` is called after each batch of headers.
    """
    if size is not None and channels is not None:
        return Form(*size, channels, _ASKED, _ASKED)
    sizes, grey = _read_headers(images, rows, workers, progress)
    chosen, why_size = (size, _ASKED) if size is not None else _common_size(sizes)
    if channels is not None:
        return Form(*chosen, channels, why_size, _ASKED)
    coloured = int((~grey).sum())
    if not coloured:
        return Form(*chosen, 1, why_size, "every image is grey")
    who = "every image has" if coloured == len(grey) else f"{coloured:,} of {len(grey):,} have"
    return Form(*chosen, 3, why_size, f"{who} colours")


_ASKED = "as asked for"


def _read_headers(
    images: Images,
    rows: np.ndarray,
    workers: int | None,
    progress: Callable[[int], None] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """Upright (height, width) and greyness of each image that opens."""
    if isinstance(images, ArrayImages):  # one shape for all
        _, height, width, *bands = images.array.shape
        return np.array([[height, width]]), np.array([bands in ([], [1])])
    found: list[tuple[int, int, bool]] = []

    def look(number: int) -> tuple[int, int, bool] | None:
        try:
            with images.open(int(rows[number])) as image:
                width, height = upright_size(image)
                return height, width, is_grey(image)
        except BadImage:
            return None

    with closing(in_order(look, len(rows), workers=workers, batch=64)) as batches:
        for batch, headers in batches:
            found += [header for header in headers if header is not None]
            if progress is not None:
                progress(batch.stop)
    facts = np.array(found, np.int64).reshape(-1, 3)
    return facts[:, :2], facts[:, 2] == 1


def _common_size(sizes: np.ndarray) -> tuple[tuple[int, int], str]:
    if not len(sizes):
        return (1, 1), "no image could be opened"
    if (sizes == sizes[0]).all():
        return _brought_down(int(sizes[0, 0]), int(sizes[0, 1]), "the size of every image")
    side = int(np.median(sizes.min(axis=1)))
    low, high = sizes.min(axis=0), sizes.max(axis=0)
    spread = f"{low[1]} to {high[1]} wide, {low[0]} to {high[0]} high"
    return _brought_down(side, side, f"the median short side; the images are {spread}")


def _brought_down(height: int, width: int, why: str) -> tuple[tuple[int, int], str]:
    """The size, or one of the same proportions that fits into `LARGEST`."""
    scale = LARGEST / max(height, width)
    if scale >= 1:
        return (height, width), why
    down = max(1, round(height * scale)), max(1, round(width * scale))
    return down, f"{why} ({height} x {width}), brought down to {LARGEST:,}"

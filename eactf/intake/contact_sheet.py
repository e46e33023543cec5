"""`contact_sheet` lays images out in a grid with a row for each class, to look at a data set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from eactf.errors import DataError

__all__ = ["contact_sheet"]

_GAP = 2
_PAPER = 255


def contact_sheet(
    images: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.integer],
    class_names: Sequence[str],
    columns: int = 12,
) -> npt.NDArray[np.uint8]:
    """Lay out the first `columns` images of each class, one row a class in class order.

    Args:
        images: (n, height, width, channels) uint8.
        labels: (n,) class indices; rows with other values (such as -1) are left out.
        class_names: one name a class; their number is the number of rows.
        columns: images in a row, at least 1. A class with fewer leaves white paper.

    Returns:
        One uint8 picture (rows * (height + 2) + 2, columns * (width + 2) + 2, channels).

    Raises:
        DataError: the arrays do not fit together, or columns is below 1.

    Example:
        >>> from eactf.faces import EXPRESSIONS, draw_faces
        >>> contact_sheet(*draw_faces(20, size=16), EXPRESSIONS, columns=2).shape
        (128, 38, 1)
    """
    if images.ndim != 4 or images.dtype != np.uint8:
        raise DataError(
            f"contact sheet: images are {images.dtype} of shape {images.shape}",
            hint="expected uint8 of shape (n, height, width, channels)",
        )
    if len(labels) != len(images):
        raise DataError(f"contact sheet: {len(labels)} labels for {len(images)} images")
    if columns < 1:
        raise DataError(f"contact sheet: columns = {columns}", hint="expected columns >= 1")
    height, width, channels = images.shape[1:]
    shape = (len(class_names) * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, channels)
    sheet = np.full(shape, _PAPER, dtype=np.uint8)
    for row in range(len(class_names)):
        top = _GAP + row * (height + _GAP)
        for column, index in enumerate(np.flatnonzero(labels == row)[:columns]):
            left = _GAP + column * (width + _GAP)
            sheet[top : top + height, left : left + width] = images[index]
    return sheet

"""What a network says of single images, as arrays: probabilities, losses, maps that agree or not.

NumPy only; `evidence` fills it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from eactf.packed.records import Samples

__all__ = ["Looks", "occlusion_places", "spread_rows"]

_LEAST = 1e-12


@dataclass(frozen=True)
class Looks:
    """A network's view of the samples of a split; row `i` of every array is the same sample.

    `logits` and `mirrored`, those of the mirror images, are `(n, classes)`. `agreement` `(n,)` in
    [-1, 1] is how alike the class activation maps of the predicted class are of an image and of its
    mirror image, turned back: their correlation over the places of the map; nan where one is flat.
    `distance` `(n,)` is the mean squared distance of the maps of all classes (EAC, eq. 3). Both are
    None where the network has no maps.
    """

    samples: Samples
    logits: np.ndarray
    mirrored: np.ndarray
    agreement: np.ndarray | None = None
    distance: np.ndarray | None = None

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Class probabilities `(n, classes)` float32."""
        shifted = self.logits - self.logits.max(axis=1, keepdims=True)
        weights = np.exp(shifted)
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))

    @cached_property
    def predicted(self) -> np.ndarray:
        """The predicted classes `(n,)`."""
        return np.asarray(self.logits.argmax(axis=1))

    @cached_property
    def losses(self) -> np.ndarray:
        """Cross-entropy `(n,)` on the given labels, without erasing or mirroring."""
        own = self.of_class(self.samples.given)
        return np.asarray(-np.log(np.maximum(own, _LEAST)))

    def of_class(self, labels: np.ndarray) -> np.ndarray:
        """The probability `(n,)` that each sample is of the class in `labels` `(n,)`."""
        return np.take_along_axis(self.probabilities, labels[:, None], axis=1)[:, 0]

    def rows(self, *columns: np.ndarray | None) -> list[list[int | float | None]]:
        """Of each sample its id, the values of `columns` `(n,)`, and whether its label is wrong.

        1 is wrong, 0 right, None not known.
        """
        wrong: list[int | None] = [None] * len(self.samples)
        if self.wrong is not None and self.right is not None:
            known = self.wrong | self.right
            wrong = [
                int(is_wrong) if is_known else None
                for is_wrong, is_known in zip(self.wrong, known, strict=True)
            ]
        values = [
            np.round(column.astype(np.float64), 6).tolist()
            for column in columns
            if column is not None
        ]
        return [list(row) for row in zip(self.samples.ids.tolist(), *values, wrong, strict=True)]

    @property
    def wrong(self) -> np.ndarray | None:
        """Whether each given label is wrong, `(n,)`; None where no true label is known."""
        clean = self.samples.clean
        if clean is None or not (clean >= 0).any():
            return None
        return np.asarray((clean >= 0) & (clean != self.samples.given))

    @property
    def right(self) -> np.ndarray | None:
        """Whether each given label is known to be right, `(n,)`; None where none is known."""
        clean = self.samples.clean
        if clean is None or not (clean >= 0).any():
            return None
        return np.asarray(clean == self.samples.given)


def occlusion_places(height: int, width: int, parts: int = 3) -> list[tuple[slice, slice]]:
    """The blocks that cut an image into `parts` times `parts`, row by row.

    >>> occlusion_places(6, 6, parts=2)[1]
    (slice(0, 3, None), slice(3, 6, None))
    """
    rows = [height * number // parts for number in range(parts + 1)]
    columns = [width * number // parts for number in range(parts + 1)]
    return [
        (slice(rows[row], rows[row + 1]), slice(columns[column], columns[column + 1]))
        for row in range(parts)
        for column in range(parts)
    ]


def spread_rows(draws: np.ndarray, most: int) -> np.ndarray:
    """Rows of the `most` smallest of `draws` `(n,)`, in their order: a sample of the rows.

    >>> spread_rows(np.array([0.4, 0.1, 0.9, 0.2]), 2)
    array([1, 3])
    """
    return np.sort(np.argsort(draws, kind="stable")[:most])

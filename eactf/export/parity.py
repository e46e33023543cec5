"""Holding what an exported file gives against what Keras gives for the same images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from eactf.errors import EactfError

__all__ = ["Parity", "compare"]

_TOLERANCE = 1e-3
"""Float files differ by rounding alone: in ResNets some 1e-6 of the largest value."""


@dataclass(frozen=True)
class Parity:
    """How far a file's outputs are from Keras' on `images` images.

    `largest` is the largest difference of each output, by name, `scale` the largest value that
    Keras gives there. `agree` is how many images get the same class. Where labels are known
    `keras_right` and `file_right` count right classes, `lost` those that Keras alone has right and
    `gained` those that the file alone has.
    """

    images: int
    largest: Mapping[str, float]
    scale: Mapping[str, float]
    agree: int
    keras_right: int | None = None
    file_right: int | None = None
    lost: int | None = None
    gained: int | None = None

    @property
    def accuracy(self) -> tuple[float, float] | None:
        """The accuracy of Keras and that of the file, in [0, 1]; None without labels."""
        if self.keras_right is None or self.file_right is None:
            return None
        return self.keras_right / self.images, self.file_right / self.images

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        keras_accuracy, accuracy = self.accuracy or (None, None)
        return {
            "images": self.images,
            "largest_difference": dict(self.largest),
            "same_class": self.agree,
            "keras_accuracy": keras_accuracy,
            "accuracy": accuracy,
            "lost": self.lost,
            "gained": self.gained,
        }

    def refuse_unless_equal(self, what: str) -> None:
        """Raise `EactfError` where a file in floats computes something else than Keras.

        Of one in integers the differences are told; only outputs that are no numbers are refused.
        """
        for name, difference in self.largest.items():
            if not difference <= _TOLERANCE * max(1.0, self.scale[name]):
                raise EactfError(
                    f"{what} does not compute what Keras computes: {name} differ by up to"
                    f" {difference:.2g} on {self.images:,} images; it was not kept",
                    hint="another --to may do; the .keras file itself is whole",
                )

    def refuse_unless_numbers(self, what: str) -> None:
        """Raise `EactfError` where an output holds what is no finite number."""
        for name, difference in self.largest.items():
            if not np.isfinite(difference):
                raise EactfError(f"{what} gives {name} that are no numbers; it was not kept")


def compare(
    expected: Mapping[str, np.ndarray],
    found: Mapping[str, np.ndarray],
    labels: np.ndarray | None,
    *,
    scores: str,
) -> Parity:
    """Compare outputs by name, all `(n, ...)`; `scores` names the one with a number a class.

    >>> keras = {"logits": np.array([[0.0, 1.0], [2.0, 1.5]])}
    >>> file = {"logits": np.array([[0.0, 1.0], [1.0, 1.5]])}
    >>> one = compare(keras, file, np.array([1, 0]), scores="logits")
    >>> one.largest, one.agree, one.accuracy
    ({'logits': 1.0}, 1, (1.0, 0.5))
    """
    largest = {name: _largest(expected[name] - found[name]) for name in expected}
    scale = {name: _largest(values) for name, values in expected.items()}
    ours, theirs = (np.argmax(outputs[scores], axis=-1) for outputs in (expected, found))
    count, agree = len(ours), int(np.sum(ours == theirs))
    if labels is None:
        return Parity(count, largest, scale, agree)
    right, still = ours == labels, theirs == labels
    return Parity(
        count,
        largest,
        scale,
        agree,
        keras_right=int(right.sum()),
        file_right=int(still.sum()),
        lost=int(np.sum(right & ~still)),
        gained=int(np.sum(still & ~right)),
    )


def _largest(values: np.ndarray) -> float:
    """The largest absolute value; infinite where one is no number."""
    most = float(np.max(np.abs(values.astype(np.float64))))
    return most if np.isfinite(most) else float("inf")

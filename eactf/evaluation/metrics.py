"""How good predictions are: confusion matrix, accuracy, recalls. NumPy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Scores", "confusion_matrix", "score"]


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Counts `(classes, classes)` int64: rows are true classes, columns predicted ones.

    Raises `ValueError` for class indices outside 0..classes-1.
    """
    for indices in (labels, predictions):
        if len(indices) and not 0 <= indices.min() <= indices.max() < classes:
            raise ValueError(
                f"class indices must be 0..{classes - 1}; received {indices.min()} to "
                f"{indices.max()}"
            )
    cells = labels.astype(np.int64) * classes + predictions.astype(np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True)
class Scores:
    """Accuracy and recalls in [0, 1] of `count` samples, with their confusion matrix.

    A class without samples has recall nan, which the mean over classes leaves out.
    """

    count: int
    accuracy: float
    macro_recall: float
    recalls: tuple[float, ...]
    confusion: np.ndarray

    def as_dict(self, class_names: Sequence[str]) -> dict[str, object]:
        """Plain values for JSON; a recall that is not a number becomes None."""
        recalls = (None if np.isnan(recall) else recall for recall in self.recalls)
        return {
            "count": self.count,
            "accuracy": self.accuracy,
            "macro_recall": self.macro_recall,
            "recalls": dict(zip(class_names, recalls, strict=True)),
            "confusion": self.confusion.tolist(),
        }


def score(labels: np.ndarray, predictions: np.ndarray, classes: int) -> Scores:
    """Score predicted class indices `(n,)` against true ones `(n,)`, n >= 1."""
    confusion = confusion_matrix(labels, predictions, classes)
    totals = confusion.sum(axis=1)
    correct = np.diag(confusion)
    recalls = np.divide(correct, totals, out=np.full(classes, np.nan), where=totals > 0)
    return Scores(
        count=int(totals.sum()),
        accuracy=float(correct.sum() / totals.sum()),
        macro_recall=float(np.nanmean(recalls)),
        recalls=tuple(float(recall) for recall in recalls),
        confusion=confusion,
    )

"""This module counts accuracy, top-5 accuracy and the recall of each class, with NumPy alone.

The recall of a class is the share of its images that are predicted as that class. Macro recall is
the plain mean of the recalls over the classes that have images among those judged: a rare class
counts as much as a common one. Balanced accuracy is the same number by another name (it is what
scikit-learn's `balanced_accuracy_score` gives without `adjusted`). The lowest recall is that of the
class that is recognised worst. A class without images has no recall; it is named and never counted
as 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eactf.evaluation.interval import wilson_interval

__all__ = [
    "FEWEST_CLASSES_FOR_TOP5",
    "Scores",
    "confusion_matrix",
    "mean_figures",
    "score",
    "top5_accuracy",
]

FEWEST_CLASSES_FOR_TOP5 = 20
"""Below it top-5 accuracy is not told: five guesses among 7 expressions are right by chance in 71 %
of the cases and say nothing of the classifier; among 20 classes in 25 %, among 100 in 5 %."""


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Counts `(classes, classes)` int64: rows are true classes, columns predicted ones.

    Raises `ValueError` for class indices outside 0..classes-1.
    """
    for indices in (labels, predictions):
        _refuse_unknown_classes(indices, classes)
    cells = labels.astype(np.int64) * classes + predictions.astype(np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True)
class Scores:
    """Accuracy and recalls in [0, 1] of `count` samples, with their confusion matrix.

    A class without samples has recall nan, which the mean over classes leaves out. `top5_accuracy`
    is None where no class scores were given or there are too few classes for it. `concordance` is
    that of each continuous target by name, where such were predicted too.
    """

    count: int
    accuracy: float
    macro_recall: float
    recalls: tuple[float, ...]
    confusion: np.ndarray
    top5_accuracy: float | None = None
    concordance: Mapping[str, float] = field(default_factory=dict)

    def figures(self, class_names: Sequence[str]) -> dict[str, Any]:
        """What is written of one judgement, as `mean_figures` has it."""
        return mean_figures([self], class_names)

    def as_dict(self, class_names: Sequence[str]) -> dict[str, object]:
        """Plain values for JSON; a recall that is not a number becomes None."""
        recalls = (None if np.isnan(recall) else recall for recall in self.recalls)
        return {
            "count": self.count,
            **self.figures(class_names),
            "recalls": dict(zip(class_names, recalls, strict=True)),
            "classes_without_images": self.without_images(class_names),
            "confusion": self.confusion.tolist(),
        }

    def without_images(self, class_names: Sequence[str]) -> list[str]:
        """The names of the classes that have no image among those judged."""
        named = zip(class_names, self.recalls, strict=True)
        return [name for name, recall in named if np.isnan(recall)]


def mean_figures(scores: Sequence[Scores], class_names: Sequence[str]) -> dict[str, Any]:
    """The figures of one or more scores of the same samples, each the mean over the scores.

    `accuracy` with its `accuracy_interval` (95 %, for so many images), `top5_accuracy`,
    `macro_recall` and `balanced_accuracy` (one number under both its names), `lowest_recall` and
    `lowest_recall_classes`, all of those that share it. A class's recall is averaged over the
    scores before the lowest is looked for. `top5_accuracy` is left out, not None, where one of the
    scores lacks it: what is written of few classes has no such key. So is `concordance`, of each
    continuous target by name.
    """
    accuracy = float(np.mean([scored.accuracy for scored in scores]))
    figures: dict[str, Any] = {
        "accuracy": accuracy,
        "accuracy_interval": list(wilson_interval(accuracy, scores[0].count)),
    }
    top5 = [scored.top5_accuracy for scored in scores if scored.top5_accuracy is not None]
    if len(top5) == len(scores):
        figures["top5_accuracy"] = float(np.mean(top5))
    macro = float(np.mean([scored.macro_recall for scored in scores]))
    figures |= {"macro_recall": macro, "balanced_accuracy": macro}
    names = [name for name in scores[0].concordance if all(name in s.concordance for s in scores)]
    if names:
        figures["concordance"] = {
            name: float(np.mean([scored.concordance[name] for scored in scores])) for name in names
        }
    return figures | _lowest(np.mean([scored.recalls for scored in scores], axis=0), class_names)


def _lowest(recalls: np.ndarray, class_names: Sequence[str]) -> dict[str, Any]:
    """The lowest of the recalls `(classes,)`, nan left out, and the classes that have it."""
    lowest = float(np.nanmin(recalls))
    named = zip(class_names, recalls, strict=True)
    classes = [name for name, recall in named if recall == lowest]
    return {"lowest_recall": lowest, "lowest_recall_classes": classes}


def top5_accuracy(labels: np.ndarray, class_scores: np.ndarray) -> float:
    """The share of samples whose true class is among the five that score highest, n >= 1.

    `class_scores` is `(n, classes)`, logits or probabilities. A class is among the five when fewer
    than five others score higher: classes that tie for the fifth place are all in, whatever their
    order. A sample with a score that is not finite is wrong, as in `tf.math.in_top_k`. Raises
    `ValueError` where there is not a row a label or a label has no column.
    """
    if class_scores.ndim != 2 or len(class_scores) != len(labels):
        raise ValueError(
            f"class scores must be ({len(labels)}, classes), a row a label; received "
            f"{class_scores.shape}"
        )
    _refuse_unknown_classes(labels, class_scores.shape[1])
    own = np.take_along_axis(class_scores, labels.astype(np.int64)[:, None], axis=1)
    higher = np.count_nonzero(class_scores > own, axis=1)
    finite = np.isfinite(class_scores).all(axis=1)
    return float(np.mean((higher < 5) & finite))


def score(
    labels: np.ndarray,
    predictions: np.ndarray,
    classes: int,
    *,
    class_scores: np.ndarray | None = None,
) -> Scores:
    """Score predicted class indices `(n,)` against true ones `(n,)`, n >= 1.

    With `class_scores` `(n, classes)`, logits or probabilities, top-5 accuracy is counted as well,
    from `FEWEST_CLASSES_FOR_TOP5` classes on.
    """
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
        top5_accuracy=_top5_of_many(labels, class_scores, classes),
    )


def _top5_of_many(
    labels: np.ndarray, class_scores: np.ndarray | None, classes: int
) -> float | None:
    if class_scores is None:
        return None
    if class_scores.shape != (len(labels), classes):
        raise ValueError(
            f"class scores must be {(len(labels), classes)}, a row a sample and a column a class; "
            f"received {class_scores.shape}"
        )
    return top5_accuracy(labels, class_scores) if classes >= FEWEST_CLASSES_FOR_TOP5 else None


def _refuse_unknown_classes(indices: np.ndarray, classes: int) -> None:
    if len(indices) and not 0 <= indices.min() <= indices.max() < classes:
        raise ValueError(
            f"class indices must be 0..{classes - 1}; received {indices.min()} to {indices.max()}"
        )

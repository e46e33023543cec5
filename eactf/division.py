"""A division says, network by network, which training labels are likely clean and which are kept.

Methods of two networks make one between two epochs: each network's losses say how likely every
label is clean, and what one of them keeps the other is trained on. NumPy only.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

__all__ = ["Division", "area_under_curve", "guess_figures", "kept_figures"]


@dataclass(frozen=True, eq=False)
class Division:
    """What each of K networks makes of the labels of N training samples of C classes.

    `ids` is `(N,)`; `clean` `(N, K)` float64 in [0, 1] the probability that the label is clean, by
    each network; `kept` `(N, K)` bool whether the network keeps the label; `thresholds` `(K, C)`
    what `clean` must exceed in each class. `epoch` is the number of epochs trained before. `digest`
    tells apart samples of the same ids, where it is known. Where labels that were set aside are
    guessed, `guessed` `(N, K)` is the class that each network is trained on in their place, and
    `sure` `(N, K)` whether it is, where that goes by the confidence.
    """

    epoch: int
    ids: np.ndarray
    clean: np.ndarray
    kept: np.ndarray
    thresholds: np.ndarray
    digest: int | None = None
    guessed: np.ndarray | None = None
    sure: np.ndarray | None = None

    @property
    def networks(self) -> int:
        """How many networks divided."""
        return int(self.clean.shape[1])

    def is_of(self, ids: np.ndarray, digest: int) -> bool:
        """Whether it divides the samples of these ids and this digest."""
        return self.digest in (None, digest) and np.array_equal(self.ids, ids)

    def arrays(self) -> dict[str, np.ndarray]:
        """All of it by name, as `from_arrays` takes it."""
        columns = {f"division_{one.name}": getattr(self, one.name) for one in fields(self)}
        return {name: np.asarray(value) for name, value in columns.items() if value is not None}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Division | None:
        """The division that `arrays` tells of; None where there is none among them."""
        if "division_epoch" not in arrays:
            return None
        named = {one.name: arrays.get(f"division_{one.name}") for one in fields(cls)}
        known = {name: np.array(array) for name, array in named.items() if array is not None}
        numbers = {name: int(known.pop(name)) for name in ("epoch", "digest") if name in known}
        return cls(**numbers, **known)  # type: ignore[arg-type]  # numbers and arrays by name

    def figures(
        self, given: np.ndarray, truth: np.ndarray | None, class_names: Sequence[str]
    ) -> list[dict[str, Any]]:
        """What each network's division is worth, a dictionary a network.

        `given` `(N,)` are the labels as classes, `truth` `(N,)` the true classes where they are
        known, -1 for a sample whose truth is not. `kept` is how many labels are kept,
        `kept_per_class` how many of each given class, `thresholds` by class. Of those with a known
        truth: `precision`, the share of right labels among the kept ones, `recall`, the share of
        the right labels that is kept, and `area_under_curve` of the clean probability. A figure
        that is not defined (no label is wrong, or none kept) is None.
        """
        return [
            self._figures_of(number, given, truth, class_names) for number in range(self.networks)
        ]

    def _figures_of(
        self, number: int, given: np.ndarray, truth: np.ndarray | None, class_names: Sequence[str]
    ) -> dict[str, Any]:
        kept, clean = self.kept[:, number], self.clean[:, number]
        figures = {
            **kept_figures(kept, given, truth, class_names),
            "thresholds": dict(zip(class_names, self.thresholds[number].tolist(), strict=True)),
        }
        if truth is not None and (known := truth >= 0).any():
            right = (given == truth)[known]
            figures["area_under_curve"] = area_under_curve(clean[known], right)
        return figures

    def guesses_for(
        self, network: int, truth: np.ndarray | None, class_names: Sequence[str]
    ) -> dict[str, Any]:
        """`guess_figures` of what the other of two networks set aside, `network` being trained."""
        if self.guessed is None:
            return {}
        aside = ~self.kept[:, 1 - network]
        sure = None if self.sure is None else self.sure[aside, network]
        known = None if truth is None else truth[aside]
        return guess_figures(self.guessed[aside, network], known, class_names, sure)

    def csv_text(self, names: np.ndarray | None = None) -> str:
        """A table with a row a sample: id, clean probability by each network, kept by each.

        `names` `(N,)` are file names, where there are any.
        """
        numbers = range(1, self.networks + 1)
        columns: dict[str, Any] = {"id": self.ids.tolist()}
        if names is not None:
            columns["name"] = names.tolist()
        for number in numbers:
            columns[f"clean_{number}"] = [f"{value:.6g}" for value in self.clean[:, number - 1]]
        for number in numbers:
            columns[f"kept_{number}"] = self.kept[:, number - 1].astype(int).tolist()
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
        return text.getvalue()


def kept_figures(
    kept: np.ndarray, given: np.ndarray, truth: np.ndarray | None, class_names: Sequence[str]
) -> dict[str, Any]:
    """How many labels are `kept` `(N,)`, of each class, and how many of them are right.

    The figures of `Division.figures` that need no clean probability; without `truth` those that
    need none.
    """
    counts = np.bincount(given[kept], minlength=len(class_names))
    figures: dict[str, Any] = {
        "kept": int(kept.sum()),
        "kept_per_class": dict(zip(class_names, counts.tolist(), strict=True)),
    }
    if truth is None or not (known := truth >= 0).any():
        return figures
    right = (given == truth)[known]
    return {
        **figures,
        "precision": _share(right, of=kept[known]),
        "recall": _share(kept[known], of=right),
    }


def guess_figures(
    guessed: np.ndarray,
    truth: np.ndarray | None,
    class_names: Sequence[str],
    sure: np.ndarray | None = None,
) -> dict[str, Any]:
    """What guesses of n images, class indices `(n,)`, are worth.

    With `sure` `(n,)` `sure_per_class` is the share of the guesses of each class that are sure.
    With a `truth` `(n,)`, -1 where it is not known, `guess_accuracy` is the share of right guesses,
    and `sure_accuracy` that among the sure ones. What is a share of none is None.
    """
    figures: dict[str, Any] = {}
    if sure is not None:
        shares = [_share(sure, of=guessed == label) for label in range(len(class_names))]
        figures["sure_per_class"] = dict(zip(class_names, shares, strict=True))
    if truth is None or not (known := truth >= 0).any():
        return figures
    figures["guess_accuracy"] = _share(guessed == truth, of=known)
    if sure is not None:
        figures["sure_accuracy"] = _share(guessed == truth, of=known & sure)
    return figures


def area_under_curve(scores: np.ndarray, positive: np.ndarray) -> float | None:
    """The area under the receiver operating characteristic of `scores` `(n,)`.

    The probability that a positive sample scores higher than a negative one, ties counting one
    half; `positive` is `(n,)` bool. None where all or none are positive.

    >>> area_under_curve(np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False]))
    0.875
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        return None
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    below = np.cumsum(counts) - counts
    ranks = (below + (counts + 1) / 2)[place]  # from 1, equal scores share the middle one
    wins = ranks[positive].sum() - positives * (positives + 1) / 2
    return float(wins / (positives * negatives))


def _share(chosen: np.ndarray, of: np.ndarray) -> float | None:
    """The share of `chosen` among the samples `of`; None where there are none."""
    return float(chosen[of].mean()) if of.any() else None

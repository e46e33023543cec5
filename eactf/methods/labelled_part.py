"""Which training samples' labels a semi-supervised method may use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eactf.data.division_table import kept_by_all
from eactf.methods.training_rows import TrainingRows
from eactf.packed.hashing import uniform
from eactf.wording import counted, enumerated

__all__ = ["LabelledPart"]

_DRAW = 1005
"""The stream of this draw; label noise and splits have those before it."""


@dataclass(frozen=True)
class LabelledPart:
    """Says which labels are used, in one of four ways; all of them where none is given.

    `per_class` labels of each class, `counts` of the first, second, ... class, those that the
    division at `path` keeps, or those of the samples `ids`. Raises `ValueError` for two ways at
    once.
    """

    per_class: int | None = None
    counts: tuple[int, ...] | None = None
    path: str | None = None
    ids: tuple[int, ...] | None = None

    @classmethod
    def of(
        cls,
        per_class: int | None,
        counts: Sequence[int] | None,
        path: str | None,
        ids: Sequence[int] | None,
    ) -> LabelledPart:
        """The part that a method's arguments describe."""
        given = {
            "labelled_per_class": per_class,
            "labelled_counts": counts,
            "labelled_from": path,
            "labelled": ids,
        }
        named = [name for name, value in given.items() if value is not None]
        if len(named) > 1:
            raise ValueError(
                f"{' and '.join(named)} each say which labels are used: give one of them, or none "
                "for all labels"
            )
        return cls(
            None if per_class is None else int(per_class),
            None if counts is None else tuple(int(count) for count in counts),
            None if path is None else str(path),
            None if ids is None else tuple(int(one) for one in np.asarray(ids).ravel()),
        )

    @property
    def is_all(self) -> bool:
        """Whether every label is used."""
        return self == LabelledPart()

    def places(self, rows: TrainingRows, classes: int, seed: int) -> np.ndarray:
        """The places of the samples whose labels are used, ascending.

        Of classes with fewer samples than asked for all are taken. Which ones are drawn depends on
        the seed and the samples' ids, not on their order. Raises `ValueError` for ids that are not
        the training samples', for other numbers of classes, and where no label is left.
        """
        chosen = self._chosen(rows, classes, seed)
        if not chosen.any():
            raise ValueError("no training sample is labelled: there is nothing to learn from")
        return np.flatnonzero(chosen)

    def _chosen(self, rows: TrainingRows, classes: int, seed: int) -> np.ndarray:
        if self.path is not None:
            return _kept_in(self.path, rows.ids)
        if self.ids is not None:
            return _among(self.ids, rows.ids)
        if self.is_all:
            return np.ones(len(rows), bool)
        counts = self.counts
        if counts is None:
            assert self.per_class is not None
            counts = (self.per_class,) * classes
        if len(counts) != classes or min(counts, default=0) < 0:
            raise ValueError(
                f"labelled_counts must have a number >= 0 for each of the {classes} classes; "
                f"received {list(counts)}"
            )
        return _drawn(rows, counts, seed)


def _drawn(rows: TrainingRows, counts: Sequence[int], seed: int) -> np.ndarray:
    chosen = np.zeros(len(rows), bool)
    given, order = rows.classes, np.lexsort((rows.ids, uniform(seed, rows.ids, _DRAW)))
    for label, count in enumerate(counts):
        chosen[order[given[order] == label][:count]] = True
    return chosen


def _among(labelled: tuple[int, ...], ids: np.ndarray) -> np.ndarray:
    unknown = np.setdiff1d(labelled, ids)
    if len(unknown):
        raise ValueError(
            f"labelled names {counted(len(unknown), 'id')} that no training sample has: "
            f"{enumerated(map(str, unknown))}"
        )
    return np.isin(ids, labelled)


def _kept_in(path: str, ids: np.ndarray) -> np.ndarray:
    known, kept = kept_by_all(path)
    differing = np.setxor1d(known, ids)
    if len(differing) or len(known) != len(np.unique(known)):
        raise ValueError(
            f"labelled_from: the division at {path} is of other samples than these "
            f"{counted(len(ids), 'training image')}: {counted(len(differing), 'id')} on one side "
            f"only ({enumerated(map(str, differing), most=4)}). Train on the same data with the "
            "same validation split"
        )
    return np.isin(ids, known[kept])

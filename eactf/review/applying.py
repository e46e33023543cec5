"""Decisions put on a listing of the data: labels changed, samples dropped, each change recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from eactf.errors import DataError
from eactf.intake.listing import Listing
from eactf.packed.records import SPLITS
from eactf.review.decisions import Choice, Decision
from eactf.suggestions import did_you_mean
from eactf.wording import counted

__all__ = ["BEFORE", "Applied", "Change", "apply_decisions"]

BEFORE = "before_review"
"""The label set that keeps the labels as they were given."""

_MOST_TOLD = 10


@dataclass(frozen=True)
class Change:
    """One change: of the sample at `row` of the data as it was.

    `label` is None for a sample that was dropped. `id` is None where the data has none.
    """

    row: int
    id: int | None
    filepath: str
    split: str
    given: str
    label: str | None


@dataclass(frozen=True)
class Applied:
    """The data with the decisions put on it, and what that changed.

    `dropped` `(n,)` bool are the rows that are to go: their label in `listing` is -1, with which
    nothing is packed. `kept` counts the labels that were looked at and left.
    """

    listing: Listing
    changes: tuple[Change, ...]
    dropped: np.ndarray
    kept: int

    @property
    def relabelled(self) -> int:
        """How many labels are others now."""
        return sum(change.label is not None for change in self.changes)


def apply_decisions(
    listing: Listing, decisions: Sequence[Decision], label_set: str | None = None
) -> Applied:
    """Put `decisions` on the data that they were made of.

    A sample is found by its id, else by its path. What was judged are the given labels, or those of
    `label_set`, which then change in their place. The labels as they were stay in the label set
    `before_review`. Raises `DataError` for a sample that is not there, or whose label is not the
    one that was judged: all of them, the first ten named.
    """
    judged = listing.given if label_set is None else listing.labels[label_set]
    rows = _rows_of(listing, judged, decisions)
    labels = judged.copy()
    index = {name: label for label, name in enumerate(listing.class_names)}
    dropped = np.zeros(len(listing), bool)
    changes = []
    for row, one in zip(rows, decisions, strict=True):
        if one.choice is Choice.KEEP or labels[row] < 0:
            continue
        new = index[one.label] if one.choice is Choice.RELABEL else -1
        if new == labels[row]:
            continue
        changes.append(_change(listing, row, int(labels[row]), new))
        labels[row], dropped[row] = new, new < 0
    return Applied(
        _with_labels(listing, label_set, np.where(dropped, judged, labels), dropped),
        tuple(changes),
        dropped,
        kept=len(decisions) - len(changes),
    )


def _with_labels(
    listing: Listing, label_set: str | None, labels: np.ndarray, dropped: np.ndarray
) -> Listing:
    """The listing with other labels in the place of those judged, and without the dropped rows."""
    judged = listing.given if label_set is None else listing.labels[label_set]
    before = {_free_name(listing): judged}
    if label_set is not None:
        sets = {**listing.labels, label_set: labels, **before}
        return replace(listing, given=np.where(dropped, -1, listing.given), labels=sets)
    return replace(
        listing,
        given=np.where(dropped, -1, labels),
        labels={**listing.labels, **before},
        targets=_targets(listing, labels),
    )


def _rows_of(listing: Listing, judged: np.ndarray, decisions: Sequence[Decision]) -> list[int]:
    """The row of each decision's sample."""
    by_id = {} if listing.ids is None else {int(n): row for row, n in enumerate(listing.ids)}
    by_name = {str(name): row for row, name in enumerate(listing.names)}
    rows, problems = [], []
    for one in decisions:
        by_its_id = by_id and one.id is not None
        row = by_id.get(one.id or 0) if by_its_id else by_name.get(one.filepath)
        problem = _problem(listing, judged, row, one, by_name)
        if problem:
            problems.append(f"line {one.line}: {one.key}: {problem}")
        rows.append(-1 if row is None else row)
    if problems:
        more = len(problems) - _MOST_TOLD
        told = problems[:_MOST_TOLD] + [f"and {more:,} more"] * (more > 0)
        were = counted(len(problems), "decision is", "decisions are")
        raise DataError(
            f"{were} not of {listing.source}:\n  " + "\n  ".join(told),
            hint="apply decisions to the data that was audited, as it was then",
        )
    return rows


def _problem(
    listing: Listing, judged: np.ndarray, row: int | None, one: Decision, by_name: dict[str, int]
) -> str | None:
    """Why a decision cannot be of the sample at `row`; None where it can."""
    if row is None:
        near = did_you_mean(one.filepath, by_name) if one.filepath and len(by_name) < 10_000 else ""
        return f"there is no such sample{'; ' + near if near else ''}"
    label = int(judged[row])
    held = listing.class_names[label] if label >= 0 else ""
    if one.given and one.given != held:
        now = f"is {held!r} now" if held else "is gone now"
        return f"its label was {one.given!r} when it was judged, and {now}"
    return None


def _change(listing: Listing, row: int, old: int, new: int) -> Change:
    names = listing.class_names
    return Change(
        row=row,
        id=None if listing.ids is None else int(listing.ids[row]),
        filepath=str(listing.names[row]),
        split=SPLITS[listing.splits[row]],
        given=names[old],
        label=None if new < 0 else names[new],
    )


def _free_name(listing: Listing) -> str:
    """`before_review`; data that was reviewed before keeps what it has, and gets a second set."""
    taken = [name for name in listing.labels if name.startswith(BEFORE)]
    return BEFORE if not taken else f"{BEFORE}_{len(taken) + 1}"


def _targets(listing: Listing, given: np.ndarray) -> np.ndarray | None:
    """Soft labels, those of a changed label being it alone."""
    if listing.targets is None:
        return None
    rows = np.flatnonzero((given != listing.given) & (given >= 0))
    targets = listing.targets.copy()
    targets[rows] = 0.0
    targets[rows, given[rows]] = 1.0
    return targets

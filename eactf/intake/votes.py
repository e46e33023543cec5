"""This module makes a label of annotators' votes by one of three rules, for FERPlus and others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eactf.errors import DataError, UsageError

__all__ = [
    "EMOTIONS",
    "RULES",
    "VOTE_COLUMNS",
    "VoteResult",
    "decide_votes",
    "resolve_votes",
]

EMOTIONS = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
)

VOTE_COLUMNS = (*EMOTIONS, "unknown", "NF")
"""FERPlus's vote columns in its order; NF is "not a face"."""

RULES = ("argmax", "majority", "soft")


@dataclass(frozen=True)
class VoteResult:
    """What a rule made of the votes; row `i` of every array is image `i`.

    `label` is the most voted of the classes (the first of several), meaningful or not; `keep` says
    whether the rule accepts it; `reason` is why not, "" where kept. `tie` marks images where two or
    more classes share the top count. `targets`, for the rule `soft`, are `(n, classes)` float32,
    rows of zeros where not kept.
    """

    label: np.ndarray
    keep: np.ndarray
    reason: np.ndarray
    tie: np.ndarray
    targets: np.ndarray | None = None

    @property
    def kept(self) -> int:
        """How many images were kept."""
        return int(self.keep.sum())

    @property
    def ties(self) -> int:
        """How many of the kept images had a tie between classes."""
        return int((self.tie & self.keep).sum())

    @property
    def dropped(self) -> dict[str, int]:
        """How many images were dropped, by reason."""
        reasons, counts = np.unique(self.reason[~self.keep], return_counts=True)
        return {str(reason): int(count) for reason, count in zip(reasons, counts, strict=True)}


def resolve_votes(votes: np.ndarray, rule: str = "argmax", *, classes: int = 8) -> VoteResult:
    """Decide the label of each image from its votes, `(n, 10)` in the order of `VOTE_COLUMNS`.

    `argmax` takes the most voted of all ten columns and keeps the image when that is an emotion;
    a tie takes the first column, so that an emotion wins over `unknown` and `NF`. `majority` keeps
    those of them whose emotion has more than half of all votes. `soft` keeps what `argmax` keeps,
    with the emotions' shares of the emotion votes as target. With `classes=7` images whose emotion
    is contempt are dropped, and contempt votes do not count in targets.

    >>> resolve_votes(np.array([[0, 6, 0, 4, 0, 0, 0, 0, 0, 0]]), "majority").label
    array([1])
    """
    _check_ferplus(votes, classes)
    others = ("unknown", "not a face")
    return decide_votes(votes, rule, classes=EMOTIONS, others=others, kept=classes)


def decide_votes(
    votes: np.ndarray,
    rule: str = "argmax",
    *,
    classes: Sequence[str],
    others: Sequence[str] = (),
    kept: int | None = None,
) -> VoteResult:
    """Decide the label of each image from votes for `classes` and then for `others`.

    `votes` is `(n, classes + others)`, counts or weights >= 0. The rules are those of
    `resolve_votes`: an image is kept when a class has the top count of all columns, ties going to
    the first column; one dropped for an other column has its name as the reason. Of the classes
    only the first `kept` are kept and count in targets, all where None.

    >>> decide_votes(np.array([[2.5, 0.5], [1, 3]]), classes=["cat"], others=["blurred"]).reason
    array(['', 'blurred'], dtype='<U24')
    """
    _check(votes, rule, (*classes, *others))
    kept = len(classes) if kept is None else kept
    counts = votes.astype(np.float64)
    for_classes = counts[:, : len(classes)]
    label, top = for_classes.argmax(axis=1), for_classes.max(axis=1)
    reason = np.full(len(counts), "", dtype=f"<U{max(24, *map(len, (*classes, *others)))}")
    if rule == "majority":
        reason[2 * top <= counts.sum(axis=1)] = "no majority"
    winner = counts.argmax(axis=1)
    for column, name in enumerate((*classes, *others)):
        if column >= kept:
            reason[(winner if column >= len(classes) else label) == column] = name
    reason[counts.sum(axis=1) == 0] = "no votes"
    keep = reason == ""
    tie = (for_classes == top[:, None]).sum(axis=1) > 1
    targets = _shares(for_classes[:, :kept], keep) if rule == "soft" else None
    return VoteResult(label, keep, reason, tie, targets)


def _check_ferplus(votes: np.ndarray, classes: int) -> None:
    if classes not in (7, 8):
        raise UsageError(f"classes {classes}: expected 8, or 7 to leave out contempt")
    if votes.dtype.kind not in "iu":
        raise DataError("votes: expected whole numbers >= 0")


def _check(votes: np.ndarray, rule: str, columns: Sequence[str]) -> None:
    if rule not in RULES:
        raise UsageError(f"vote rule {rule!r}: expected one of {', '.join(RULES)}")
    if votes.ndim != 2 or votes.shape[1] != len(columns):
        raise DataError(f"votes: expected shape (n, {len(columns)}), received {votes.shape}")
    if not (np.isfinite(votes) & (votes >= 0)).all():
        raise DataError("votes: expected finite numbers >= 0")


def _shares(votes: np.ndarray, keep: np.ndarray) -> np.ndarray:
    total = votes.sum(axis=1, keepdims=True)
    shares = votes / np.where(total > 0, total, 1)
    return np.where(keep[:, None], shares, 0).astype(np.float32)

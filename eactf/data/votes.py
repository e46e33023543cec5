"""From annotators' votes to a label: FERPlus's columns under three rules."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eactf.errors import DataError, UsageError

__all__ = ["EMOTIONS", "RULES", "VOTE_COLUMNS", "VoteResult", "resolve_votes"]

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
    more emotions share the top count. `targets`, for the rule `soft`, are `(n, classes)` float32,
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
        """How many of the kept images had a tie between emotions."""
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
    _check(votes, rule, classes)
    counts = votes.astype(np.int64)
    emotions = counts[:, : len(EMOTIONS)]
    label, top = emotions.argmax(axis=1), emotions.max(axis=1)
    reason = np.full(len(counts), "", dtype="<U24")
    if rule == "majority":
        reason[2 * top <= counts.sum(axis=1)] = "no majority"
    reason[label >= classes] = "contempt"
    winner = counts.argmax(axis=1)
    reason[winner == VOTE_COLUMNS.index("unknown")] = "unknown"
    reason[winner == VOTE_COLUMNS.index("NF")] = "not a face"
    reason[counts.sum(axis=1) == 0] = "no votes"
    keep = reason == ""
    tie = (emotions == top[:, None]).sum(axis=1) > 1
    targets = _shares(emotions[:, :classes], keep) if rule == "soft" else None
    return VoteResult(label, keep, reason, tie, targets)


def _check(votes: np.ndarray, rule: str, classes: int) -> None:
    if rule not in RULES:
        raise UsageError(f"vote rule {rule!r}: expected one of {', '.join(RULES)}")
    if classes not in (7, 8):
        raise UsageError(f"classes {classes}: expected 8, or 7 to leave out contempt")
    if votes.ndim != 2 or votes.shape[1] != len(VOTE_COLUMNS):
        raise DataError(f"votes: expected shape (n, {len(VOTE_COLUMNS)}), received {votes.shape}")
    if votes.dtype.kind not in "iu" or (votes.size and votes.min() < 0):
        raise DataError("votes: expected whole numbers >= 0")


def _shares(emotions: np.ndarray, keep: np.ndarray) -> np.ndarray:
    total = np.maximum(emotions.sum(axis=1, keepdims=True), 1)
    shares = np.where(keep[:, None], emotions / total, 0)
    return np.asarray(shares, dtype=np.float32)

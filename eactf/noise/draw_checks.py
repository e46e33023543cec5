"""`draw_checks` picks the labels whose check by a person tells most, with known probabilities.

A label is picked with a probability that grows with how uncertain it is, never with 0. Because the
probabilities are known, weighing each answer by one over its own makes up for the choice exactly
(Horvitz and Thompson, 1952).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eactf.packed.hashing import uniform

__all__ = ["FOLDS", "CheckRound", "check_folds", "draw_checks"]

FOLDS = 5
"""Parts of the samples that are drawn from by themselves: what is learned from the answers in four
of them serves the fifth, and depends on nothing that was drawn in it."""

_EVEN = 0.3
"""Share of the probability that is spread evenly: no answer weighs more than 1 / 0.3 of an even
one, however wrong the chances are."""

_FOLD, _START, _ORDER = 1006, 1007, 1008  # streams; `noise.folds` has 1005


@dataclass(frozen=True)
class CheckRound:
    """Labels to be checked: `rows` `(count,)` in the order in which they are asked for.

    `inclusion` `(n,)` is the probability with which each of all samples was to be among them; 0 for
    those of earlier rounds. Any first part of `rows` is a sample of its own: the order is random.
    """

    rows: np.ndarray
    inclusion: np.ndarray


def check_folds(ids: np.ndarray, seed: int) -> np.ndarray:
    """The part `(n,)`, 0..FOLDS-1, of every sample: at random, of equal size."""
    fold = np.empty(len(ids), dtype=np.int64)
    fold[np.argsort(uniform(seed, ids, _FOLD), kind="stable")] = np.arange(len(ids)) % FOLDS
    return fold


def draw_checks(
    ids: np.ndarray,
    given: np.ndarray,
    chance: np.ndarray,
    count: int,
    *,
    before: np.ndarray | None = None,
    seed: int = 0,
) -> CheckRound:
    """Draw `count` of the samples, without those whose rows are in `before`.

    `ids` are the samples', `given` their labels, `chance` how likely each label is to be wrong, all
    `(n,)`. Each part of `check_folds` is drawn from systematically along (class, chance), so that
    all classes and all degrees of doubt are met. A function of its arguments alone; more than there
    are left gives all that are left.
    """
    before = np.empty(0, np.int64) if before is None else before
    free = np.ones(len(ids), dtype=bool)
    free[before] = False
    fold = check_folds(ids, seed)
    # A round of its own: with the start of the last one the same samples' neighbours would come.
    starts = uniform(seed, len(before) * FOLDS + np.arange(FOLDS), _START)
    inclusion, parts = np.zeros(len(ids)), []
    for number, share in enumerate(_shares(count, fold[free])):
        rows = np.flatnonzero((fold == number) & free)
        inclusion[rows] = _inclusion(chance[rows], share)
        rows = rows[np.lexsort((chance[rows], given[rows]))]
        picked = rows[_systematic(inclusion[rows], share, starts[number])]
        parts.append(picked[np.argsort(uniform(seed, ids[picked], _ORDER), kind="stable")])
    return CheckRound(_in_turn(parts), inclusion)


def _shares(count: int, fold: np.ndarray) -> list[int]:
    """How many to draw from each part: alike, as far as they hold so many."""
    left = np.bincount(fold, minlength=FOLDS)
    shares = np.zeros(FOLDS, dtype=np.int64)
    for _ in range(min(count, int(left.sum()))):
        shares[np.where(shares < left, shares, len(fold) + 1).argmin()] += 1
    return [int(share) for share in shares]


def _inclusion(chance: np.ndarray, count: int) -> np.ndarray:
    """Probabilities that sum to `count`, by the deviation of a label that is wrong by `chance`."""
    if not count:
        return np.zeros(len(chance))
    deviation = np.sqrt(chance * (1.0 - chance)) + 1e-9
    wish = (1.0 - _EVEN) * deviation / deviation.mean() + _EVEN
    certain = np.zeros(len(chance), dtype=bool)
    while not certain.all():
        rest = count - certain.sum()
        inclusion = np.where(certain, 1.0, rest * wish / wish[~certain].sum())
        over = (inclusion >= 1.0) & ~certain
        if not over.any():
            return np.asarray(inclusion)
        certain |= over
    return np.ones(len(chance))


def _systematic(inclusion: np.ndarray, count: int, start: float) -> np.ndarray:
    """`count` places, each met with exactly its probability: equal steps along their sum."""
    if not count:
        return np.empty(0, dtype=np.int64)
    reached = np.cumsum(inclusion)
    reached *= count / reached[-1]
    places = np.searchsorted(reached, np.arange(count) + start, side="right")
    return np.minimum(places, len(inclusion) - 1)


def _in_turn(parts: list[np.ndarray]) -> np.ndarray:
    """The parts' rows, one of each in turn."""
    turns = np.concatenate([np.arange(len(part)) for part in parts])
    return np.asarray(np.concatenate(parts)[np.argsort(turns, kind="stable")])

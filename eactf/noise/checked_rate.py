"""`checked_rate` estimates the share of wrong labels from the answers about a drawn part of them.

It is a difference estimator: what `WrongChance` says of all samples, and on top of it the mistakes
it made on the checked ones, each weighed by one over its probability to be drawn (Horvitz and
Thompson). What is said of a sample is learned from answers that do not depend on whether it was
drawn - of other parts, and of earlier rounds - so that the estimate is right on average, whatever
the model is worth. A good model makes it sharp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eactf.noise.draw_checks import FOLDS, CheckRound
from eactf.noise.wrong_chance import WrongChance, logit, sigmoid

__all__ = ["FEWEST_CHECKS", "CheckedRate", "checked_rate"]

FEWEST_CHECKS = 20
"""Of fewer answers nothing is told."""

_NINE_IN_TEN = 1.645
_TILTS = np.linspace(-12.0, 12.0, 97)
_RATES = np.linspace(0.0, 1.0, 4001)


@dataclass(frozen=True)
class CheckedRate:
    """The share of wrong labels by checks, and the interval `low` to `high`, nine in ten.

    `unbiased` is the estimate as it comes out, which may lie a little below 0 or above 1; `rate` is
    brought into what is possible. `checked` answers were counted, `wrong` of them said so and
    `unsure` could not be told: they count half, and the interval allows for all of them either way.
    """

    rate: float
    low: float
    high: float
    unbiased: float
    checked: int
    wrong: int
    unsure: int


def checked_rate(
    model: WrongChance,
    fold: np.ndarray,
    rounds: Sequence[CheckRound],
    answers: Sequence[np.ndarray],
) -> CheckedRate:
    """The rate by `answers` to the first rows of each round, 1 wrong, 0 right, 0.5 unsure.

    `fold` `(n,)` is that of `check_folds`. All rounds but the last one are answered to the end.
    Raises `ValueError` for fewer than `FEWEST_CHECKS` answers, or a round answered in part that is
    not the last.
    """
    counts = [len(answer) for answer in answers]
    if sum(counts) < FEWEST_CHECKS:
        raise ValueError(f"{sum(counts)} answers: expected at least {FEWEST_CHECKS}")
    full = zip(rounds[:-1], answers[:-1], strict=True)
    if any(len(round_.rows) != len(answer) for round_, answer in full):
        raise ValueError("a round is not answered to its end, and a later one has answers")
    told = np.concatenate(answers)
    unsure = told == 0.5
    middle = _Reckoning(model, fold, rounds, answers)
    low, high = middle.interval()
    if unsure.any():
        low, _ = _Reckoning(model, fold, rounds, [np.floor(a) for a in answers]).interval()
        _, high = _Reckoning(model, fold, rounds, [np.ceil(a) for a in answers]).interval()
    wrong = float(told.sum())
    least, most = wrong / len(model), 1.0 - (len(told) - wrong) / len(model)
    return CheckedRate(
        rate=float(np.clip(middle.rate, least, most)),
        low=float(min(low, np.clip(middle.rate, least, most))),
        high=float(max(high, np.clip(middle.rate, least, most))),
        unbiased=float(middle.rate),
        checked=len(told),
        wrong=int(np.sum(told == 1)),
        unsure=int(unsure.sum()),
    )


class _Reckoning:
    """One reading of the answers: every round gives an estimate, and all are weighed together."""

    def __init__(
        self,
        model: WrongChance,
        fold: np.ndarray,
        rounds: Sequence[CheckRound],
        answers: Sequence[np.ndarray],
    ) -> None:
        self.model, self.fold = model, fold
        self.known_rows = np.empty(0, dtype=np.int64)
        self.known = np.empty(0)
        self.parts: list[_Part] = []
        for round_, answer in zip(rounds, answers, strict=True):
            if not len(answer):
                continue
            self.parts.append(self._part(round_, answer))
            rows = round_.rows[: len(answer)]
            self.known_rows = np.concatenate([self.known_rows, rows])
            self.known = np.concatenate([self.known, answer])
        weights = np.array([part.weight for part in self.parts])
        self.weights = weights / weights.sum()
        self.rate = float(self.weights @ [part.rate for part in self.parts])

    def _part(self, round_: CheckRound, answer: np.ndarray) -> _Part:
        rows = round_.rows[: len(answer)]
        chance = np.empty(len(self.model))
        for number in range(FOLDS):
            other = self.fold[rows] != number
            known = np.concatenate([self.known_rows, rows[other]])
            said = self.model.learned(known, np.concatenate([self.known, answer[other]]))
            chance[self.fold == number] = said[self.fold == number]
        chance[self.known_rows] = self.known
        return _Part(chance, _inclusion_so_far(round_, self.fold, len(answer)), rows, answer)

    def interval(self) -> tuple[float, float]:
        """The rates at which an estimate as far off as this one is no rarer than one in ten.

        The score interval: the spread is that of the rate asked about, not of the one found, so
        that it holds where hardly a label, or none, was found wrong. For each rate the model's
        chances are moved together until they have that mean. It is widened where the model was
        further off than it should.
        """
        rates, spreads = self._spreads()
        found = self._weighed([part.spread() for part in self.parts])
        meant = float(np.interp(self.rate, rates, spreads))
        widened = max(1.0, found / meant) if meant > 0 else 1.0
        spread = widened * np.interp(_RATES, rates, spreads)
        inside = _RATES[(self.rate - _RATES) ** 2 <= _NINE_IN_TEN**2 * spread]
        if not len(inside):
            return self.rate, self.rate
        wrong, right = self.known.sum(), len(self.known) - self.known.sum()
        # Where none was found there may be none at all, whatever the model believes.
        low = max(float(inside[0]), wrong / len(self.model)) if wrong else 0.0
        high = min(float(inside[-1]), 1.0 - right / len(self.model)) if right else 1.0
        return low, high

    def _spreads(self) -> tuple[np.ndarray, np.ndarray]:
        """Rates, rising, and the variance of the estimate at each."""
        log_odds = logit(self.model.learned(self.known_rows, self.known))
        rates, spreads = [], []
        for tilt in _TILTS:
            chance = sigmoid(log_odds + tilt)
            spreads.append(self._weighed([part.spread_of(chance) for part in self.parts]))
            chance[self.known_rows] = self.known
            rates.append(chance.mean())
        return np.array(rates), np.array(spreads)

    def _weighed(self, spreads: Sequence[float]) -> float:
        return float(np.sum(self.weights**2 * np.array(spreads)))


@dataclass(frozen=True)
class _Part:
    """A round's estimate: what was said of all samples, how they were drawn, what was answered."""

    chance: np.ndarray
    inclusion: np.ndarray
    rows: np.ndarray
    answer: np.ndarray

    @property
    def rate(self) -> float:
        off = (self.answer - self.chance[self.rows]) / self.inclusion[self.rows]
        return float((self.chance.sum() + off.sum()) / len(self.chance))

    @property
    def weight(self) -> float:
        """One over the variance that an even draw would have: fixed before any answer."""
        left, drawn = int((self.inclusion > 0).sum()), len(self.rows)
        return drawn / (left * max(left - drawn, 1e-9))

    def spread(self) -> float:
        """The variance of the rate, as the answers have it."""
        drawn = self.inclusion[self.rows]
        off = (self.answer - self.chance[self.rows]) / drawn
        return float(((1.0 - drawn) * off**2).sum() / len(self.chance) ** 2)

    def spread_of(self, true: np.ndarray) -> float:
        """The variance of the rate if labels were wrong by the chances `true` `(n,)`."""
        drawable = self.inclusion > 0
        drawn, said, true = (each[drawable] for each in (self.inclusion, self.chance, true))
        squares = true * (1.0 - true) + (true - said) ** 2
        return float(((1.0 / drawn - 1.0) * squares).sum() / len(self.chance) ** 2)


def _inclusion_so_far(round_: CheckRound, fold: np.ndarray, answered: int) -> np.ndarray:
    """The probability of each sample to be among the first `answered` of a round."""
    all_of_it = np.bincount(fold[round_.rows], minlength=FOLDS)
    reached = np.bincount(fold[round_.rows[:answered]], minlength=FOLDS)
    return np.asarray(round_.inclusion * (reached / np.maximum(all_of_it, 1))[fold])

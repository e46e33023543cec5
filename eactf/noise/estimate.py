"""`estimate_noise` tells from out-of-fold predictions how many labels are wrong, and which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eactf.errors import DataError
from eactf.noise.believed import believed
from eactf.noise.gain_by_chance import gain_by_chance
from eactf.noise.interval import MODEL_ERROR, noise_interval
from eactf.noise.latent import LatentFit, LatentModel

__all__ = ["LEAST_SAMPLES", "NoiseEstimate", "estimate_noise"]

LEAST_SAMPLES = 100
"""With fewer labels an estimate would say nothing."""

_MOST_CONFUSED = 12
"""With more classes a network's habits have too many parameters, and are left out."""

_DECIDED, _OPEN = 3.0, 1.5
"""Deviations from which the richer of two readings is taken, and from which it stays possible."""

_BEYOND_DOUBT = 1.5
"""Gain a parameter from which no chance is worth measuring: half of one is expected."""

_BEYOND_CHANCE, _MAYBE_CHANCE = 5.0, 2.0
"""Deviations beyond the gain by chance from which the reading by pairs is taken, and from which it
stays possible. As far as four are reached by even noise: no model of a network's habits is right.
"""


@dataclass(frozen=True)
class NoiseEstimate:
    """The noise of given labels, as read from predictions that have not seen them.

    `rate` is the share of wrong labels and `low` to `high` an interval for noise that looks at the
    class; `benchmarks/README.md` has how often it held the truth, of planted noise and people's.
    `disagreement` is the share of labels that the predictions contradict: what the rate would be if
    the network never erred, an upper reading. `paired` says that wrong labels go to certain classes
    and not to all alike. `counts` `(classes, classes)` is the expected number of labels by likely
    true class (row) and given class (column); `noise` the same as a noise matrix, rows that sum to
    1. Of each sample: `likely` `(n,)` its likeliest true class, `probability` `(n, classes)` that
    of each class with the given label known, `score` `(n,)` the logarithm of the odds of `likely`
    against the given label (0 where they are the same).
    """

    rate: float
    low: float
    high: float
    disagreement: float
    paired: bool
    counts: np.ndarray
    noise: np.ndarray
    likely: np.ndarray
    probability: np.ndarray
    score: np.ndarray

    @property
    def per_class(self) -> np.ndarray:
        """The share of wrong labels among those given as each class, `(classes,)`; nan for none."""
        given = self.counts.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(1.0 - np.diag(self.counts) / given)

    def suspects(self) -> np.ndarray:
        """The rows of the samples whose label is likelier wrong than right, worst first."""
        rows = np.flatnonzero(self.score > 0)
        return np.asarray(rows[np.argsort(-self.score[rows], kind="stable")])

    @property
    def highest(self) -> float:
        """The highest rate that is possible where mistakes fall on hard images, as people's do."""
        return max(self.high, self.disagreement)

    @property
    def tells(self) -> bool:
        """Whether the interval is narrow enough to act on (30 points)."""
        return self.high - self.low <= 0.3


def estimate_noise(probabilities: np.ndarray, given: np.ndarray) -> NoiseEstimate:
    """Estimate the noise of `given` `(n,)` from out-of-fold `probabilities` `(n, classes)`.

    Of the two readings of `noise.latent` - every wrong label is any other class alike, or each pair
    of classes has a rate of its own - the second is taken where the labels demand it, and the
    interval reaches to the other where they leave it open.
    What depends on the image beyond its class is read too low where people err alike: networks
    learn that. The truth may then lie anywhere up to `disagreement`, and only checked labels tell
    (`eactf.noise.checked_rate`). Raises `DataError` for fewer than `LEAST_SAMPLES` labels,
    fewer than 2 classes, or arrays that do not fit.
    """
    _check(probabilities, given)
    model, even, by_pair = _fits(probabilities, given)
    paired, other_open = _reading(model, even, by_pair)
    chosen, other = (by_pair, even) if paired else (even, by_pair)
    low, high = noise_interval(model, chosen)
    if other_open:
        low = min(low, max(other.rate - MODEL_ERROR, 0.0))
        high = max(high, min(other.rate + MODEL_ERROR, 1.0))
    true = believed(even, by_pair, given)
    likely = true.argmax(axis=1)
    return NoiseEstimate(
        rate=chosen.rate,
        low=low,
        high=high,
        disagreement=model.contradicted,
        paired=paired,
        counts=chosen.counts,
        noise=chosen.noise,
        likely=likely,
        probability=true,
        score=_log_odds(true, likely, given),
    )


def _fits(probabilities: np.ndarray, given: np.ndarray) -> tuple[LatentModel, LatentFit, LatentFit]:
    """The model, with the network's habits if the labels demand them, and its two readings."""
    model = LatentModel(probabilities, given, confusing=False)
    even = model.fit_even()
    if model.classes <= _MOST_CONFUSED:
        habits = LatentModel(probabilities, given, confusing=True)
        fit = habits.fit_even()
        more = model.classes * (model.classes - 1)
        if fit.log_likelihood - even.log_likelihood > _demanded(more, _DECIDED):
            model, even = habits, fit
    return model, even, model.fit_pairs()


def _reading(model: LatentModel, even: LatentFit, by_pair: LatentFit) -> tuple[bool, bool]:
    """Whether the reading by pairs of classes is taken, and whether the other stays possible.

    It is taken where it gains more than by chance, by deviations to spare. The chance is measured
    (a parametric bootstrap of the likelihood ratio), for freedom held back is worth less than its
    number of parameters; the deviation is that of half a chi-square with the measured mean. Without
    the network's habits in the model, wrong labels and they cannot be told apart so finely, and the
    gain must pass the whole number of parameters.
    """
    gain = by_pair.log_likelihood - even.log_likelihood
    more = model.classes * (model.classes - 1) - 1
    decided = gain > _demanded(more, _DECIDED)
    if not model.confusing:
        return decided, not decided and gain > _demanded(more, _OPEN)
    if gain > _BEYOND_DOUBT * more:
        return True, False
    by_chance = gain_by_chance(model, even)
    deviations = (gain - by_chance) / max(by_chance, 1.0) ** 0.5
    if deviations > _BEYOND_CHANCE:
        return True, not decided
    return False, deviations > _MAYBE_CHANCE


def _demanded(more: int, deviations: float) -> float:
    """The gain in log-likelihood that so many `more` parameters must bring to count.

    If they are not needed, twice the gain is distributed as chi-square with `more` degrees of
    freedom; that it passes its mean by three deviations happens once in a thousand times.
    """
    return float(0.5 * (more + deviations * (2.0 * more) ** 0.5))


def _log_odds(true: np.ndarray, likely: np.ndarray, given: np.ndarray) -> np.ndarray:
    rows = np.arange(len(given))
    smallest = np.finfo(np.float64).tiny
    return np.asarray(
        np.log(np.maximum(true[rows, likely], smallest))
        - np.log(np.maximum(true[rows, given], smallest))
    )


def _check(probabilities: np.ndarray, given: np.ndarray) -> None:
    if probabilities.ndim != 2 or probabilities.shape[0] != len(given):
        raise DataError(
            f"probabilities of shape {probabilities.shape} do not fit {len(given)} labels"
        )
    classes = probabilities.shape[1]
    if classes < 2:
        raise DataError("noise needs at least 2 classes", hint="there is nothing to mix up")
    if len(given) < LEAST_SAMPLES:
        raise DataError(
            f"{len(given)} labels are too few to estimate their noise",
            hint=f"at least {LEAST_SAMPLES} are needed; below that, look at every image yourself",
        )
    if given.min() < 0 or given.max() >= classes:
        raise DataError(f"labels: expected 0 to {classes - 1}")
    if not np.isfinite(probabilities).all() or (probabilities < 0).any():
        raise DataError("probabilities: expected finite values >= 0")

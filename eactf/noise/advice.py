"""`advise` says what to train with, and why, from an estimate of the label noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from eactf.noise.estimate import NoiseEstimate

__all__ = ["CLEAN", "DOUBTFUL", "HOPELESS", "RAMPED", "Advice", "ByPeople", "advise"]

CLEAN = 0.05
"""Where the whole interval lies below, labels count as clean."""

DOUBTFUL = 0.25
"""Where networks contradict more labels than this, clean ones and hard noise look the same."""

HOPELESS = 0.6
"""Where more labels than this are wrong nothing was measured."""

RAMPED = 20_000
"""With fewer samples networks are small and start from random weights: EAC gets its ramp."""

_MEASURED = (
    "measured at 30 % symmetric noise: EAC 86 %, cross-entropy 66 % right on 1,500 drawn faces;"
    " 60 % and 42 % on 5,000 FERPlus faces",
    "measured at 36 % human noise: EAC 53 %, cross-entropy 44 % right on 5,000 FER2013 faces",
)

_HARD = (
    "labels that people made can read like that and be wrong all the same: where people err alike,"
    " networks learn it; checks tell (--checked 100)"
)

_EAC = "EAC, at twice the time: it learns fewer of the wrong labels than cross-entropy"
_MEND = "mend labels first: so many are wrong that no method here was measured on it"


@dataclass(frozen=True)
class ByPeople:
    """The share of wrong labels with its interval, as people's checks or votes have it."""

    rate: float
    low: float
    high: float
    source: str


@dataclass(frozen=True)
class Advice:
    """What to train with: `settings` are recipe keys, `text` a sentence, `evidence` its grounds."""

    method: str
    text: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def advise(
    estimate: NoiseEstimate,
    class_names: Sequence[str],
    samples: int,
    by_people: ByPeople | None = None,
) -> Advice:
    """The method and its strength for `samples` labels as noisy as estimated, or as people say."""
    if by_people is not None:
        return _by_people(by_people, samples)
    doubtful = estimate.disagreement >= DOUBTFUL
    if estimate.high < CLEAN and not doubtful:
        text = "plain cross-entropy is enough: hardly a label is wrong"
        return Advice("cross_entropy", text, {"method.name": "cross_entropy"}, (_found(estimate),))
    ramp = {"method.consistency_ramp": 8} if samples < RAMPED else {}
    settings = {"method.name": "eac", **ramp}
    pairs = _worst_pair(estimate, class_names) if estimate.paired else ()
    hard = estimate.rate < CLEAN and doubtful
    grounds = (_found(estimate), *((_HARD,) if hard else ()), *pairs, *_MEASURED)
    return Advice("eac", _why_eac(estimate, hard), settings, grounds)


def _by_people(told: ByPeople, samples: int) -> Advice:
    """What people say leaves no room for hard images that look like wrong labels."""
    found = f"{told.low:.0%} to {told.high:.0%} of the labels wrong, by {told.source}"
    if told.high < CLEAN:
        text = "plain cross-entropy is enough: hardly a label is wrong"
        return Advice("cross_entropy", text, {"method.name": "cross_entropy"}, (found,))
    ramp = {"method.consistency_ramp": 8} if samples < RAMPED else {}
    text = _EAC if told.rate <= HOPELESS else _MEND
    return Advice("eac", text, {"method.name": "eac", **ramp}, (found, *_MEASURED))


def _why_eac(estimate: NoiseEstimate, hard: bool) -> str:
    if hard and estimate.tells:
        return (
            "EAC, at twice the time: labels are right where networks are sure, but the many that"
            " they contradict may be hard images or wrong labels"
        )
    if not estimate.tells:
        return (
            "EAC, at twice the time, to be safe: quick networks know too little of these images to"
            " tell wrong labels from their own mistakes"
        )
    if estimate.rate > HOPELESS:
        return _MEND
    return _EAC


def _found(estimate: NoiseEstimate) -> str:
    return (
        f"{estimate.low:.0%} to {estimate.high:.0%} of the labels wrong,"
        f" {estimate.disagreement:.0%} contradicted by networks that have not seen them"
    )


def _worst_pair(estimate: NoiseEstimate, class_names: Sequence[str]) -> tuple[str, ...]:
    wrong = estimate.counts * (1 - np.eye(len(class_names)))
    true, given = divmod(int(wrong.argmax()), len(class_names))
    return (
        f"wrong labels go to certain classes, most of all {class_names[true]} given as"
        f" {class_names[given]}; planted noise of that kind was not trained on",
    )

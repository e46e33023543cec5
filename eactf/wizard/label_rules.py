"""These rules choose the labels to train on, judge how many are wrong, and choose the method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eactf.intake.fingerprint import Fingerprint
from eactf.noise.advice import CLEAN
from eactf.wizard.choices import Choice, Origin

__all__ = [
    "GIVEN",
    "NoiseEstimate",
    "WrongLabels",
    "known_share",
    "method_name",
    "method_settings",
    "noise",
    "vote_rule",
    "wrong_labels",
]

GIVEN = "as given"
"""The answer for the labels that the data itself gives, against a further label set by name."""

_MUCH_HIGHER = 0.2
"""Points above the interval from which the highest share is told beside it."""

_ANSWERED = {
    "clean": ("the labels are right", 0.0),
    "some": ("some labels are wrong", 0.1),
    "many": ("many labels are wrong", 0.3),
}


@dataclass(frozen=True)
class NoiseEstimate:
    """What `eactf data noise` found: share wrong with its interval, and the method it advises.

    `by` says where the share comes from: `networks`, or people's checks or votes; `highest` is what
    it may be by the networks where mistakes fall on hard images, as people's do.
    `pairs` are the most frequent mistakes as (given, likely, share of the given class). Where the
    interval is too wide to act on, `tells` is False.
    """

    rate: float
    low: float
    high: float
    method: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    text: str = ""
    pairs: tuple[tuple[str, str, float], ...] = ()
    tells: bool = True
    by: str = "networks"
    highest: float = 0.0

    @property
    def found(self) -> str:
        """Share and interval in words."""
        interval = f"{self.low:.0%} to {self.high:.0%}"
        if not self.tells:
            return f"how many labels are wrong cannot be told ({interval})"
        if self.by != "networks":
            return f"about {self.rate:.0%} of the labels are wrong ({interval}), by {self.by}"
        if self.highest > self.high + _MUCH_HIGHER:
            interval += f"; up to {self.highest:.0%} if people made them"
        return f"about {self.rate:.0%} of the labels look wrong ({interval})"


@dataclass(frozen=True)
class WrongLabels:
    """The share of wrong training labels the plan reckons with, and how it is known."""

    rate: float
    origin: Origin
    reason: str
    estimate: NoiseEstimate | None = None


def known_share(fingerprint: Fingerprint, labels: str) -> WrongLabels | None:
    """The share that the data itself tells: by known true labels, or against the given ones."""
    if labels != GIVEN and labels in fingerprint.label_sets:
        rate = fingerprint.label_sets[labels]
        reason = f"{rate:.1%} of {labels} differ from the labels as given"
        return WrongLabels(rate, Origin.DATA, reason)
    if fingerprint.wrong_share is not None:
        rate = fingerprint.wrong_share
        reason = f"{rate:.1%} of the labels differ from the known true ones"
        return WrongLabels(rate, Origin.DATA, reason)
    return None


def wrong_labels(
    fingerprint: Fingerprint,
    labels: str,
    quality: str,
    estimate: NoiseEstimate | None,
    origin: Origin = Origin.YOU,
) -> WrongLabels:
    """What is known of wrong labels: by the data, else as measured, else as answered.

    `origin` is who answered with `quality`.
    """
    known = known_share(fingerprint, labels)
    if known is not None:
        return known
    if estimate is not None:
        return WrongLabels(estimate.rate, Origin.MEASURED, estimate.found, estimate)
    if quality in _ANSWERED:
        reason, rate = _ANSWERED[quality]
        return WrongLabels(rate, origin, reason)
    return WrongLabels(_ANSWERED["some"][1], Origin.DEFAULT, "not measured; taken as partly wrong")


def vote_rule(rule: str) -> Choice[str]:
    """How the labels were made of several people's votes."""
    if rule == "argmax":
        return Choice(rule, Origin.DEFAULT, "the most voted class")
    return Choice(rule, Origin.YOU, "--vote-rule")


def noise(labels: str) -> dict[str, Choice[Any]]:
    """The `noise` keys: nothing is added to the user's labels, but another set may replace them."""
    if labels == GIVEN:
        return {"noise.kind": Choice("none", Origin.DEFAULT, "the labels stay as they are")}
    return {
        "noise.kind": Choice("human", Origin.YOU, f"train on {labels}"),
        "noise.labels": Choice(labels, Origin.YOU),
    }


def method_name(wrong: WrongLabels) -> Choice[str]:
    """Cross-entropy where labels are right, EAC where they are not, or what was advised."""
    if wrong.estimate is not None and wrong.estimate.method:
        return Choice(wrong.estimate.method, Origin.MEASURED, wrong.reason)
    name = "cross_entropy" if wrong.rate < CLEAN else "eac"
    return Choice(name, wrong.origin, wrong.reason)


def method_settings(
    method: str, epochs: int, wrong: WrongLabels, weight: Choice[float]
) -> dict[str, Choice[Any]]:
    """The method's own keys, advised ones over these; `weight` is that of EAC's consistency."""
    settings: dict[str, Choice[Any]] = {
        "method.erase.probability": Choice(0.5, Origin.DEFAULT),
        "method.erase.area": Choice((0.02, 0.25), Origin.DEFAULT),
        "method.erase.aspect": Choice((0.3, 3.3), Origin.DEFAULT),
    }
    if method == "eac":
        ramp = "from random weights, features must form first"
        settings = {
            "method.consistency_weight": weight,
            "method.consistency_ramp": Choice(min(8, max(1, epochs // 4)), Origin.DEFAULT, ramp),
            "method.pair": Choice("mirrored", Origin.DEFAULT, "the paper's"),
            **settings,
        }
    advised = {} if wrong.estimate is None else wrong.estimate.settings
    for key, value in advised.items():
        # The ramp stays as above: only the plan knows how many epochs there are.
        if key.startswith("method.") and key not in ("method.name", "method.consistency_ramp"):
            settings[key] = Choice(value, Origin.MEASURED, "advised for this share")
    return settings

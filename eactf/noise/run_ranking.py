"""How suspect the labels of a finished run are, by what its training showed of each sample.

A network that has learnt its labels by heart tells nothing of them in the end, but did while it
learnt; one that has not (EAC, mostly) knows most in the end. How far a run learnt by heart is seen
by how much oftener it agrees with its own labels than with those of validation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from eactf.noise.ranking import Ranking, rank

__all__ = ["RunEvidence", "by_heart", "rank_run"]

_LEAST = 1e-9


@dataclass(frozen=True)
class RunEvidence:
    """What a run has to say of its n training samples.

    `final` `(n, classes)` are the last network's probabilities of image and mirror image,
    `map_change` `(n,)` how far apart the maps of the two are. `shown` are the means over all steps
    as `SampleTraces.means` has them, None for a run that left none; nan for samples that were not
    shown. `relabelled` `(n,)` is the class that the method itself gave a sample, -1 for none.
    `further` are the method's own figures by name, `(n,)`. `validation_accuracy` is that of the
    last epoch, None where it is not known.
    """

    final: np.ndarray
    map_change: np.ndarray
    shown: Mapping[str, np.ndarray] | None = None
    relabelled: np.ndarray | None = None
    further: Mapping[str, np.ndarray] = field(default_factory=dict)
    validation_accuracy: float | None = None


def rank_run(evidence: RunEvidence, given: np.ndarray) -> Ranking:
    """Rank the `given` labels of a run's training samples."""
    probability = evidence.final
    if evidence.shown is not None:
        shown = evidence.shown["probabilities"]
        weight = (1.0 - by_heart(evidence, given)) / 2.0
        both = (1.0 - weight) * shown + weight * probability
        probability = np.where(np.isfinite(shown).all(axis=1, keepdims=True), both, probability)
    return rank(probability, given, score=_odds(probability, given), evidence=_figures(evidence))


def by_heart(evidence: RunEvidence, given: np.ndarray) -> float:
    """How far the run learnt its labels by heart, from 0, not at all, to 1, all of them.

    That is the share of what validation gets wrong that the last network has right of its own
    labels all the same. A half where validation's accuracy is not known.
    """
    accuracy = evidence.validation_accuracy
    if accuracy is None:
        return 0.5
    agrees = float(np.mean(evidence.final.argmax(axis=1) == given))
    return float(np.clip((agrees - accuracy) / max(1.0 - accuracy, 1e-9), 0.0, 1.0))


def _odds(probability: np.ndarray, given: np.ndarray) -> np.ndarray:
    """The logarithm of the odds of the likeliest other class against the given one, `(n,)`.

    Not of all others: how likely a label is wrong was not calibrated here as an estimate's is, and
    where wrong labels go to certain classes the likeliest of them says more.
    """
    rows = np.arange(len(given))
    others = np.array(probability, np.float64)
    others[rows, given] = 0.0
    return np.asarray(
        np.log(np.maximum(others.max(axis=1), _LEAST))
        - np.log(np.maximum(probability[rows, given], _LEAST))
    )


def _figures(evidence: RunEvidence) -> dict[str, np.ndarray]:
    """The evidence a person is shown beside each suspect, by column."""
    figures = {}
    if evidence.shown is not None:
        names = ("loss", "margin", "agreement")
        figures = {f"mean_{name}": evidence.shown[name] for name in names}
    if np.isfinite(evidence.map_change).any():
        figures["map_change"] = evidence.map_change
    if evidence.relabelled is not None:
        figures["relabelled"] = (evidence.relabelled >= 0).astype(np.float64)
    return {**figures, **evidence.further}

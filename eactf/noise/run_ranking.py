"""How suspect the labels of a finished run are, by what its training showed of each sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from eactf.noise.ranking import Ranking, rank

__all__ = ["RunEvidence", "rank_run"]


@dataclass(frozen=True)
class RunEvidence:
    """What a run has to say of its n training samples.

    `final` `(n, classes)` are the last network's probabilities of image and mirror image,
    `map_change` `(n,)` how far apart the maps of the two are. `shown` are the means over all steps
    as `SampleTraces.means` has them, None for a run that left none; nan for samples that were not
    shown. `relabelled` `(n,)` is the class that the method itself gave a sample, -1 for none.
    `further` are the method's own figures by name, `(n,)`.
    """

    final: np.ndarray
    map_change: np.ndarray
    shown: Mapping[str, np.ndarray] | None = None
    relabelled: np.ndarray | None = None
    further: Mapping[str, np.ndarray] = field(default_factory=dict)


def rank_run(evidence: RunEvidence, given: np.ndarray) -> Ranking:
    """Rank the `given` labels of a run's training samples."""
    probability = evidence.final
    if evidence.shown is not None:
        shown = evidence.shown["probabilities"]
        seen = np.isfinite(shown).all(axis=1, keepdims=True)
        probability = np.where(seen, (shown + probability) / 2.0, probability)
    return rank(probability, given, evidence=_figures(evidence))


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

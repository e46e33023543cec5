"""Where a run stands, beside its method's variables: what a checkpoint keeps to go on with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from eactf.evaluation.metrics import Scores

__all__ = ["RunState"]


@dataclass
class RunState:
    """How far a run is and what it has found so far; callbacks write to it as they go.

    `epoch` counts whole epochs, `step` the steps done of the one that runs. In the epoch's last
    moments `logs` has its training figures (all steps done, validation to come), with
    `validated` those of validation too (the method has ended its epoch; only the judging and
    the writing are to come). `rows` are the log's, `judged` the scores of the last epochs by
    number, `alone` those of each of two networks, `figures` those of every epoch on the judged
    split and `judged_rows` all that is known of them, where the recipe wants them.
    `seconds` are those spent in training, over all parts of the run.
    """

    epoch: int = 0
    step: int = 0
    logs: dict[str, float] | None = None
    validated: bool = False
    best: float = -math.inf
    best_epoch: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)
    judged: dict[int, Scores] = field(default_factory=dict)
    alone: dict[int, list[Scores]] = field(default_factory=dict)
    judged_rows: list[dict[str, Any]] = field(default_factory=list)
    figures: dict[int, dict[str, Any]] = field(default_factory=dict)
    seconds: float = 0.0

    def epoch_done(self) -> None:
        """Count the running epoch as whole."""
        self.epoch, self.step, self.logs, self.validated = self.epoch + 1, 0, None, False

    def column(self, name: str) -> list[float]:
        """One logged value of every epoch so far."""
        return [row[name] for row in self.rows if name in row]

    def as_facts(self) -> dict[str, Any]:
        """Plain values, such as JSON holds; every float as exact as it was."""
        judged = {number: _plain(scores) for number, scores in self.judged.items()}
        alone = {number: [*map(_plain, scores)] for number, scores in self.alone.items()}
        return {**vars(self), "judged": judged, "alone": alone}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> RunState:
        """What `as_facts` told of."""
        judged = {int(number): _scores(found) for number, found in facts["judged"].items()}
        alone = {int(number): [*map(_scores, all_)] for number, all_ in facts["alone"].items()}
        figures = {int(number): found for number, found in facts["figures"].items()}
        return cls(**{**facts, "judged": judged, "alone": alone, "figures": figures})


def _plain(scores: Scores) -> dict[str, Any]:
    return {**asdict(scores), "confusion": scores.confusion.tolist()}


def _scores(found: Mapping[str, Any]) -> Scores:
    confusion = np.array(found["confusion"], np.int64)
    return Scores(**{**found, "recalls": tuple(found["recalls"]), "confusion": confusion})

"""A noise audit estimates how many labels of a split are wrong, which ones, and what to do then."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from eactf.data.splits import limit as take_part
from eactf.errors import DataError, UsageError
from eactf.noise import apply_noise, realised_rate
from eactf.noise.advice import Advice, ByPeople, advise
from eactf.noise.checked_rate import CheckedRate
from eactf.noise.estimate import LEAST_SAMPLES, NoiseEstimate, estimate_noise
from eactf.noise.panel import PanelReading, panel_reading
from eactf.noise.ranking import Ranking, rank
from eactf.noise.suspects import suspect_rows
from eactf.packed.records import Dataset, Samples
from eactf.training.out_of_fold import Progress, QuickPlan, out_of_fold, quick_plan
from eactf.wording import counted

__all__ = ["NoiseAudit", "audit_noise", "choose_samples"]

_LEAST_OF_CLASS = 10
"""Samples of a class with fewer are trained on and not judged."""

_HARDLY = 0.02
"""A class with fewer predictions than this share of its labels is hardly ever predicted."""

_SUSPECTS = 100


@dataclass(frozen=True)
class NoiseAudit:
    """What was found about the labels of `samples`, the judged ones of a split.

    `true_rate` is the share that is wrong by the clean labels, None where they are not known.
    `predictions` are the networks', of the samples that were not judged as well. `by_votes` is what
    the annotators' votes say of the labels, `checked` what a person's checks say, None where there
    are none.
    `unjudged` are classes with too few samples (name: count), `unpredicted` those that the quick
    networks hardly ever predict, so that little is said of their labels.
    """

    samples: Samples
    class_names: tuple[str, ...]
    split: str
    plan: QuickPlan
    estimate: NoiseEstimate
    ranking: Ranking
    advice: Advice
    seconds: float
    true_rate: float | None
    unjudged: dict[str, int]
    unpredicted: tuple[str, ...]
    predictions: np.ndarray
    by_votes: PanelReading | None = None
    checked: CheckedRate | None = None

    def with_checks(self, checked: CheckedRate | None) -> NoiseAudit:
        """The audit with what a person's checks say, and the advice that follows from it."""
        found = replace(self, checked=checked)
        told = found.by_people
        return replace(
            found, advice=advise(self.estimate, self.class_names, len(self.samples), told)
        )

    @property
    def by_people(self) -> ByPeople | None:
        """The share as people have it: by checks, else by the votes; None where there are none."""
        checks, votes = self.checked, self.by_votes
        if checks is not None:
            source = counted(checks.checked, "check")
            return ByPeople(checks.rate, checks.low, checks.high, source)
        if votes is not None:
            source = f"{votes.people:.3g} votes an image"
            return ByPeople(votes.rate, votes.low, votes.high, source)
        return None

    def suspects(self, limit: int | None = None) -> list[dict[str, object]]:
        """The worst suspects, by the keys of `noise.suspects.HEADER`."""
        return suspect_rows(self.ranking, self.samples, self.class_names, self.split, limit)

    def as_dict(self) -> dict[str, Any]:
        """What `--json` tells: the first hundred suspects, all figures.

        `rate`, `low` and `high` are by the checks where there are any, else by the votes.
        """
        found, people = self.estimate, self.by_people
        best = people or found
        return {
            "rate": best.rate,
            "low": best.low,
            "high": best.high,
            "tells": found.tells or people is not None,
            "by": "networks" if people is None else people.source,
            "by_networks": {**_figures(found), "highest": found.highest},
            "by_votes": self.by_votes and _figures(self.by_votes),
            "checked": self.checked and asdict(self.checked),
            "disagreement": found.disagreement,
            "paired": found.paired,
            "per_class": {
                name: None if np.isnan(share) else float(share)
                for name, share in zip(self.class_names, found.per_class, strict=True)
            },
            "class_names": list(self.class_names),
            "matrix": np.round(found.counts, 2).tolist(),
            "noise_matrix": np.round(found.noise, 5).tolist(),
            "suspects": self.suspects(_SUSPECTS),
            "suspects_in_all": len(self.ranking.suspects()),
            "advice": self.advice.as_dict(),
            "samples": len(self.samples),
            "split": self.split,
            "folds": self.plan.folds,
            "image_size": self.plan.size,
            "seconds": round(self.seconds, 1),
            "true_rate": self.true_rate,
            "unjudged": self.unjudged,
            "unpredicted": list(self.unpredicted),
        }


def _figures(found: NoiseEstimate | PanelReading) -> dict[str, float]:
    return {"rate": found.rate, "low": found.low, "high": found.high}


def choose_samples(
    dataset: Dataset,
    split: str,
    *,
    label_set: str | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> Samples:
    """The samples of a split, or `limit` of them, with the labels given or those of `label_set`.

    Raises `UsageError` for a split that is not there, `DataError` for a label set that is not, and
    for too few samples or classes.
    """
    if split not in dataset.splits or not len(dataset.splits[split]):
        raise UsageError(
            f"{dataset.source} has no {split} split",
            hint=f"it has: {', '.join(name for name, part in dataset.splits.items() if len(part))}",
        )
    samples = dataset.splits[split]
    if len(dataset.class_names) < 2:
        raise DataError("label noise needs at least 2 classes", hint="there is nothing to mix up")
    if label_set is not None:
        samples, _ = apply_noise(samples, dataset.class_names, kind="human", labels_name=label_set)
    samples = samples if limit is None else take_part(samples, limit, seed)
    if len(samples) < LEAST_SAMPLES:
        raise DataError(
            f"{len(samples)} labelled images are too few to estimate the noise of their labels",
            hint=f"at least {LEAST_SAMPLES} are needed; of fewer, look at every one yourself",
        )
    return samples


def audit_noise(
    samples: Samples,
    class_names: tuple[str, ...],
    *,
    split: str = "train",
    folds: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    predictions: np.ndarray | None = None,
    vote_columns: Sequence[str] = (),
) -> NoiseAudit:
    """Train the quick networks and read the noise of the given labels from what they predict.

    `predictions` `(n, classes)`, where they are given, are what such networks said of the samples
    before; nothing is trained then. `vote_columns` name the columns of the samples' votes.
    Raises `DataError` where too few labels can be judged, `TrainingError` when a network diverges.
    """
    begun = time.perf_counter()
    plan = quick_plan(samples, folds)
    if predictions is None:
        predictions = out_of_fold(samples, len(class_names), plan, seed=seed, progress=progress)
    counts = np.bincount(samples.given, minlength=len(class_names))
    judged = np.flatnonzero(counts[samples.given] >= _LEAST_OF_CLASS)
    probabilities, part = predictions[judged], samples.take(judged)
    estimate = estimate_noise(probabilities, part.given)
    predicted = np.bincount(probabilities.argmax(axis=1), minlength=len(class_names))
    rate = None if part.clean is None else realised_rate(part.given, part.clean)
    audit = NoiseAudit(
        samples=part,
        class_names=class_names,
        split=split,
        plan=plan,
        estimate=estimate,
        ranking=rank(estimate.probability, part.given),
        advice=advise(estimate, class_names, len(part)),
        seconds=time.perf_counter() - begun,
        true_rate=rate,
        unjudged={
            name: int(count)
            for name, count in zip(class_names, counts, strict=True)
            if count < _LEAST_OF_CLASS
        },
        unpredicted=tuple(
            class_names[label]
            for label in range(len(class_names))
            if counts[label] >= _LEAST_OF_CLASS and predicted[label] < _HARDLY * counts[label]
        ),
        predictions=predictions,
        by_votes=_by_votes(samples, class_names, vote_columns),
    )
    return audit.with_checks(None)


def _by_votes(
    samples: Samples, class_names: tuple[str, ...], columns: Sequence[str]
) -> PanelReading | None:
    """What the votes say of the given labels; None without votes for every class."""
    if samples.votes is None or not set(class_names) <= set(columns):
        return None
    order = [*class_names, *(name for name in columns if name not in class_names)]
    votes = samples.votes[:, [list(columns).index(name) for name in order]]
    try:
        return panel_reading(votes, len(class_names), samples.given)
    except DataError:  # shares, or one vote an image: nothing is read from them
        return None

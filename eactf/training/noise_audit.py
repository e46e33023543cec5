"""A noise audit estimates how many labels of a split are wrong, which ones, and what to do then."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from eactf.data.splits import limit as take_part
from eactf.errors import DataError, UsageError
from eactf.noise import apply_noise, realised_rate
from eactf.noise.advice import Advice, advise
from eactf.noise.checked_rate import CheckedRate
from eactf.noise.estimate import LEAST_SAMPLES, NoiseEstimate, estimate_noise
from eactf.noise.suspects import suspect_rows
from eactf.packed.records import Dataset, Samples
from eactf.training.out_of_fold import Progress, QuickPlan, out_of_fold, quick_plan

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
    `predictions` are the networks', of the samples that were not judged as well. `checked` is what
    a person's checks say, None where there are none.
    `unjudged` are classes with too few samples (name: count), `unpredicted` those that the quick
    networks hardly ever predict, so that little is said of their labels.
    """

    samples: Samples
    class_names: tuple[str, ...]
    split: str
    plan: QuickPlan
    estimate: NoiseEstimate
    advice: Advice
    seconds: float
    true_rate: float | None
    unjudged: dict[str, int]
    unpredicted: tuple[str, ...]
    predictions: np.ndarray
    checked: CheckedRate | None = None

    def with_checks(self, checked: CheckedRate | None) -> NoiseAudit:
        """The audit with what a person's checks say, and the advice that follows from it."""
        advice = advise(self.estimate, self.class_names, len(self.samples), checked)
        return replace(self, checked=checked, advice=advice)

    def suspects(self, limit: int | None = None) -> list[dict[str, object]]:
        """The worst suspects, by the keys of `data.noise.suspects.HEADER`."""
        return suspect_rows(self.estimate, self.samples, self.class_names, self.split, limit)

    def as_dict(self) -> dict[str, Any]:
        """What `--json` tells: the first hundred suspects, all figures.

        `rate`, `low` and `high` are by the checks where there are any.
        """
        found, best = self.estimate, self.checked or self.estimate
        return {
            "rate": best.rate,
            "low": best.low,
            "high": best.high,
            "tells": found.tells or self.checked is not None,
            "by": "networks" if self.checked is None else "checks",
            "by_networks": {"rate": found.rate, "low": found.low, "high": found.high},
            "checked": None if self.checked is None else asdict(self.checked),
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
            "suspects_in_all": len(found.suspects()),
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
) -> NoiseAudit:
    """Train the quick networks and read the noise of the given labels from what they predict.

    `predictions` `(n, classes)`, where they are given, are what such networks said of the samples
    before; nothing is trained then. Raises `DataError` where too few labels can be judged,
    `TrainingError` when a network diverges.
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
    return NoiseAudit(
        samples=part,
        class_names=class_names,
        split=split,
        plan=plan,
        estimate=estimate,
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
    )

"""A row of a comparison: the figures of one recipe's runs, mean and deviation over their seeds."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Row", "Runs", "Spread", "row_of"]


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (n - 1) of `n` runs; the deviation of one run is None."""

    mean: float
    deviation: float | None
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """The spread of `values`, None where there are none."""
        if not values:
            return None
        deviation = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.mean(values), deviation, len(values))

    def plain(self) -> str:
        """`0.642 (0.012)`, or `0.642` of one run."""
        text = f"{self.mean:.3f}"
        return text if self.deviation is None else f"{text} ({self.deviation:.3f})"

    def percent(self) -> str:
        """`81.2 (0.7)`, in percent, or `81.2` of one run."""
        text = f"{100 * self.mean:.1f}"
        return text if self.deviation is None else f"{text} ({100 * self.deviation:.1f})"


@dataclass(frozen=True)
class Runs:
    """The results of one row's seeds, as runs wrote them, and how many `failed` beside them.

    Epochs of one `network` (data, network, batch) may be compared in seconds. `paper` and
    `paper_top5` are published accuracies, 0 to 1.
    """

    name: str
    results: Sequence[Mapping[str, Any]]
    failed: int = 0
    network: str = ""
    paper: float | None = None
    paper_top5: float | None = None


@dataclass(frozen=True)
class Row:
    """The runs of one recipe over its seeds; figures 0 to 1, absent where no run has them.

    `seconds` is the mean length of an epoch; `cost` that over cross-entropy's on the same network;
    `best_on_test` chooses the epoch on the split that is judged: optimistic. `top5` is the mean of
    the last epochs; runs on few classes have none. `learnt_wrong` is the share of the wrong
    training labels that the network ends up predicting; none where no wrong label is known.
    `concordance` is that of each continuous target with its true values, by name, mean of the last
    epochs; `labels_right` the share of the training labels that were right as given, and
    `given_concordance` what the given values were worth, where the truth is known as well.
    `macro_recall`, which is the balanced accuracy, and `lowest_recall`, that of the class that a
    run recognises worst, are of the mean of the last epochs; `lowest_classes` counts in how many of
    the runs a class is that one. `images` is how many were judged, None where a result does not
    say it. `alone` is what each network of an ensemble is worth by itself, mean of the last epochs;
    empty where there is but one.
    """

    name: str
    method: str
    judged_on: str
    n: int
    failed: int
    last: Spread | None
    mean_of_last: Spread | None
    best_on_validation: Spread | None
    best_on_test: Spread | None
    macro_recall: Spread | None
    lowest_recall: Spread | None = None
    lowest_classes: Mapping[str, int] = field(default_factory=dict)
    images: int | None = None
    recall: Mapping[str, Spread] = field(default_factory=dict)
    seconds: float | None = None
    cost: float | None = None
    paper: float | None = None
    paper_top5: float | None = None
    top5: Spread | None = None
    learnt_wrong: Spread | None = None
    alone: tuple[Spread, ...] = ()
    concordance: Mapping[str, Spread] = field(default_factory=dict)
    labels_right: Spread | None = None
    given_concordance: Mapping[str, Spread] = field(default_factory=dict)
    network: str = ""


def row_of(runs: Runs) -> Row:
    """The row of the runs of one recipe over its seeds; its cost is still to be found."""
    results = runs.results

    def spread(section: str, key: str) -> Spread | None:
        found = [result[section][key] for result in results if result.get(section)]
        return Spread.of([value for value in found if value is not None])

    learnt = [result.get("memorised_wrong_labels") for result in results]
    lowest = [result["mean_of_last_epochs"].get("lowest_recall") for result in results]
    classes: list[str] = []
    if results:
        classes = list(results[0]["last_epoch"]["recalls"])
    seconds = [result["seconds"] / result["epochs"] for result in results]
    return Row(
        name=runs.name,
        method=results[0]["method"] if results else "",
        judged_on=results[0]["judged_on"] if results else "-",
        n=len(results),
        failed=runs.failed,
        last=spread("last_epoch", "accuracy"),
        mean_of_last=spread("mean_of_last_epochs", "accuracy"),
        top5=_top5(results),
        best_on_validation=spread("best_on_validation", "accuracy"),
        best_on_test=spread("best_on_test", "accuracy"),
        macro_recall=spread("mean_of_last_epochs", "macro_recall"),
        lowest_recall=Spread.of([recall for recall in lowest if recall is not None]),
        lowest_classes=_counted_lowest(results),
        images=results[0]["last_epoch"].get("count") if results else None,
        learnt_wrong=Spread.of([share for share in learnt if share is not None]),
        alone=_alone(results),
        concordance=_by_name([result["mean_of_last_epochs"] for result in results], "concordance"),
        labels_right=_labels_right(results),
        given_concordance=_by_name(results, "given_values"),
        recall={label: found for label in classes if (found := _recall(results, label))},
        seconds=statistics.mean(seconds) if seconds else None,
        paper=runs.paper,
        paper_top5=runs.paper_top5,
        network=runs.network,
    )


def _alone(results: Sequence[Mapping[str, Any]]) -> tuple[Spread, ...]:
    """The accuracy of each network of an ensemble, over the results that have it."""
    networks = [result["networks"] for result in results if result.get("networks")]
    accuracies = [[one["mean_of_last_epochs"]["accuracy"] for one in own] for own in networks]
    spreads = (Spread.of(own) for own in zip(*accuracies, strict=True))
    return tuple(spread for spread in spreads if spread is not None)


def _top5(results: Sequence[Mapping[str, Any]]) -> Spread | None:
    """Results of few classes do not have it, nor do those of runs from before it was counted."""
    means = [result["mean_of_last_epochs"] for result in results]
    return Spread.of([mean["top5_accuracy"] for mean in means if "top5_accuracy" in mean])


def _recall(results: Sequence[Mapping[str, Any]], label: str) -> Spread | None:
    values = [result["last_epoch"]["recalls"].get(label) for result in results]
    return Spread.of([value for value in values if value is not None])


def _counted_lowest(results: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
    """How many of the results have a class as the lowest, or as one of several that tie."""
    means = [result["mean_of_last_epochs"] for result in results]
    return Counter(name for mean in means for name in mean.get("lowest_recall_classes", ()))


def _labels_right(results: Sequence[Mapping[str, Any]]) -> Spread | None:
    rates = [result.get("noise", {}).get("realised") for result in results]
    return Spread.of([1.0 - rate for rate in rates if rate is not None])


def _by_name(sections: Sequence[Mapping[str, Any]], key: str) -> dict[str, Spread]:
    """The figures that sections have under a key by names of their own."""
    found = [section.get(key) or {} for section in sections]
    names = dict.fromkeys(name for one in found for name in one)
    spreads = {name: Spread.of([one[name] for one in found if name in one]) for name in names}
    return {name: spread for name, spread in spreads.items() if spread is not None}

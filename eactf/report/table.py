"""This module makes the table of a comparison: a row a recipe, mean and deviation over seeds."""

from __future__ import annotations

import csv
import io
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from eactf.evaluation.interval import FEW_IMAGES, wilson_interval
from eactf.evaluation.words import accuracy_of_images
from eactf.wording import counted, enumerated

__all__ = ["ComparisonTable", "Row", "Runs", "Spread", "markdown_table", "tabulate"]

BASELINE = "cross_entropy"

MOST_RECALL_COLUMNS = 20
"""More classes than that are no table to read: their recalls are in the CSV alone."""


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
    network: str = ""


@dataclass(frozen=True)
class ComparisonTable:
    """Rows in the order they were asked for, and the words and cells that show them."""

    rows: tuple[Row, ...]
    optimistic: bool = False

    def without_prefix(self, prefix: str) -> ComparisonTable:
        """The same table with rows named without what all of them begin with."""
        rows = tuple(replace(row, name=row.name.removeprefix(prefix)) for row in self.rows)
        return replace(self, rows=rows)

    def columns(self) -> list[str]:
        """The headings; figures are percent, `mean (sd)` over the seeds."""
        heads = ["", "n", "judged on", "last epoch", "mean of last"]
        heads += ["top-5"] if self._has("top5") else []
        heads += ["best on valid."]
        heads += ["best on test (optimistic)"] if self.optimistic else []
        heads += ["macro recall"]
        heads += ["lowest recall"] if self._has("lowest_recall") else []
        heads += [*(["wrong learnt"] if self._has("learnt_wrong") else [])]
        return [*heads, "cost", *(["paper"] if self._has("paper") else [])]

    def cells(self) -> list[list[str]]:
        """The rows under `columns`, as text."""
        return [self._cells(row) for row in self.rows]

    def recall_columns(self) -> list[str]:
        """The headings of the table of per-class recall; none where there are many classes."""
        names = dict.fromkeys(label for row in self.rows for label in row.recall)
        return ["recall", *names] if len(names) <= MOST_RECALL_COLUMNS else []

    def notes(self) -> list[str]:
        """What the figures are, line by line: which class is lowest, how sure few images make."""
        lines = [
            "percent: mean (standard deviation) over n seeds; cost: an epoch over cross-entropy's"
        ]
        lines += ["macro recall, the mean of the classes' recalls, is the balanced accuracy"]
        lines += [
            f"lowest recall of {row.name}: {_lowest_classes(row)}"
            for row in self.rows
            if row.lowest_classes
        ]
        lines += [
            f"{row.name}: two networks together, the sum of their logits; mean of last of each "
            f"alone {' and '.join(_percent(own) for own in row.alone)}"
            for row in self.rows
            if row.alone
        ]
        few = {row.name: _few(row) for row in self.rows}
        return [*lines, *(f"mean of last of {name}: {told}" for name, told in few.items() if told)]

    def recall_cells(self) -> list[list[str]]:
        """Per-class recall of the last epoch, a row a recipe."""
        names = self.recall_columns()[1:]
        return [
            [row.name, *(_percent(row.recall.get(name)) for name in names)]
            for row in self.rows
            if row.recall and names
        ]

    def markdown(self) -> str:
        """Both tables in Markdown, the notes between them."""
        parts = [markdown_table(self.columns(), self.cells())]
        parts.append("".join(f"- {note}\n" for note in self.notes()))
        if self.recall_cells():
            parts.append(markdown_table(self.recall_columns(), self.recall_cells()))
        return "\n".join(parts)

    def csv(self) -> str:
        """One line a row with full figures, 0 to 1: `mean`, `sd` and `n` of each."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        lines = self.as_dicts()
        heads = list(dict.fromkeys(key for line in lines for key in line))
        writer.writerow(heads)
        writer.writerows(
            [["" if (v := line.get(key)) is None else v for key in heads] for line in lines]
        )
        return text.getvalue()

    def as_dicts(self) -> list[dict[str, Any]]:
        """The rows of `csv` as mappings, for JSON."""
        return [_plain(row, with_top5=self._has("top5")) for row in self.rows]

    def _has(self, figure: str) -> bool:
        return any(getattr(row, figure) is not None for row in self.rows)

    def _cells(self, row: Row) -> list[str]:
        failed = f" ({row.failed} failed)" if row.failed else ""
        cells = [row.name, f"{row.n}{failed}", row.judged_on]
        figures = [row.last, row.mean_of_last]
        figures += [row.top5] if self._has("top5") else []
        figures += [row.best_on_validation]
        figures += [row.best_on_test] if self.optimistic else []
        figures += [row.macro_recall]
        figures += [row.lowest_recall] if self._has("lowest_recall") else []
        figures += [row.learnt_wrong] if self._has("learnt_wrong") else []
        cells += [_percent(figure) for figure in figures]
        cells.append("-" if row.cost is None else f"{row.cost:.2f}x")
        return [*cells, *([_published(row)] if self._has("paper") else [])]


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of texts in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


def tabulate(runs: Sequence[Runs], *, optimistic: bool = False) -> ComparisonTable:
    """The table of `runs`, a row each.

    Cost is relative to cross-entropy on the same network, to the mean where several rows are; `-`
    where there is none.
    """
    rows = [_row(row) for row in runs]
    base: dict[str, list[float]] = {}
    for row in rows:
        if row.method == BASELINE and row.seconds:
            base.setdefault(row.network, []).append(row.seconds)
    costs = {network: statistics.mean(seconds) for network, seconds in base.items()}
    return ComparisonTable(
        tuple(_with_cost(row, costs.get(row.network)) for row in rows), optimistic
    )


def _with_cost(row: Row, base: float | None) -> Row:
    if base is None or row.seconds is None:
        return row
    return replace(row, cost=row.seconds / base)


def _row(runs: Runs) -> Row:
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


def _lowest_classes(row: Row) -> str:
    """`disgust` where every run has that class alone, else `disgust (2 of 3 runs), fear (1)`."""
    commonest = sorted(row.lowest_classes.items(), key=lambda item: -item[1])
    if set(row.lowest_classes.values()) == {row.n}:
        return enumerated((name for name, _ in commonest), most=3)
    named = (f"{name} ({number} of {counted(row.n, 'run')})" for name, number in commonest)
    return enumerated(named, most=3)


def _few(row: Row) -> str:
    """How sure the accuracy of a row is, where it was counted on few images."""
    if row.images is None or row.mean_of_last is None or row.images >= FEW_IMAGES:
        return ""
    return accuracy_of_images(row.mean_of_last.mean, row.images)


def _percent(spread: Spread | None) -> str:
    return "-" if spread is None else spread.percent()


def _published(row: Row) -> str:
    """The paper's accuracy, with its top-5 behind a stroke where it has one."""
    if row.paper is None:
        return "-"
    top5 = "" if row.paper_top5 is None else f" / {100 * row.paper_top5:.2f}"
    return f"{100 * row.paper:.2f}{top5}"


def _plain(row: Row, *, with_top5: bool) -> dict[str, Any]:
    line: dict[str, Any] = {"name": row.name, "method": row.method, "judged_on": row.judged_on}
    line |= {"n": row.n, "failed": row.failed}
    spreads = ["last", "mean_of_last", *(["top5"] if with_top5 else [])]
    spreads += ["best_on_validation", "best_on_test", "macro_recall"]
    for name in spreads:
        line |= _flat(name, getattr(row, name))
    # One number under both its names: who looks for either finds it.
    line |= _flat("balanced_accuracy", row.macro_recall)
    line |= _flat("lowest_recall", row.lowest_recall)
    line |= {"lowest_recall_classes": "; ".join(row.lowest_classes) or None}
    line |= _flat("learnt_wrong", row.learnt_wrong)
    for number, spread in enumerate(row.alone, start=1):
        line |= _flat(f"network_{number}_alone", spread)
    line |= {"images": row.images, **_interval(row)}
    for label, spread in row.recall.items():
        line |= _flat(f"recall_{label}", spread)
    line |= {"seconds_an_epoch": row.seconds, "cost": row.cost, "paper": row.paper}
    return line | ({"paper_top5": row.paper_top5} if with_top5 else {})


def _interval(row: Row) -> dict[str, float | None]:
    """The ends of the 95 % interval that so many images leave to the mean of the last epochs."""
    if row.images is None or row.mean_of_last is None:
        return {"mean_of_last_low": None, "mean_of_last_high": None}
    low, high = wilson_interval(row.mean_of_last.mean, row.images)
    return {"mean_of_last_low": low, "mean_of_last_high": high}


def _flat(name: str, spread: Spread | None) -> dict[str, float | None]:
    if spread is None:
        return {name: None}
    return {name: spread.mean, f"{name}_sd": spread.deviation}

"""This module makes the table of a comparison: a row a recipe, mean and deviation over seeds."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from eactf.evaluation.interval import FEW_IMAGES, wilson_interval
from eactf.evaluation.words import accuracy_of_images
from eactf.report.rows import Row, Runs, Spread, row_of
from eactf.wording import counted, enumerated

__all__ = ["ComparisonTable", "Row", "Runs", "Spread", "markdown_table", "tabulate"]

BASELINE = "cross_entropy"

MOST_RECALL_COLUMNS = 20
"""More classes than that are no table to read: their recalls are in the CSV alone."""


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
        heads += self._numbers()
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
        if self._numbers():
            lines += [f"{enumerated(self._numbers())}: concordance with the true values"]
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

    def _numbers(self) -> list[str]:
        """The continuous targets that a row was judged on."""
        return list(dict.fromkeys(name for row in self.rows for name in row.concordance))

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
        found = (row.concordance.get(name) for name in self._numbers())
        cells += ["-" if spread is None else spread.plain() for spread in found]
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
    rows = [row_of(row) for row in runs]
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
    for name, spread in row.concordance.items():
        line |= _flat(f"concordance_{name}", spread)
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

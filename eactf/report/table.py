"""The table of a comparison: a row a recipe, mean and deviation over its seeds."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ComparisonTable", "Row", "Spread", "tabulate"]

BASELINE = "cross_entropy"


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
class Row:
    """The runs of one recipe over its seeds; figures 0 to 1, absent where no run has them.

    `seconds` is the mean length of an epoch; `cost` that over cross-entropy's in the same table;
    `best_on_test` chooses the epoch on the split that is judged: optimistic.
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
    recall: Mapping[str, Spread] = field(default_factory=dict)
    seconds: float | None = None
    cost: float | None = None
    paper: float | None = None


@dataclass(frozen=True)
class ComparisonTable:
    """Rows in the order they were asked for, and the words and cells that show them."""

    rows: tuple[Row, ...]
    optimistic: bool = False

    def columns(self) -> list[str]:
        """The headings; figures are percent, `mean (sd)` over the seeds."""
        heads = ["", "n", "judged on", "last epoch", "mean of last", "best on valid."]
        heads += ["best on test (optimistic)"] if self.optimistic else []
        return [*heads, "macro recall", "cost", "paper"]

    def cells(self) -> list[list[str]]:
        """The rows under `columns`, as text."""
        return [self._cells(row) for row in self.rows]

    def recall_columns(self) -> list[str]:
        """The headings of the table of per-class recall."""
        return ["recall", *(name for name in self.rows[0].recall)] if self.rows else []

    def recall_cells(self) -> list[list[str]]:
        """Per-class recall of the last epoch, a row a recipe."""
        names = self.recall_columns()[1:]
        return [
            [row.name, *(_percent(row.recall.get(name)) for name in names)]
            for row in self.rows
            if row.recall
        ]

    def markdown(self) -> str:
        """Both tables in Markdown."""
        parts = [_markdown(self.columns(), self.cells())]
        if self.recall_cells():
            parts.append(_markdown(self.recall_columns(), self.recall_cells()))
        return "\n".join(parts)

    def csv(self) -> str:
        """One line a row with full figures, 0 to 1: `mean`, `sd` and `n` of each."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        lines = [_plain(row) for row in self.rows]
        heads = list(dict.fromkeys(key for line in lines for key in line))
        writer.writerow(heads)
        writer.writerows(
            [["" if (v := line.get(key)) is None else v for key in heads] for line in lines]
        )
        return text.getvalue()

    def as_dicts(self) -> list[dict[str, Any]]:
        """The rows of `csv` as mappings, for JSON."""
        return [_plain(row) for row in self.rows]

    def _cells(self, row: Row) -> list[str]:
        failed = f" ({row.failed} failed)" if row.failed else ""
        cells = [row.name, f"{row.n}{failed}", row.judged_on]
        figures = [row.last, row.mean_of_last, row.best_on_validation]
        figures += [row.best_on_test] if self.optimistic else []
        cells += [_percent(figure) for figure in (*figures, row.macro_recall)]
        cells.append("-" if row.cost is None else f"{row.cost:.2f}x")
        return [*cells, "-" if row.paper is None else f"{100 * row.paper:.2f}"]


def tabulate(
    runs: Sequence[tuple[str, float | None, Sequence[Mapping[str, Any]], int]],
    *,
    optimistic: bool = False,
) -> ComparisonTable:
    """The table of `runs`: name, the paper's accuracy, the results of its seeds, how many failed.

    Cost is relative to the row whose method is cross-entropy; `-` where there is none.
    """
    rows = [_row(name, paper, results, failed) for name, paper, results, failed in runs]
    base = next((row.seconds for row in rows if row.method == BASELINE and row.seconds), None)
    if base:
        rows = [
            Row(**{**vars(row), "cost": None if row.seconds is None else row.seconds / base})
            for row in rows
        ]
    return ComparisonTable(tuple(rows), optimistic)


def _row(name: str, paper: float | None, results: Sequence[Mapping[str, Any]], failed: int) -> Row:
    def spread(section: str, key: str) -> Spread | None:
        found = [result[section][key] for result in results if result.get(section)]
        return Spread.of([value for value in found if value is not None])

    classes: list[str] = []
    if results:
        classes = list(results[0]["last_epoch"]["recalls"])
    seconds = [result["seconds"] / result["epochs"] for result in results]
    return Row(
        name=name,
        method=results[0]["method"] if results else "",
        judged_on=results[0]["judged_on"] if results else "-",
        n=len(results),
        failed=failed,
        last=spread("last_epoch", "accuracy"),
        mean_of_last=spread("mean_of_last_epochs", "accuracy"),
        best_on_validation=spread("best_on_validation", "accuracy"),
        best_on_test=spread("best_on_test", "accuracy"),
        macro_recall=spread("mean_of_last_epochs", "macro_recall"),
        recall={label: found for label in classes if (found := _recall(results, label))},
        seconds=statistics.mean(seconds) if seconds else None,
        paper=paper,
    )


def _recall(results: Sequence[Mapping[str, Any]], label: str) -> Spread | None:
    values = [result["last_epoch"]["recalls"].get(label) for result in results]
    return Spread.of([value for value in values if value is not None])


def _percent(spread: Spread | None) -> str:
    return "-" if spread is None else spread.percent()


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


def _plain(row: Row) -> dict[str, Any]:
    line: dict[str, Any] = {"name": row.name, "method": row.method, "judged_on": row.judged_on}
    line |= {"n": row.n, "failed": row.failed}
    spreads = ("last", "mean_of_last", "best_on_validation", "best_on_test", "macro_recall")
    for name in spreads:
        line |= _flat(name, getattr(row, name))
    for label, spread in row.recall.items():
        line |= _flat(f"recall_{label}", spread)
    return line | {"seconds_an_epoch": row.seconds, "cost": row.cost, "paper": row.paper}


def _flat(name: str, spread: Spread | None) -> dict[str, float | None]:
    if spread is None:
        return {name: None}
    return {name: spread.mean, f"{name}_sd": spread.deviation}

"""The epochs of the runs of a comparison, side by side: what each logged, and how it was judged."""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from eactf.report.comparison import Outcome

__all__ = ["curves_csv", "epoch_figures", "settled"]


def epoch_figures(folder: Path) -> list[dict[str, float]]:
    """The single numbers that a run tells of each epoch, with those of the judged split as test_*.

    A run of which no such files are left has none.
    """
    judged = {line["epoch"]: line for line in _lines(folder / "judged.jsonl")}
    return [
        {**_numbers(line), **_numbers(judged.get(line["epoch"], {}), "test_")}
        for line in _lines(folder / "metrics.jsonl")
    ]


def settled(
    outcomes: Sequence[Outcome], names: Sequence[str], last: int
) -> dict[str, dict[str, float]]:
    """The means of logged figures over the `last` epochs and all seeds, by row and name.

    A row whose runs never logged one of them lacks it; one that lacks all is left out.
    """
    groups: dict[str, list[dict[str, float]]] = {}
    for outcome in outcomes:
        if outcome.result is not None:
            ends = epoch_figures(outcome.folder)[-last:]
            groups.setdefault(outcome.cell.row, []).extend(ends)
    found = {
        row: {n: statistics.mean(f[n] for f in ends if n in f) for n in names if _any(ends, n)}
        for row, ends in groups.items()
    }
    return {row: figures for row, figures in found.items() if figures}


def curves_csv(outcomes: Sequence[Outcome]) -> str:
    """A line an epoch of every finished run: row, seed, and all single numbers that it told."""
    lines = [
        {"row": outcome.cell.row, "seed": outcome.cell.seed, **figures}
        for outcome in outcomes
        if outcome.result is not None
        for figures in epoch_figures(outcome.folder)
    ]
    text = io.StringIO()
    writer = csv.DictWriter(
        text, list(dict.fromkeys(key for line in lines for key in line)), lineterminator="\n"
    )
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _any(ends: Sequence[Mapping[str, float]], name: str) -> bool:
    return any(name in figures for figures in ends)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.is_file():
        yield from map(json.loads, path.read_text(encoding="utf-8").splitlines())


def _numbers(line: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The single numbers of a line, those of concordances by name too."""
    found = {name: value for name, value in line.items() if type(value) in (int, float)}
    concordance = line.get("concordance") or {}
    found |= {f"concordance_{name}": value for name, value in concordance.items()}
    if prefix:
        found.pop("epoch", None)
    return {prefix + name: value for name, value in found.items()}

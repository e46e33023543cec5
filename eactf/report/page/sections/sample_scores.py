"""What methods say of single labels: SCN's importance, RUL's uncertainty, clean probabilities."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from eactf.division import area_under_curve
from eactf.errors import EactfError
from eactf.foreign import reason_of
from eactf.noise import NoiseManifest
from eactf.report.page.blocks import Block, Figure, Section
from eactf.report.page.drawing import sheet
from eactf.report.page.histograms import Sample, histogram
from eactf.report.page.subject import Subject, View

__all__ = ["sample_scores"]

_WHAT = {
    "importance": "importance that SCN gives an image",
    "uncertainty": "uncertainty that RUL has of an image",
    "clean_1": "probability of being clean, by the first network",
    "clean_2": "probability of being clean, by the second network",
}
"""The columns of numbers that runs write of single samples."""

_TITLES = {
    "importance": "Importance",
    "uncertainty": "Uncertainty",
    "clean_1": "Clean probability, network 1",
    "clean_2": "Clean probability, network 2",
}


def sample_scores(subject: Subject) -> Section | None:
    """Histograms of what the runs wrote down of single images, and how many labels they changed."""
    blocks: list[Block] = []
    missing: list[str] = []
    for view in subject.views:
        for kind in ("scores", "division"):
            if (path := view.facts.tables.get(kind)) is not None:
                blocks += _of_table(view, path, missing)
        if (path := view.facts.tables.get("relabels")) is not None:
            blocks += _of_ledger(view, path, missing)
    if not blocks and not missing:
        return None
    paragraph = (
        "Some methods put a number on each label. Where it tells wrong labels from right ones the "
        "two histograms lie apart."
    )
    return Section("scores", "What the method thinks of each label", [paragraph], blocks, missing)


def _of_table(view: View, path: Path, missing: list[str]) -> list[Figure]:
    try:
        columns = _columns(path)
    except (OSError, ValueError, csv.Error) as reason:
        missing.append(f"{view.label}: {path.name} cannot be read ({reason_of(reason)}).")
        return []
    ids = columns.pop("id")
    right, wrong = _truth(view, ids.astype(np.int64))
    return [
        histogram(
            f"{name.replace('_', '-')}-{view.slug}",
            f"{_TITLES[name]}, {view.label}",
            Sample.by_truth(values, right, wrong),
            label=_WHAT[name],
            caption=_told_area(values, right, wrong, larger_is_wrong=name == "uncertainty"),
        )
        for name, values in columns.items()
        if len(values)
    ]


def _columns(path: Path) -> dict[str, np.ndarray]:
    """The column of ids and those of numbers that are known."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    known = ["id", *(name for name in _WHAT if rows and name in rows[0])]
    return {name: np.array([float(row[name]) for row in rows]) for name in known}


def _truth(view: View, ids: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Which of the labels of `ids` are right and which wrong, by the run's `labels.csv`."""
    path = view.facts.folder / "labels.csv"
    try:
        manifest = NoiseManifest.read_csv(path, view.facts.class_names)
    except EactfError:
        return None, None
    order = np.argsort(manifest.ids, kind="stable")
    rows = order[np.searchsorted(manifest.ids, ids, sorter=order).clip(max=len(order) - 1)]
    known = (manifest.ids[rows] == ids) & (manifest.clean[rows] >= 0)
    if not known.any():
        return None, None
    alike = manifest.clean[rows] == manifest.given[rows]
    return known & alike, known & ~alike


def _told_area(
    values: np.ndarray,
    right: np.ndarray | None,
    wrong: np.ndarray | None,
    *,
    larger_is_wrong: bool,
) -> str:
    if right is None or wrong is None:
        return ""
    known = right | wrong
    area = area_under_curve(values[known] if larger_is_wrong else -values[known], wrong[known])
    if area is None:
        return ""
    more = "more uncertain" if larger_is_wrong else "lower"
    return f"A wrong label is {more} than a right one in {area:.1%} of all pairs."


def _of_ledger(view: View, path: Path, missing: list[str]) -> list[Figure]:
    """How many labels were changed in each epoch."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            epochs = np.array([int(row["epoch"]) for row in csv.DictReader(file)], np.int64)
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as reason:
        missing.append(f"{view.label}: {path.name} cannot be read ({reason_of(reason)}).")
        return []
    if not len(epochs):
        return []
    last = max(int(epochs.max()), len(view.facts.epochs))
    counts = np.bincount(epochs, minlength=last + 1)[1:]
    with sheet() as drawn:
        drawn.axes.bar(np.arange(1, last + 1), counts, color="#0072b2")
        drawn.axes.set(xlabel="epoch", ylabel="labels changed")
        return [
            drawn.finish(
                f"relabels-{view.slug}",
                f"Labels changed, {view.label}",
                caption="Every change is in the run's relabels.csv.",
                alt=f"Labels changed by epoch: {len(epochs):,} in all, most, {counts.max():,}, in "
                f"epoch {int(counts.argmax()) + 1}.",
                columns=["epoch", "labels changed"],
                rows=[[number, int(count)] for number, count in enumerate(counts, start=1)],
            )
        ]

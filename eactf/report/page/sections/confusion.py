"""What is taken for what: confusion matrices, recall by class, classes that give way."""

from __future__ import annotations

import numpy as np

from eactf.report.page.blocks import Block, Cell, Figure, Section, Table
from eactf.report.page.drawing import run_colour, sheet
from eactf.report.page.subject import Subject, View

__all__ = ["confusion"]

_MOST_CELLS = 12
"""More classes than that leave no room for a number in a cell."""

_MOST_PAIRS = 8


def confusion(subject: Subject) -> Section | None:
    """Of each finished run its confusion matrix and recalls, as its result has them."""
    finished = subject.finished if subject.drawn else []
    views = [view for view in finished if "confusion" in view.facts.result["last_epoch"]]
    if not views:
        return None
    blocks: list[Block] = [_recalls(views)]
    for view in views:
        blocks += [_matrix(view), _giving_way(view)]
    paragraph = (
        "Recall is the share of a class's images that are predicted as that class, after the last "
        "epoch. A matrix has a row for each true class: how often its images were predicted as "
        "what. What leaves the diagonal is lost to the class of that column."
    )
    return Section("classes", "Class by class", [paragraph], blocks)


def matrix_of(view: View) -> np.ndarray:
    """The confusion matrix `(classes, classes)` of a finished run: rows true, columns predicted."""
    return np.array(view.facts.result["last_epoch"]["confusion"], np.int64)


def _matrix(view: View) -> Figure:
    names, counts = view.facts.class_names, matrix_of(view)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    with sheet(size=(5.0, 4.4)) as drawn:
        axes = drawn.axes
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="equal")
        axes.grid(False)
        axes.set(xlabel="predicted as", ylabel="true class")
        if len(names) <= 4 * _MOST_CELLS:
            axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
            axes.set_yticks(range(len(names)), names)
        if len(names) <= _MOST_CELLS:
            for row, column in np.ndindex(*counts.shape):
                colour = "white" if shares[row, column] > 0.5 else "black"
                place = {"ha": "center", "va": "center", "fontsize": 7.5}
                axes.text(column, row, f"{counts[row, column]}", color=colour, **place)
        rows: list[list[Cell]] = [
            [name, *line] for name, line in zip(names, counts.tolist(), strict=True)
        ]
        right, total = int(np.trace(counts)), int(counts.sum())
        return drawn.finish(
            f"confusion-{view.slug}",
            f"Confusion matrix, {view.label}",
            caption=f"{total:,} images of {view.facts.judged_on}; colour: share of the row.",
            alt=f"Confusion matrix of {view.label}: {right:,} of {total:,} images on "
            f"the diagonal. {_told_pairs(view)}",
            columns=["true class", *names],
            rows=rows,
        )


def _pairs(view: View) -> list[tuple[int, str, str, float]]:
    """The commonest confusions: images, true class, predicted class, share of the true class."""
    names, counts = view.facts.class_names, matrix_of(view)
    totals = counts.sum(axis=1)
    pairs = [
        (int(counts[row, column]), names[row], names[column], counts[row, column] / totals[row])
        for row, column in np.ndindex(*counts.shape)
        if row != column and counts[row, column]
    ]
    return sorted(pairs, key=lambda pair: -pair[3])[:_MOST_PAIRS]


def _told_pairs(view: View) -> str:
    told = [f"{true} as {other} ({share:.0%})" for _, true, other, share in _pairs(view)[:3]]
    return f"Most often confused: {', '.join(told)}." if told else "No image is confused."


def _giving_way(view: View) -> Table:
    counts, names = matrix_of(view), list(view.facts.class_names)

    def back(true: str, other: str) -> str:
        row = counts[names.index(other)]
        return f"{row[names.index(true)] / max(row.sum(), 1):.1%}"

    rows = [
        [f"{true} as {other}", f"{count:,}", f"{share:.1%}", back(true, other)]
        for count, true, other, share in _pairs(view)
    ]
    columns = ["true as predicted", "images", "of the true", "other way"]
    return Table(f"Where classes give way to each other, {view.label}", columns, rows)


def _recalls(views: list[View]) -> Figure:
    names = list(dict.fromkeys(name for view in views for name in view.facts.class_names))
    recalls = [view.facts.result["last_epoch"]["recalls"] for view in views]
    height = max(3.0, 0.9 + 0.16 * len(names) * (len(views) + 0.6))
    with sheet(size=(5.0, min(height, 14.0))) as drawn:
        thickness = 0.8 / len(views)
        for number, (view, found) in enumerate(zip(views, recalls, strict=True)):
            places = np.arange(len(names)) + (number - (len(views) - 1) / 2) * thickness
            values = [100 * (found.get(name) or 0.0) for name in names]
            colour = run_colour(view.number)
            drawn.axes.barh(places, values, thickness, color=colour, label=view.label)
        drawn.axes.set_yticks(range(len(names)), names)
        drawn.axes.invert_yaxis()
        drawn.axes.set(xlabel="recall, percent", xlim=(0, 100))
        if len(views) > 1:
            drawn.canvas.legend(loc="outside lower center", ncols=2)
        return drawn.finish(
            "recall",
            "Recall of each class",
            caption="The share of a class's images that are predicted as that class.",
            alt="Bars of the recall of each class: "
            + "; ".join(
                f"{view.label} {_told_recalls(found)}"
                for view, found in zip(views, recalls, strict=True)
            ),
            columns=["class", *(view.label for view in views)],
            rows=[[name, *(found.get(name) for found in recalls)] for name in names],
        )


def _told_recalls(recalls: dict[str, float | None]) -> str:
    known = {name: value for name, value in recalls.items() if value is not None}
    worst, best = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
    return f"from {known[worst]:.0%} ({worst}) to {known[best]:.0%} ({best})"

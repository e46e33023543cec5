"""How training went: accuracy and loss over the epochs, and the phases of the method."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eactf.recipe import Recipe
from eactf.report.page.blocks import Figure, Section
from eactf.report.page.drawing import line_style, run_colour, sheet
from eactf.report.page.subject import Subject, View

__all__ = ["Phase", "curves", "phases"]

Read = Callable[[View], Sequence[tuple[int, float]]]


_MOST_INSIDE = 4
"""A legend of more lines stands below the figure, whose lines it would hide."""


@dataclass(frozen=True)
class Phase:
    """A part of a training, from the end of the epoch `start` to that of `end`."""

    name: str
    start: float
    end: float


def phases(recipe: Recipe) -> list[Phase]:
    """The parts of a training in which its method does not yet, or only now, treat labels so.

    >>> from eactf.recipe import load_recipe
    >>> phases(load_recipe("quickstart").recipe)
    [Phase(name='consistency rises', start=0.0, end=6.0)]
    """
    method, epochs = recipe.method, float(recipe.train.epochs)

    def of(name: str) -> float:
        return float(getattr(method, name, None) or 0.0)

    found = []
    warm_up = of("warm_up")
    if warm_up:
        found.append(Phase("warm-up on all labels", 0.0, warm_up))
    if getattr(method, "unlabelled", "mixmatch") == "mixmatch" and of("unlabelled_ramp"):
        end = warm_up + of("unlabelled_ramp")
        found.append(Phase("unlabelled part rises", warm_up, end))
    if of("consistency_ramp"):
        found.append(Phase("consistency rises", 0.0, of("consistency_ramp")))
    if of("relabel_epoch"):
        found.append(Phase("labels are changed", of("relabel_epoch") - 1.0, epochs))
    if of("forget_rate") and of("gradual"):
        found.append(Phase("more and more labels are left out", 0.0, of("gradual")))
    if recipe.data.balance != "none" and recipe.data.balance_from > 1:
        found.append(Phase("classes are balanced", recipe.data.balance_from - 1.0, epochs))
    return [
        Phase(phase.name, phase.start, min(phase.end, epochs))
        for phase in found
        if phase.start < epochs
    ]


def curves(subject: Subject) -> Section | None:
    """Curves of every run that has a log."""
    views = [view for view in subject.drawn if view.facts.epochs]
    if not views:
        return None
    figures = [
        _figure(views, "accuracy", "Accuracy", _accuracies(views), percent=True),
        _figure(
            views, "lowest", "Lowest recall on validation", {"": _logged("val_lowest_recall")}, True
        ),
        _figure(
            views, "loss", "Loss", {"train": _logged("loss"), "validation": _logged("val_loss")}
        ),
        _figure(views, "map-spread", "Spread of the maps", {"": _logged("map_spread")}),
        _figure(views, "kept", "Labels kept", _kept(views), percent=True),
    ]
    paragraphs = [
        "Training accuracy counts the labels as given, wrong ones too, on images as they were "
        "erased and mirrored: where it comes near 100 %, wrong labels have been learnt. Validation "
        "is judged on whole images.",
        *(_told_phases(view) for view in views if view.facts.recipe and phases(view.facts.recipe)),
    ]
    return Section("curves", "How training went", paragraphs, [one for one in figures if one])


def _told_phases(view: View) -> str:
    recipe = view.facts.recipe
    told = [
        f"{phase.name} (epochs {phase.start:g} to {phase.end:g})"
        for phase in ([] if recipe is None else phases(recipe))
    ]
    return f"Phases of {view.label}: {', '.join(told)}."


def _logged(column: str) -> Read:
    def read(view: View) -> Sequence[tuple[int, float]]:
        return list(_points(view.facts.epochs, column))

    return read


def _points(rows: Sequence[Mapping[str, Any]], column: str) -> Iterator[tuple[int, float]]:
    for number, row in enumerate(rows, start=1):
        value = row.get(column)
        if isinstance(value, int | float):
            yield int(row.get("epoch", number)), float(value)


def _accuracies(views: Sequence[View]) -> dict[str, Read]:
    found = {"train": _logged("accuracy"), "validation": _logged("val_accuracy")}
    if any(view.facts.judged for view in views):
        found["judged split"] = lambda view: list(_points(view.facts.judged, "accuracy"))
    return found


def _kept(views: Sequence[View]) -> dict[str, Read]:
    """Of methods that choose labels: how many are kept, and how many of these are right."""
    return {
        f"{word} {number}": _logged(f"{column}_{number}")
        for word, column in (("kept by network", "kept"), ("of these right, network", "precision"))
        for number in (1, 2)
    }


def _figure(
    views: Sequence[View], name: str, title: str, series: Mapping[str, Read], percent: bool = False
) -> Figure | None:
    """Lines of each series of each run; None where no run has any."""
    found = {
        (view.number, kind): points
        for view in views
        for kind, read in series.items()
        if (points := read(view))
    }
    if not found:
        return None
    labels = {view.number: view.label for view in views}
    below = 0.0 if len(found) <= _MOST_INSIDE else 0.09 * len(found)
    with sheet(size=(5.0, 3.4 + below)) as drawn:
        factor = 100.0 if percent else 1.0
        for (number, kind), points in found.items():
            place = list(series).index(kind)
            look = (number, place) if len(views) > 1 else (place, 0)
            label = " ".join(
                ([labels[number]] if len(views) > 1 else []) + ([kind] if kind else [])
            )
            drawn.axes.plot(
                [epoch for epoch, _ in points],
                [factor * value for _, value in points],
                color=run_colour(look[0]),
                linestyle=line_style(look[1]),
                linewidth=1.6,
                marker="o" if len(points) == 1 else None,
                label=label,
            )
        _shade(drawn.axes, views)
        drawn.axes.set(xlabel="epoch", ylabel="percent" if percent else "")
        drawn.axes.xaxis.get_major_locator().set_params(integer=True)
        if percent:
            drawn.axes.set_ylim(0.0, max(5.0, drawn.axes.get_ylim()[1]))
        if len(found) > _MOST_INSIDE:
            drawn.canvas.legend(loc="outside lower center", ncols=2)
        elif len(found) > 1:
            drawn.axes.legend(loc="best")
        return drawn.finish(
            f"curve-{name}",
            title,
            caption=_caption(views),
            alt=f"{title} over the epochs: {_told_ends(found, labels, percent)}",
            columns=["run", "series", "epoch", "value"],
            rows=[
                [labels[number], kind or name, epoch, value]
                for (number, kind), points in found.items()
                for epoch, value in points
            ],
        )


def _shade(axes: Any, views: Sequence[View]) -> None:
    """Mark the phases of a single run; of several runs the text tells them."""
    recipe = views[0].facts.recipe
    if len(views) > 1 or recipe is None:
        return
    for number, phase in enumerate(phases(recipe)):
        axes.axvspan(phase.start, phase.end, color="#e69f00", alpha=0.13, linewidth=0)
        text = {"transform": axes.get_xaxis_transform(), "fontsize": 7, "va": "top"}
        axes.text(phase.start, 0.99 - 0.06 * number, f" {phase.name}", **text)


def _caption(views: Sequence[View]) -> str:
    recipe = views[0].facts.recipe
    shaded = len(views) == 1 and recipe is not None and bool(phases(recipe))
    return "Shaded: the phases of the method." if shaded else ""


def _told_ends(
    found: Mapping[tuple[int, str], Sequence[tuple[int, float]]],
    labels: Mapping[int, str],
    percent: bool,
) -> str:
    def write(value: float) -> str:
        return f"{value:.1%}" if percent else f"{value:.3g}"

    return "; ".join(
        f"{labels[number]} {kind}".strip()
        + f" from {write(points[0][1])} to {write(points[-1][1])} in epoch {points[-1][0]}"
        for (number, kind), points in found.items()
    )

"""Whether the network is as often right as it is sure: reliability, calibration error."""

from __future__ import annotations

import numpy as np

from eactf.evaluation.calibration import Reliability, reliability
from eactf.report.page.blocks import Figure, Section
from eactf.report.page.drawing import INK, run_colour, sheet
from eactf.report.page.subject import Subject, View

__all__ = ["calibration"]


def calibration(subject: Subject) -> Section | None:
    """A reliability diagram of all runs, with the expected calibration error of each."""
    if not subject.seen:
        return None
    found = [
        (view, reliability(evidence.judged.probabilities, evidence.judged.samples.given))
        for view, evidence in subject.seen
    ]
    errors = [
        f"{view.label}: expected calibration error {one.expected_error:.1%}; sure by "
        f"{one.mean_confidence:.1%} on the mean, right in {one.accuracy:.1%}."
        for view, one in found
    ]
    paragraph = (
        "Of the judged images whose predicted class got, say, 70 to 77 %, as many should be "
        "right. Below the diagonal the network is surer than it should be, above it less sure, "
        "which label noise often brings about. The expected calibration error is the mean "
        f"distance from the diagonal over {len(found[0][1].counts)} bins, weighed by images "
        "(Guo et al., ICML 2017)."
    )
    title = "Is it as often right as it is sure"
    return Section("calibration", title, [paragraph, *errors], [_diagram(found)])


def _diagram(found: list[tuple[View, Reliability]]) -> Figure:
    with sheet(size=(5.0, 4.2)) as drawn:
        drawn.axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle=":")
        for view, one in found:
            full = one.counts > 0
            drawn.axes.plot(
                one.confidences[full],
                one.accuracies[full],
                color=run_colour(view.number),
                marker="os^Dvx"[view.number % 6],
                markersize=4,
                linewidth=1.4,
                label=f"{view.label} ({one.expected_error:.1%})",
            )
        drawn.axes.set(xlabel="probability of the predicted class", ylabel="share that is right")
        drawn.axes.set(xlim=(0, 1), ylim=(0, 1))
        drawn.axes.legend(loc="upper left")
        return drawn.finish(
            "calibration",
            "Reliability",
            caption="In brackets the expected calibration error; dotted: sure as right.",
            alt="Reliability diagram; expected calibration error: "
            + ", ".join(f"{view.label} {one.expected_error:.1%}" for view, one in found),
            columns=["run", "from", "to", "images", "mean probability", "share right"],
            rows=[
                [view.label, *_bin(one, number)]
                for view, one in found
                for number in range(len(one.counts))
            ],
        )


def _bin(one: Reliability, number: int) -> list[int | float | None]:
    count = int(one.counts[number])
    empty = not count
    bounds = np.linspace(0.0, 1.0, len(one.counts) + 1)
    return [
        float(bounds[number]),
        float(bounds[number + 1]),
        count,
        None if empty else float(one.confidences[number]),
        None if empty else float(one.accuracies[number]),
    ]

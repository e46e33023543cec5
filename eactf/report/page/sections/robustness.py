"""What is left of the accuracy in mirror images, and where a part of the image is covered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eactf.report.page.blocks import Block, Figure, Section, Table
from eactf.report.page.drawing import sheet
from eactf.report.page.subject import Subject, View

if TYPE_CHECKING:
    from eactf.report.page.evidence import Evidence

__all__ = ["robustness"]


def robustness(subject: Subject) -> Section | None:
    """A table of all runs, and where covering costs most."""
    if not subject.seen:
        return None
    paragraph = (
        "The judged images once more: as they are, mirrored, and with one of nine blocks covered "
        "by the image's mean colour. The map shows the accuracy with that block covered: where it "
        "is low, the network looks there, and little else would do."
    )
    every = np.stack([evidence.occluded for _, evidence in subject.seen])
    limits = float(every.min()), float(every.max())
    blocks: list[Block] = [_table(subject)]
    blocks += [_map(view, evidence, limits) for view, evidence in subject.seen]
    return Section("robustness", "Mirrored and covered", [paragraph], blocks)


def _table(subject: Subject) -> Table:
    columns = [
        "",
        "as they are",
        "mirrored",
        "same class mirrored",
        "covered, mean",
        "covered, worst",
    ]
    rows = []
    for view, evidence in subject.seen:
        judged, given = evidence.judged, evidence.judged.samples.given
        mirrored = judged.mirrored.argmax(axis=1)
        figures = (
            np.mean(judged.predicted == given),
            np.mean(mirrored == given),
            np.mean(mirrored == judged.predicted),
            evidence.occluded.mean(),
            evidence.occluded.min(),
        )
        rows.append([view.label, *(f"{figure:.1%}" for figure in figures)])
    return Table("Accuracy of mirrored and covered images", columns, rows)


_PLACES = [
    f"{height} {side}"
    for height in ("top", "middle", "bottom")
    for side in ("left", "centre", "right")
]


def _map(view: View, evidence: Evidence, limits: tuple[float, float]) -> Figure:
    """The accuracy with each block covered; all runs share the scale of colours."""
    shares, whole = evidence.occluded, f"uncovered {evidence.uncovered:.1%}"
    low, high = (100 * limit for limit in limits)
    with sheet(size=(5.0, 3.6)) as drawn:
        picture = drawn.axes.imshow(100 * shares, cmap="viridis", vmin=low, vmax=high)
        drawn.axes.grid(False)
        drawn.axes.set(xticks=[], yticks=[])
        for row, column in np.ndindex(*shares.shape):
            colour = "black" if 200 * shares[row, column] > low + high else "white"
            look = {"ha": "center", "va": "center", "color": colour}
            drawn.axes.text(column, row, f"{shares[row, column]:.1%}", **look)
        drawn.canvas.colorbar(picture, ax=drawn.axes, label="accuracy, percent")
        return drawn.finish(
            f"covered-{view.slug}",
            f"Accuracy with a block covered, {view.label}",
            caption=f"{evidence.occluded_images:,} images of {evidence.images.split}; {whole}.",
            alt=f"Accuracy of {view.label} with one of nine blocks covered: lowest, "
            f"{shares.min():.1%}, at the {_PLACES[int(shares.argmin())]}; {whole}.",
            columns=["covered", "accuracy"],
            rows=list(zip(["nothing", *_PLACES], [evidence.uncovered, *shares.flat], strict=True)),
        )

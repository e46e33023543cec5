"""Images on which compared runs disagree, with what each of them looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eactf.report.page.blocks import Cards, Section, Table
from eactf.report.page.cards import map_cards
from eactf.report.page.subject import Subject, View

if TYPE_CHECKING:
    from eactf.report.page.evidence import Evidence

__all__ = ["disagreement", "disputed"]

_MOST = 6


def disagreement(subject: Subject) -> Section | None:
    """Judged images that runs on the same data predict differently; None of fewer than two."""
    group = _alike(subject)
    if len(group) < 2:
        return None
    looks = [evidence.judged for _, evidence in group]
    rows = disputed([one.probabilities for one in looks], _MOST)
    found = [
        map_cards(
            evidence,
            evidence.judged,
            rows.tolist(),
            name=f"maps-disputed-{view.slug}",
            title=f"Disputed images as {view.label} sees them",
            caption="The given label is the one that the image is judged by.",
        )
        for view, evidence in group
    ]
    blocks: list[Cards | Table] = [_shares(group), *(cards for cards in found if cards)]
    paragraph = (
        f"The {group[0][1].images.split} images that the runs are surest and least agreed about: "
        "the same images in the same order for each run."
    )
    return Section("disagreement", "Where the methods disagree", [paragraph], blocks)


def _alike(subject: Subject) -> list[tuple[View, Evidence]]:
    """The runs judged on the images that the first one was judged on."""
    seen = subject.seen
    return [one for one in seen if np.array_equal(_ids(one[1]), _ids(seen[0][1]))]


def _ids(evidence: Evidence) -> np.ndarray:
    return evidence.judged.samples.ids


def disputed(probabilities: list[np.ndarray], most: int) -> np.ndarray:
    """Rows on which at least two of the runs predict different classes, the surest dispute first.

    Of each run the probabilities `(n, classes)`. How sure a dispute is: the sum of the two highest
    probabilities with which runs are of different opinions.
    """
    every = np.stack(probabilities)
    predicted, sure = every.argmax(axis=2), every.max(axis=2)
    first = sure.argmax(axis=0)
    surest = np.take_along_axis(predicted, first[None], axis=0)
    against = np.where(predicted != surest, sure, 0.0).max(axis=0)
    rows = np.flatnonzero(against > 0)
    total = (sure.max(axis=0) + against)[rows]
    return rows[np.argsort(-total, kind="stable")][:most]


def _shares(group: list[tuple[View, Evidence]]) -> Table:
    """How often two runs predict the same class."""
    rows = [
        [
            view.label,
            *(
                f"{np.mean(own.judged.predicted == other.judged.predicted):.1%}"
                for _, other in group
            ),
        ]
        for view, own in group
    ]
    caption = "The share of the judged images that two runs predict alike"
    return Table(caption, ["", *(view.label for view, _ in group)], rows)

"""What the network looks at: class activation maps of telling training images (fig. 1 and 4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from eactf.report.page.blocks import Cards, Section
from eactf.report.page.cards import map_cards
from eactf.report.page.looks import Looks
from eactf.report.page.subject import Subject, View

if TYPE_CHECKING:
    from eactf.report.page.evidence import Evidence

__all__ = ["contradicted", "learnt_wrong", "maps", "rightly_labelled"]

_MOST = 8
"""Cards of a kind on a page of one run; on one of several runs there are fewer of each."""

_LEAST = 3


def maps(subject: Subject) -> Section | None:
    """Cards of the images whose labels each network contradicts, learnt wrongly, learnt rightly."""
    most = max(_LEAST, _MOST // max(1, len(subject.seen)))
    # Kind by kind, so that the runs stand side by side.
    kinds = zip(*(_of_run(view, evidence, most) for view, evidence in subject.seen), strict=True)
    groups = [cards for kind in kinds for cards in kind if cards]
    if not groups:
        return None
    paragraphs = [
        "A class activation map shows where in an image the network finds what speaks for a class "
        "(red: most, blue: least). Left the image, right its mirror image, for the given and for "
        "the predicted class, each pair on one scale. A network that has learnt what a face shows "
        "looks at the same places in both; one that knows an image by heart need not.",
        "Maps alike is the correlation of the predicted class's map with that of the mirror "
        "image, turned back: 1 the same places, 0 no relation.",
    ]
    return Section("maps", "What the network looks at", paragraphs, groups)


def contradicted(looks: Looks, most: int) -> np.ndarray:
    """Rows of the labels that the network contradicts most confidently, those first."""
    doubt = looks.of_class(looks.predicted) - looks.of_class(looks.samples.given)
    rows = np.flatnonzero(looks.predicted != looks.samples.given)
    return rows[np.argsort(-doubt[rows], kind="stable")][:most]


def learnt_wrong(looks: Looks, most: int) -> np.ndarray:
    """Rows of wrong labels that the network predicts, the surest first; truth must be known."""
    if looks.wrong is None:
        return np.zeros(0, np.int64)
    rows = np.flatnonzero(looks.wrong & (looks.predicted == looks.samples.given))
    own = looks.of_class(looks.samples.given)
    return rows[np.argsort(-own[rows], kind="stable")][:most]


def rightly_labelled(looks: Looks, most: int) -> np.ndarray:
    """Rows of labels that the network predicts and nothing speaks against, class by class.

    The surest of each class, then the next of each.
    """
    right = looks.predicted == looks.samples.given
    if looks.right is not None:
        right &= looks.right
    own, places = looks.of_class(looks.samples.given), []
    for label in range(looks.logits.shape[1]):
        rows = np.flatnonzero(right & (looks.samples.given == label))
        ranked = rows[np.argsort(-own[rows], kind="stable")][:most]
        places += [(place, label, int(row)) for place, row in enumerate(ranked)]
    return np.array([row for _, _, row in sorted(places)][:most], np.int64)


def _of_run(view: View, evidence: Evidence, most: int) -> Iterator[Cards | None]:
    looks = evidence.train

    def cards(kind: str, rows: np.ndarray, title: str, caption: str) -> Cards | None:
        return map_cards(
            evidence,
            looks,
            rows.tolist(),
            name=f"maps-{kind}-{view.slug}",
            title=f"{title}, {view.label}",
            caption=caption,
        )

    yield cards(
        "contradicted",
        contradicted(looks, most),
        "Labels contradicted most confidently",
        "Training images that the network is surest are of another class than their label says.",
    )
    yield cards(
        "learnt-wrong",
        learnt_wrong(looks, most),
        "Wrong labels that were learnt",
        "Training images whose label is wrong and predicted all the same, the surest first.",
    )
    yield cards(
        "right",
        rightly_labelled(looks, most),
        "Labels confirmed",
        "Training images whose label is predicted and, where it is known, right; class by class.",
    )

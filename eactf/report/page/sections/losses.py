"""The losses of rightly and wrongly labelled training images, by method (fig. 5)."""

from __future__ import annotations

import numpy as np

from eactf.division import area_under_curve
from eactf.report.page.blocks import Numbers, Section
from eactf.report.page.histograms import Sample, histogram
from eactf.report.page.looks import Looks
from eactf.report.page.subject import Subject

__all__ = ["losses"]


_SHOWN = 0.995
"""The part of all losses that has bars of its own: a few high ones would press them together."""


def losses(subject: Subject) -> Section | None:
    """A histogram a run, all on one axis."""
    if not subject.seen:
        return None
    every = np.concatenate([evidence.train.losses for _, evidence in subject.seen])
    most = max(float(np.quantile(every, _SHOWN)), 1e-3)
    figures = [
        histogram(
            f"losses-{view.slug}",
            f"Losses, {view.label}",
            Sample.by_truth(
                evidence.train.losses.clip(max=most), evidence.train.right, evidence.train.wrong
            ),
            label="cross-entropy on the given label",
            limits=(0.0, most),
            caption=_apart(evidence.train),
            numbers=Numbers(["id", "loss", "wrong"], evidence.train.rows(evidence.train.losses)),
        )
        for view, evidence in subject.seen
    ]
    paragraph = (
        "The loss of each training image on its given label, by the trained network, on the whole "
        "image. Where wrong labels were learnt both kinds lie at the left; where they were not, "
        "the wrong ones lie to the right. The highest few are in the last bar."
    )
    return Section("losses", "Right and wrong labels by their loss", [paragraph], figures)


def _apart(looks: Looks) -> str:
    """How well the loss tells wrong labels from right ones, where it is known which is which."""
    if looks.right is None or looks.wrong is None:
        return ""
    known = looks.right | looks.wrong
    area = area_under_curve(looks.losses[known], looks.wrong[known])
    if area is None:
        return ""
    return f"A wrong label has a higher loss than a right one in {area:.1%} of all pairs."

"""How much the maps of images and their mirror images agree, over all training images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from eactf.report.page.blocks import Numbers, Section
from eactf.report.page.histograms import Sample, histogram
from eactf.report.page.looks import Looks
from eactf.report.page.subject import Subject

__all__ = ["consistency"]


def consistency(subject: Subject) -> Section | None:
    """A histogram a run of how alike maps are, wrong labels apart from right ones."""
    found = [
        (view, evidence.train, list(_parts(evidence.train.agreement, evidence.train)))
        for view, evidence in subject.seen
        if evidence.train.agreement is not None
    ]
    found = [(view, looks, parts) for view, looks, parts in found if parts]
    if not found:
        return None
    every = np.concatenate([part.values for _, _, parts in found for part in parts])
    low = max(-1.0, float(np.floor(10.0 * np.quantile(every, 0.005)) / 10.0 - 0.1))
    figures = [
        histogram(
            f"map-agreement-{view.slug}",
            f"Agreement of the maps, {view.label}",
            [Sample(part.name, part.values.clip(min=low)) for part in parts],
            label="correlation of a map with that of the mirror image",
            limits=(low, 1.0),
            numbers=_numbers(looks),
            caption=f"Median {np.median(np.concatenate([one.values for one in parts])):.3f}.",
        )
        for view, looks, parts in found
    ]
    paragraph = (
        "For each training image: how alike the predicted class's map is in the image and, turned "
        "back, in its mirror image. Attention consistency pushes this towards 1. The lowest "
        "few are in the first bar."
    )
    return Section("consistency", "Do the maps agree", [paragraph], figures)


def _parts(agreement: np.ndarray, looks: Looks) -> Iterator[Sample]:
    """Right and wrong labels apart; images of which a map is flat have no correlation."""
    for sample in Sample.by_truth(agreement, looks.right, looks.wrong):
        values = sample.values[np.isfinite(sample.values)]
        if len(values):
            yield Sample(sample.name, values)


def _numbers(looks: Looks) -> Numbers:
    """Agreement and distance of the maps, image by image."""
    columns = ["id", "correlation", "mean squared distance", "wrong label"]
    return Numbers(columns, looks.rows(looks.agreement, looks.distance))

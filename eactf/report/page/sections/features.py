"""The features of training images in the plane, by t-SNE (fig. 3)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from eactf.report.page.blocks import Cell, Figure, Section
from eactf.report.page.drawing import class_colours, sheet
from eactf.report.page.subject import Subject, View

if TYPE_CHECKING:
    from eactf.report.page.evidence import Evidence

__all__ = ["features", "plane", "same_neighbours"]

_FEWEST = 10
"""Fewer points make no groups."""

_MOST_NAMED = 20
"""More classes than that are not named in a legend."""


def features(subject: Subject) -> Section | None:
    """Two figures a run: the same points, coloured by given and by true label."""
    figures = [
        figure
        for view, evidence in subject.seen
        if evidence.features is not None and len(evidence.features) >= _FEWEST
        for figure in _figures(view, evidence, plane(evidence.features))
    ]
    if not figures:
        return None
    paragraph = (
        "What the network makes of each training image before its last layer, laid out so that "
        "neighbours stay neighbours (t-SNE); distances between groups say little. Where the "
        "groups are of one true class, wrong labels show as points of another colour in the "
        "groups by given label. Where wrong labels have been learnt, the groups are of one given "
        "label instead."
    )
    return Section("features", "How images are grouped", [paragraph], figures)


def plane(vectors: np.ndarray) -> np.ndarray:
    """Feature vectors `(n, C)` in the plane, `(n, 2)`, the same for the same vectors."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(30.0, (len(vectors) - 1) / 3)
    # Threads that wait for each other in every small step cost five times what they save.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        reduced = PCA(min(50, *vectors.shape), random_state=0).fit_transform(vectors)
        laid = TSNE(perplexity=perplexity, max_iter=500, random_state=0).fit_transform(reduced)
    return np.asarray(laid)


def same_neighbours(places: np.ndarray, labels: np.ndarray) -> float:
    """The share of points `(n, 2)`, n >= 2, whose nearest neighbour has their label `(n,)`.

    >>> same_neighbours(np.array([[0, 0], [0, 1], [9, 0], [9, 2]]), np.array([1, 1, 1, 2]))
    0.5
    """
    squares = np.square(places).sum(axis=1)
    distances = squares[:, None] + squares[None] - 2.0 * places @ places.T
    np.fill_diagonal(distances, np.inf)
    return float(np.mean(labels == labels[distances.argmin(axis=1)]))


def _figures(view: View, evidence: Evidence, places: np.ndarray) -> Iterator[Figure]:
    samples = evidence.points
    yield _figure(view, evidence, places, samples.given, "given")
    if samples.clean is not None and (samples.clean >= 0).any():
        yield _figure(view, evidence, places, samples.clean, "true")


def _figure(
    view: View, evidence: Evidence, places: np.ndarray, labels: np.ndarray, which: str
) -> Figure:
    names, ids = evidence.images.class_names, evidence.points.ids
    alike = same_neighbours(places, labels)
    with sheet(size=(5.0, 4.6)) as drawn:
        drawn.axes.set(xticks=[], yticks=[])
        for label, (name, colour) in enumerate(zip(names, class_colours(len(names)), strict=True)):
            own = places[labels == label]
            drawn.axes.scatter(*own.T, s=8, color=colour, label=name, rasterized=True)
        if len(names) <= _MOST_NAMED:
            drawn.canvas.legend(loc="outside lower center", ncols=4, markerscale=2.0)
        return drawn.finish(
            f"features-{which}-{view.slug}",
            f"Features by {which} label, {view.label}",
            caption=f"{len(places):,} of {len(evidence.images.train):,} training images; the "
            f"nearest neighbour has the same {which} label in {alike:.0%}.",
            alt=f"Points of {len(places):,} training images of {view.label}, coloured by {which} "
            f"label; {alike:.0%} have a nearest neighbour of the same label.",
            columns=["id", "x", "y", which],
            rows=list(_rows(ids, places, labels, names)),
        )


def _rows(
    ids: np.ndarray, places: np.ndarray, labels: np.ndarray, names: Sequence[str]
) -> Iterator[list[Cell]]:
    for number, place, label in zip(ids.tolist(), places, labels.tolist(), strict=True):
        name = names[label] if label >= 0 else ""
        yield [number, round(float(place[0]), 4), round(float(place[1]), 4), name]

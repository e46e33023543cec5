"""Histograms of a number of single images, those with wrong labels beside those with right ones."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eactf.report.page.blocks import Figure, Numbers
from eactf.report.page.drawing import sheet

__all__ = ["Sample", "histogram"]

_BINS = 40

_COLOURS = {"rightly labelled": "#0072b2", "wrongly labelled": "#d55e00"}


@dataclass(frozen=True)
class Sample:
    """Values `(n,)` of images that have a name together."""

    name: str
    values: np.ndarray

    @staticmethod
    def by_truth(
        values: np.ndarray, right: np.ndarray | None, wrong: np.ndarray | None
    ) -> list[Sample]:
        """Values of rightly and of wrongly labelled images; of all where no truth is known."""
        if right is None or wrong is None:
            return [Sample("all labels, truth unknown", values)]
        parts = [
            Sample("rightly labelled", values[right]),
            Sample("wrongly labelled", values[wrong]),
        ]
        return [part for part in parts if len(part.values)]


def histogram(
    name: str,
    title: str,
    samples: Sequence[Sample],
    *,
    label: str,
    limits: tuple[float, float] | None = None,
    caption: str = "",
    numbers: Numbers | None = None,
) -> Figure:
    """Shares of each sample a bin, so that a few wrong labels show beside many right ones.

    `numbers` are those of the single images for the figure's file, without which it has the bins.
    """
    every = np.concatenate([sample.values for sample in samples])
    edges = np.histogram_bin_edges(every, _BINS, range=limits)
    shares = [
        np.histogram(sample.values, edges)[0] / max(1, len(sample.values)) for sample in samples
    ]
    if numbers is None:
        heads = ["from", "to", *(f"share of {sample.name}" for sample in samples)]
        bins = zip(itertools.pairwise(edges), *shares, strict=True)
        numbers = Numbers(heads, [[*map(float, ends), *map(float, own)] for ends, *own in bins])
    with sheet() as drawn:
        for sample, share in zip(samples, shares, strict=True):
            colour = _COLOURS.get(sample.name, "#7f7f7f")
            told = f"{sample.name} ({len(sample.values):,})"
            drawn.axes.stairs(100 * share, edges, fill=True, color=colour, alpha=0.35)
            drawn.axes.stairs(100 * share, edges, color=colour, linewidth=1.4, label=told)
        drawn.axes.set(xlabel=label, ylabel="percent of these images")
        drawn.axes.legend(loc="best")
        return drawn.finish(
            name,
            title,
            caption=caption,
            alt=f"Histogram of {label}: " + "; ".join(map(_told, samples)),
            columns=numbers.columns,
            rows=numbers.rows,
        )


def _told(sample: Sample) -> str:
    low, middle, high = np.quantile(sample.values, (0.25, 0.5, 0.75))
    return (
        f"{sample.name}, {len(sample.values):,} images, median {middle:.2f}, half of them between "
        f"{low:.2f} and {high:.2f}"
    )

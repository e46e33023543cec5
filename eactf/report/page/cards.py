"""Cards of single images: what the network looks at, in the image and in its mirror image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eactf.report.page.blocks import Card, Cards, Cell, Figure, Tile
from eactf.report.page.drawing import sheet
from eactf.report.page.looks import Looks
from eactf.report.page.overlays import jpeg_of, overlaid, shown

if TYPE_CHECKING:
    from eactf.report.page.evidence import Evidence

__all__ = ["map_cards"]

_COLUMNS = (
    *("id", "name", "given", "true", "predicted", "probability of given"),
    *("probability of predicted", "maps alike", "distance of the maps"),
)


def map_cards(
    evidence: Evidence, looks: Looks, rows: Sequence[int], *, name: str, title: str, caption: str
) -> Cards | None:
    """Cards of the samples at `rows` of `looks`; None where there are none, or no maps.

    `name` is the stem of the files that have them as one figure.
    """
    if evidence.network is None or not len(rows):
        return None
    images, maps, mirrored = evidence.maps(looks.samples.take(np.asarray(rows, np.int64)))
    found = [
        _Seen(row, evidence.images.class_names, looks, *views)
        for row, *views in zip(rows, images, maps, mirrored, strict=True)
    ]
    figure = _figure(found, name, title, caption)
    return Cards(title, caption, [one.card() for one in found], figure)


@dataclass(frozen=True)
class _Seen:
    """The image at `row` of `looks`, `(H, W, c)`, its maps `(h, w, L)`, its mirror image's maps."""

    row: int
    class_names: Sequence[str]
    looks: Looks
    image: np.ndarray
    maps: np.ndarray
    mirrored: np.ndarray

    @property
    def given(self) -> int:
        return int(self.looks.samples.given[self.row])

    @property
    def predicted(self) -> int:
        return int(self.looks.predicted[self.row])

    @property
    def true(self) -> int | None:
        """The true class, None where it is not known."""
        clean = self.looks.samples.clean
        return None if clean is None or clean[self.row] < 0 else int(clean[self.row])

    @property
    def name(self) -> str:
        """Its file name; empty where it has none."""
        names = self.looks.samples.names
        return "" if names is None else str(names[self.row])

    def probability(self, label: int) -> float:
        return float(self.looks.probabilities[self.row, label])

    def pairs(self) -> Iterator[tuple[str, list[np.ndarray]]]:
        """Image and mirror image with the maps of the given and of the predicted class."""
        names = self.class_names
        classes = {f"given: {names[self.given]}": self.given}
        classes[f"predicted: {names[self.predicted]}"] = self.predicted
        if self.given == self.predicted:
            classes = {f"given and predicted: {names[self.given]}": self.given}
        for heading, label in classes.items():
            back = self.image[:, ::-1], self.mirrored[..., label]
            yield heading, overlaid([(self.image, self.maps[..., label]), back])

    def card(self) -> Card:
        plain = Tile(jpeg_of(shown(self.image)), f"Image {self._called()}")
        pictures: list[tuple[str, list[Tile]]] = [("image", [plain])]
        for heading, views in self.pairs():
            alts = f"Map, {heading}", f"Map of the mirror image, {heading}"
            tiles = [Tile(jpeg_of(view), alt) for view, alt in zip(views, alts, strict=True)]
            pictures.append((heading, tiles))
        return Card(pictures, list(self._lines()))

    def numbers(self) -> list[Cell]:
        """Its row of the CSV file, under `_COLUMNS`."""
        looks, names = self.looks, self.class_names
        return [
            int(looks.samples.ids[self.row]),
            self.name,
            names[self.given],
            "" if self.true is None else names[self.true],
            names[self.predicted],
            self.probability(self.given),
            self.probability(self.predicted),
            *(
                None if values is None else float(values[self.row])
                for values in (looks.agreement, looks.distance)
            ),
        ]

    def _called(self) -> str:
        return self.name or f"id {int(self.looks.samples.ids[self.row])}"

    def _lines(self) -> Iterator[str]:
        yield self._called()
        if self.true is not None and self.true != self.given:
            yield f"truly {self.class_names[self.true]}"
        if self.given != self.predicted:
            yield f"given {self.probability(self.given):.1%}"
        yield f"predicted {self.probability(self.predicted):.0%}"
        agreement = self.looks.agreement
        if agreement is not None and np.isfinite(agreement[self.row]):
            yield f"maps alike {agreement[self.row]:.2f}"


def _figure(found: Sequence[_Seen], name: str, title: str, caption: str) -> Figure:
    """The cards as one figure, two to a row, for papers and slides."""
    lines = -(-len(found) // 2)
    with sheet(2, lines, size=(8.0, 0.95 * lines), squeeze=False) as drawn:
        for axes in drawn.axes.flat:
            axes.axis("off")
        for axes, one in zip(drawn.axes.flat, found, strict=False):
            pairs = dict(one.pairs())
            views = [shown(one.image), *(view for pair in pairs.values() for view in pair)]
            axes.imshow(np.concatenate(views, axis=1))
            axes.set_title("; ".join(pairs), fontsize=6, pad=2)
        return drawn.finish(
            name,
            title,
            caption=caption,
            alt=title,
            columns=_COLUMNS,
            rows=[one.numbers() for one in found],
        )

"""Figures are drawn here alike: one style, one palette, as SVG and PNG without any screen."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from eactf.report.page.blocks import Cell, Figure, Numbers

__all__ = ["INK", "Sheet", "class_colours", "line_style", "run_colour", "sheet"]

INK = "#1f2430"
"""The colour of text and axes; on a dark screen the page replaces it."""

_PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6d46", "#7f7f7f")
"""Okabe and Ito's colours that show on white and on black, told apart by the colour-blind."""

_DASHES: tuple[Any, ...] = ("-", "--", "-.", ":")

_STYLE: dict[str, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 9.0,
    "axes.labelsize": 9.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#8a8f98",
    "grid.alpha": 0.3,
    "grid.linewidth": 0.6,
    "svg.hashsalt": "eactf",
    "text.parse_math": False,  # dollars in a class's name are dollars
    "svg.fonttype": "path",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor"), INK),
    **dict.fromkeys(("xtick.color", "ytick.color"), INK),
}

_DOTS_PER_INCH = 144

_COMMENTS = re.compile(r"<!--.*?-->", re.DOTALL)
"""Matplotlib writes every text that it draws into one."""

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that may stand in no XML file, whatever classes are called."""

_SIZE = (5.0, 3.4)

_LONGEST_NAME = 36
"""Characters of a name in a legend."""


def run_colour(number: int) -> str:
    """The colour of the run with this number, from 0."""
    return _PALETTE[number % len(_PALETTE)]


def line_style(number: int) -> Any:
    """The dashes of the run with this number: colours alone do not tell runs apart for all."""
    return _DASHES[number % len(_DASHES)]


def class_colours(count: int) -> list[Any]:
    """A colour a class; of many classes neighbours look alike."""
    if count <= len(_PALETTE):
        return list(_PALETTE[:count])
    from matplotlib import colormaps

    return [colormaps["turbo"](place / (count - 1)) for place in range(count)]


class Sheet:
    """A figure that is being drawn: `axes` to draw on, then `finish`."""

    def __init__(self, canvas: Any, axes: Any) -> None:
        self.canvas = canvas
        self.axes = axes

    def finish(
        self,
        name: str,
        title: str,
        *,
        caption: str,
        alt: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Cell]],
    ) -> Figure:
        """The figure, drawn; `columns` and `rows` are the numbers in it."""
        self._shorten_legends()
        numbers = Numbers(columns, rows)
        return Figure(name, title, caption, alt, self._svg(), self._png(), numbers)

    def _shorten_legends(self) -> None:
        """Cut names such as whole paths in the middle: they would leave the axes no room."""
        own = [axes.get_legend() for axes in self.canvas.axes]
        for legend in [*self.canvas.legends, *own]:
            for text in () if legend is None else legend.get_texts():
                name = text.get_text()
                if len(name) > _LONGEST_NAME:
                    text.set_text(f"{name[: _LONGEST_NAME // 3]}...{name[-_LONGEST_NAME // 2 :]}")

    def _svg(self) -> str:
        file = io.StringIO()
        # Rasterised parts need a resolution; the date would make equal figures unequal.
        self.canvas.savefig(file, format="svg", dpi=_DOTS_PER_INCH, metadata={"Date": None})
        text = _COMMENTS.sub("", file.getvalue())
        return _NO_XML.sub("?", text[text.index("<svg") :])

    def _png(self) -> bytes:
        file = io.BytesIO()
        self.canvas.savefig(file, format="png", dpi=_DOTS_PER_INCH, facecolor="white")
        return file.getvalue()


@contextmanager
def sheet(
    columns: int = 1, rows: int = 1, *, size: tuple[float, float] = _SIZE, **settings: Any
) -> Iterator[Sheet]:
    """A new sheet in the page's style, inches wide and high; `settings` as `Figure.subplots`."""
    with rc_context(cast(Any, _STYLE)), warnings.catch_warnings():
        # A font without a class's letters draws boxes; its name is in the page's tables.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        canvas = Canvas(figsize=size, layout="constrained")
        FigureCanvasAgg(canvas)
        yield Sheet(canvas, canvas.subplots(rows, columns, **settings))


def themed(svg: str) -> str:
    """An SVG whose ink is light where the reader's screen is dark."""
    style = f"<style>svg{{color:{INK}}}@media(prefers-color-scheme:dark){{svg{{color:#e6e8ec}}}}"
    head = re.match(r"<svg[^>]*>", svg)
    if head is None:
        return svg
    body = svg[head.end() :].replace(INK, "currentColor")
    return f"{head[0]}{style}</style>{body}"

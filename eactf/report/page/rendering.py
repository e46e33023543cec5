"""A page of sections becomes one HTML text that needs nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from eactf import __version__
from eactf.report.page.blocks import Cards, Figure, Section, Table
from eactf.report.page.drawing import themed

__all__ = ["render"]

_MANY_ROWS = 12
"""A figure of more rows than that has its numbers in its CSV file alone."""


def render(title: str, sections: Sequence[Section], figures: str) -> str:
    """The page as HTML; `figures` is the folder beside it that its figures are linked to in.

    Every text is escaped by the template. The policy in its head allows the style that stands in
    it, by its hash, and pictures that are in the page; no script, no request.
    """
    style = files("eactf.report.page").joinpath("page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = Environment(
        loader=PackageLoader("eactf.report.page", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inline"] = _inline
    environment.filters["kind"] = _kind
    return environment.get_template("page.html.jinja").render(
        title=title,
        sections=sections,
        figures=figures,
        style=Markup(style),  # our own text, whose hash is in the policy
        policy=f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'",
        version=__version__,
    )


def _inline(content: str | bytes) -> str:
    """A picture as a URL that holds it: SVG text, or the bytes of a JPEG file."""
    kind = "svg+xml" if isinstance(content, str) else "jpeg"
    data = themed(content).encode() if isinstance(content, str) else content
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _kind(block: object) -> str:
    return {Figure: "figure", Table: "table", Cards: "cards"}[type(block)]

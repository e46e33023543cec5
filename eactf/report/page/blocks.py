"""What a page is made of: sections of paragraphs, figures, tables and cards of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Block", "Card", "Cards", "Figure", "Numbers", "Section", "Table", "Tile"]

Cell = str | int | float | None


@dataclass(frozen=True)
class Numbers:
    """The numbers behind a figure, as its CSV file has them: headings and rows."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Figure:
    """A drawn figure, with what it shows for those who do not see it.

    `name` is the stem of its files, `alt` the text in its place, `caption` how to read it. `svg` is
    text, `png` the bytes of a file.
    """

    name: str
    title: str
    caption: str
    alt: str
    svg: str
    png: bytes
    numbers: Numbers


@dataclass(frozen=True)
class Table:
    """A table of texts; the first cell of a row is its heading. `caption` says what it is."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    folded: bool = False


@dataclass(frozen=True)
class Tile:
    """A small picture, a JPEG file's bytes, with its alternative text."""

    jpeg: bytes
    alt: str


@dataclass(frozen=True)
class Card:
    """An image with what the network made of it: pictures under their headings, lines of text."""

    pictures: Sequence[tuple[str, Sequence[Tile]]]
    lines: Sequence[str]


@dataclass(frozen=True)
class Cards:
    """Cards of one kind, under a heading; `figure` has them as files."""

    title: str
    caption: str
    cards: Sequence[Card]
    figure: Figure | None = None


Block = Figure | Table | Cards


@dataclass(frozen=True)
class Section:
    """A part of the page: its anchor, heading, paragraphs, and blocks below them.

    `missing` are sentences on what could not be shown, and why.
    """

    anchor: str
    title: str
    paragraphs: Sequence[str] = ()
    blocks: Sequence[Block] = ()
    missing: Sequence[str] = ()

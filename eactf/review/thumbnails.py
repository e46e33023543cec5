"""Ranked suspects with a small picture of each, for the review page and for reports."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from eactf.errors import DataError
from eactf.intake.decode import quiet_pillow, upright
from eactf.intake.listing import Images, Listing
from eactf.noise.suspects import ANSWERS
from eactf.review.audited import AuditFolder, audited_listing

__all__ = ["Suspect", "Suspects", "ranked_suspects", "thumbnail"]

_SIDE = 192

_NO_FIGURES = ("id", "filepath", "mistakenness", *ANSWERS)
"""Columns that are no evidence; mistakenness is the label's score the other way round."""


@dataclass(frozen=True)
class Suspect:
    """A row of `suspects.csv`; `number` counts from 0, the worst first.

    `row` is that of the data's listing. `figures` are the columns of numbers by name, nan where
    there is none.
    """

    number: int
    row: int
    id: str
    filepath: str
    given: str
    likely: str
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Suspects:
    """The suspects of an audit, worst first, and the images of its data."""

    class_names: tuple[str, ...]
    suspects: tuple[Suspect, ...]
    images: Images

    def picture(self, suspect: Suspect, side: int = _SIDE) -> bytes:
        """A PNG of a suspect's image, `side` pixels at the most; `DataError` for a broken image."""
        return thumbnail(self.images, suspect.row, side)


def ranked_suspects(folder: AuditFolder, limit: int | None = None) -> Suspects:
    """The `limit` worst suspects of an audit, or all, with the images they are of.

    Opens the data that was audited. Raises `DataError` where it is no longer what it was.
    """
    audited = folder.read()
    listing = audited_listing(audited)
    rows = folder.read_suspects()[:limit]
    return Suspects(audited.class_names, tuple(_Finder(listing).found(rows)), listing.images)


def thumbnail(images: Images, row: int, side: int = _SIDE) -> bytes:
    """A PNG of the image at `row`, upright, in 8 bits, `side` pixels at the most."""
    with quiet_pillow(), images.open(row) as opened:
        plain = upright(opened)
        if max(plain.size) > side:
            plain.thumbnail((side, side), Image.Resampling.BILINEAR)
        buffer = io.BytesIO()
        plain.save(buffer, "PNG")
    return buffer.getvalue()


@dataclass(frozen=True)
class _Finder:
    """Finds the sample of each suspect: by id where the data has ids, else by its path."""

    listing: Listing

    def found(self, rows: Sequence[Mapping[str, str]]) -> list[Suspect]:
        """The suspects of rows of the file; `DataError` where one is not in the data."""
        return [self._suspect(number, row) for number, row in enumerate(rows)]

    @cached_property
    def _places(self) -> Mapping[str, int]:
        keys = self.listing.names if self.listing.ids is None else self.listing.ids
        return {str(key): row for row, key in enumerate(np.asarray(keys).tolist())}

    def _suspect(self, number: int, row: Mapping[str, str]) -> Suspect:
        key = row.get("filepath" if self.listing.ids is None else "id", "")
        place = self._places.get(key)
        if place is None:
            raise DataError(
                f"suspects.csv, line {number + 2}: {key or 'a sample without a name'} is not in"
                f" {self.listing.source}",
                hint="bring the data back as it was, or audit it anew with --overwrite",
            )
        return Suspect(
            number=number,
            row=place,
            id=row.get("id", ""),
            filepath=row.get("filepath", "") or str(self.listing.names[place]),
            given=row.get("given_label", ""),
            likely=row.get("predicted_label", ""),
            figures={name: value for name, value in map(_figure, row.items()) if name},
        )


def _figure(item: tuple[str, str]) -> tuple[str, float]:
    """A column and its number; no name for what is no figure."""
    name, text = item
    if name in _NO_FIGURES:
        return "", 0.0
    try:
        return name, float(text) if text else float("nan")
    except ValueError:
        return "", 0.0

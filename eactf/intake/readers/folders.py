"""These functions find a published data set's files in the folder that the user names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from eactf.errors import DataError
from eactf.intake.readers.card import Card

__all__ = ["first_of", "refuse_all_missing"]

_LOOKED_AT = 1_000


def first_of(card: Card, folder: Path, places: Iterable[str]) -> Path:
    """The first of `places` in `folder` that is there; `DataError` with the layout if none is."""
    places = list(places)
    for place in places:
        if (folder / place).exists():
            return folder / place
    raise DataError(
        f"{folder} has no {Path(places[0])}: expected {card.title} as published",
        hint=f"{'; '.join(card.layout)} (eactf data list {card.name})",
    )


def refuse_all_missing(card: Card, folder: Path, files: Sequence[str]) -> None:
    """Raise `DataError` when none of the first images is there: the folder is a wrong one."""
    if not any((folder / file).exists() for file in files[:_LOOKED_AT]):
        raise DataError(
            f"{folder} has none of the images that {card.title} lists, such as {files[0]}",
            hint=f"{'; '.join(card.layout)} (eactf data list {card.name})",
        )

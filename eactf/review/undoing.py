"""`undo` makes of a reviewed file again what it was made of."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from eactf.errors import DataError, UsageError
from eactf.intake.listing import Images, Listing
from eactf.intake.pack_report import PackReport
from eactf.intake.packing import pack
from eactf.intake.sources.joined_images import JoinedImages
from eactf.intake.sources.options import SourceOptions
from eactf.intake.sources.packed import list_packed
from eactf.review.reviewed import NOTE, Beside

__all__ = ["undo"]

Progress = Callable[[int, int], None]


def undo(reviewed: Path, out: Path, *, progress: Progress | None = None) -> PackReport:
    """Pack into `out` the data as it was before `reviewed` was made of it.

    Every label, every dropped sample and the order are those from before. Raises `UsageError` for a
    file that no review made, or without what lies beside it, and what `pack` raises.
    """
    after = list_packed(reviewed, SourceOptions())
    note = after.notes.get(NOTE)
    if not isinstance(note, dict):
        raise UsageError(
            f"{reviewed} was not made by a review", hint="eactf data apply makes such files"
        )
    beside = Beside.of(reviewed)
    changed = int(note["relabelled"]) + int(note["dropped"])
    if changed and not (beside.before.is_file() and beside.changes.is_file()):
        raise UsageError(
            f"{beside.before} and {beside.changes.name} are needed to undo {reviewed.name}",
            hint="bring them back to where they were written",
        )
    listing = _without_set(after, str(note["labels_before"]))
    if changed:
        before = list_packed(beside.before, SourceOptions())
        listing = _put_back(listing, before, _places(beside.changes))
    notes = {key: value for key, value in listing.notes.items() if key != NOTE}
    return pack(replace(listing, notes=notes), out, progress=progress, keep_list=False)


def _without_set(listing: Listing, name: str) -> Listing:
    return replace(listing, labels={k: v for k, v in listing.labels.items() if k != name})


def _places(path: Path) -> dict[str, int]:
    """Where each changed sample stood, by its name."""
    with path.open(newline="", encoding="utf-8") as file:
        try:
            return {row["filepath"]: int(row["place"]) for row in csv.DictReader(file)}
        except (KeyError, ValueError) as fault:
            raise DataError(
                f"{path} is not the record of a review", hint="it was changed afterwards"
            ) from fault


def _put_back(after: Listing, before: Listing, places: dict[str, int]) -> Listing:
    """`after` with the samples of `before` in the place of its own, each where it stood."""
    assert after.ids is not None and before.ids is not None
    # By name: ids that packing makes of names and contents may differ where two of them meet.
    stay = np.flatnonzero(~np.isin(after.names, before.names))
    order = _order(after, before, stay, places)
    # Rows of `after` come first, those of `before` behind them.
    rows = np.concatenate([stay, len(after) + np.arange(len(before))])[order]

    def join(one: np.ndarray, other: np.ndarray | None, missing: object) -> np.ndarray:
        if other is None:  # unknown in all of the changed samples
            other = np.full((len(before), *one.shape[1:]), missing, one.dtype)
        return np.asarray(np.concatenate([one, other])[rows])

    def join_known(
        one: np.ndarray | None, other: np.ndarray | None, missing: object
    ) -> np.ndarray | None:
        if one is None:
            if other is None:
                return None
            one = np.full((len(after), *other.shape[1:]), missing, other.dtype)
        return join(one, other, missing)

    def join_all(name: str, missing: object) -> dict[str, np.ndarray]:
        mine, others = getattr(after, name), getattr(before, name)
        found = {
            key: join_known(mine.get(key), others.get(key), missing) for key in {**mine, **others}
        }
        return {key: array for key, array in found.items() if array is not None}

    return replace(
        after,
        names=join(after.names, before.names, ""),
        splits=join(after.splits, before.splits, 0),
        given=join(after.given, before.given, -1),
        ids=join(after.ids, before.ids, -1),
        images=_Picked(JoinedImages([after.images, before.images]), rows),
        clean=join_known(after.clean, before.clean, -1),
        votes=join_known(after.votes, before.votes, 0),
        targets=join_known(after.targets, before.targets, 0),
        labels=join_all("labels", -1),
        values=join_all("values", np.nan),
        columns=join_all("columns", ""),
    )


def _order(after: Listing, before: Listing, stay: np.ndarray, places: dict[str, int]) -> np.ndarray:
    """The order in which the rows that stay, and behind them the others, stood before."""
    total = len(stay) + len(before)
    put_back = np.array([places.get(name, -1) for name in before.names.tolist()])
    sound = np.all((put_back >= 0) & (put_back < total))
    if not sound or len(np.unique(put_back)) < len(put_back):
        # Some images could not be packed, or names were spelled anew: at the end of the split.
        splits = np.concatenate([after.splits[stay], before.splits])
        return np.asarray(np.argsort(splits, kind="stable"))
    order = np.empty(total, np.int64)
    order[put_back] = len(stay) + np.arange(len(before))
    free = np.setdiff1d(np.arange(total), put_back)
    order[free] = np.arange(len(stay))
    return order


@dataclass(frozen=True)
class _Picked:
    """Some rows of other images, in an order; implements `listing.Images`."""

    images: Images
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def open(self, row: int) -> Image.Image:
        return self.images.open(int(self.rows[row]))

    def bytes_on_disk(self, row: int) -> int:
        return self.images.bytes_on_disk(int(self.rows[row]))

    def digest(self, row: int) -> int:
        return self.images.digest(int(self.rows[row]))

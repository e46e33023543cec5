"""This module takes a validation split off the training split, near copies on one side of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from eactf.data.splits import held_out
from eactf.intake.listing import Listing
from eactf.intake.scan import Scan
from eactf.packed.records import SPLITS

__all__ = ["hold_out", "usable_training_rows"]

_TRAIN, _VALIDATION = SPLITS.index("train"), SPLITS.index("validation")


def usable_training_rows(listing: Listing, scanned: Scan) -> np.ndarray:
    """The rows `(m,)` of labelled training images that can be read."""
    usable = scanned.good & (listing.given >= 0) & (listing.splits == _TRAIN)
    return np.flatnonzero(usable)


def hold_out(
    listing: Listing, scanned: Scan, first: np.ndarray, share: float, seed: int = 0
) -> Listing:
    """The listing with about `share` of each class's training images in the validation split.

    `first` `(n,)` is for each row the row it is a copy of, itself where it is none
    (`Duplicates.near`). A copy goes where its original goes: a network would otherwise be watched
    on images it is trained on. `data.splits.held_out` says which go; hashes are of (seed, content).
    """
    rows = usable_training_rows(listing, scanned)
    keys = scanned.digest[rows, 0].view(np.int64)
    held = held_out(listing.given[rows], keys, share, seed, copies=first[rows])
    splits = listing.splits.copy()
    splits[rows[held]] = _VALIDATION
    return replace(listing, splits=splits)

"""This module holds a validation split out of the training split, with copies on one side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from eactf.intake.listing import Listing
from eactf.packed.hashing import uniform
from eactf.packed.records import SPLITS

__all__ = ["hold_out"]

_STREAM = 1101
_TRAIN, _VALIDATION = SPLITS.index("train"), SPLITS.index("validation")


def hold_out(listing: Listing, first: np.ndarray, share: float, seed: int = 0) -> Listing:
    """The listing with about `share` of its training samples in the validation split.

    `first` `(n,)` is for each row the row it is a copy of, itself where it is none
    (`Duplicates.near`). A copy goes where its original goes: a network would otherwise be watched
    on images it is trained on. Chosen are the originals with the smallest hashes of (seed, id);
    at least one goes and one stays, where there are two.
    """
    train = listing.splits == _TRAIN
    originals = np.unique(first[train])
    order = np.argsort(uniform(seed, listing.ids[originals], _STREAM), kind="stable")
    count = min(max(1, round(share * len(originals))), len(originals) - 1)
    held = train & np.isin(first, originals[order[:count]])
    splits = np.where(held, _VALIDATION, listing.splits).astype(listing.splits.dtype)
    return replace(listing, splits=splits)

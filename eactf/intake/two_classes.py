"""This module refuses data with one class only, in the same words wherever the data came from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eactf.errors import DataError
from eactf.intake.listing import Listing
from eactf.packed.records import SPLITS

__all__ = ["one_class_fix", "only_class", "refuse_one_class"]

_TRAIN = SPLITS.index("train")


def only_class(class_names: Sequence[str], given: np.ndarray) -> str | None:
    """Say in words that the labels `given` `(n,)`, -1 for none, have fewer than two classes.

    None where they have two or more.

    >>> only_class(("cat", "dog"), np.array([1, 1, -1]))
    "every image has the label 'dog': there is nothing to tell apart"
    """
    present = np.unique(given[given >= 0])
    if len(present) > 1:
        return None
    if len(present):
        label = repr(class_names[present[0]])
        return f"every image has the label {label}: there is nothing to tell apart"
    return "no image that can be used has a label: there is nothing to tell apart"


def one_class_fix(kind: str) -> str:
    """The next step where a listing of this `kind` has one class."""
    if kind in ("manifest", "npz", "hdf5"):
        return (
            "is it the right column or array? Name another: --label NAME; or, where a value is"
            " taken for a missing label but is a class: --missing ''"
        )
    return "check that the right folder or file is read; training needs two classes"


def refuse_one_class(listing: Listing) -> None:
    """Raise `DataError` where the training images of a listing have fewer than two classes.

    A listing without training images, which is good for evaluating, may have one.
    """
    labelled = listing.given >= 0
    train = labelled & (listing.splits == _TRAIN)
    if not train.any() and labelled.any():
        return
    found = only_class(listing.class_names, listing.given[train])
    if found is not None:
        raise DataError(f"{listing.source}: {found}", hint=one_class_fix(listing.kind))

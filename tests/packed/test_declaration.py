"""What a packed file is declared to hold, before a row is written."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.errors import DataError
from eactf.packed.declaration import Declaration

SETTINGS = {
    "counts": {"test": 2, "train": 3},
    "image_shape": (4, 5, 1),
    "class_names": ("cat", "dog"),
    "source": "made",
}


def test_every_array_is_declared_with_its_shape_type_and_what_it_holds_before():
    declared = Declaration(
        **SETTINGS,
        label_sets=("worst",),
        has_clean=True,
        vote_columns=("a", "b", "c"),
        vote_dtype=np.dtype("<f4"),
        has_targets=True,
        values=("valence",),
        columns={"any text / at all": 7},
    )
    arrays = [(a.name, a.shape, a.dtype.str, a.missing) for a in declared.arrays()]
    assert np.isnan(arrays.pop(-2)[-1])
    assert arrays == [
        ("images", (5, 4, 5, 1), "|u1", None),
        ("id", (5,), "<i8", None),
        ("split", (5,), "|u1", None),
        ("labels/given", (5,), "<i2", None),
        ("labels/clean", (5,), "<i2", -1),
        ("labels/worst", (5,), "<i2", -1),
        ("votes", (5, 3), "<f4", 0),
        ("targets", (5, 2), "<f4", 0),
        ("columns/0", (5,), "|S7", None),
    ]
    assert declared.array_of_column("any text / at all") == "columns/0"


def test_the_rows_of_a_split_lie_together_in_the_order_of_the_splits():
    assert Declaration(**SETTINGS).regions == {"train": (0, 3), "test": (3, 2)}


def test_notes_that_an_attribute_cannot_hold_are_refused():
    declared = Declaration(**SETTINGS)
    assert declared.attributes({"size": np.int64(4)})["notes"] == b'{"size": 4}'
    with pytest.raises(DataError, match=r"notes takes \d+ bytes, at most 60000"):
        declared.attributes({"text": "x" * 60_000})

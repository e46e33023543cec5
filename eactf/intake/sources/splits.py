"""What people call the three splits."""

from __future__ import annotations

import re

from eactf.packed.records import SPLITS

__all__ = ["split_named"]

_NAMES = {
    "train": ("train", "training", "trainset", "trn"),
    "validation": ("val", "valid", "validation", "dev", "development", "publictest", "valset"),
    "test": ("test", "testing", "privatetest", "testset", "tst"),
}
_SPLIT_OF = {name: SPLITS.index(split) for split, names in _NAMES.items() for name in names}


def split_named(name: str) -> int | None:
    """The index in `SPLITS` that a name of a split stands for, in any case; None where none.

    >>> split_named("Training"), split_named("PublicTest"), split_named("val"), split_named("extra")
    (0, 1, 1, None)
    """
    return _SPLIT_OF.get(re.sub(r"[\s_-]+", "", name).lower())

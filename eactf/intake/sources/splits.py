"""This module knows what people call the three splits, in folders, cells and file names."""

from __future__ import annotations

import re

from eactf.packed.records import SPLITS

__all__ = ["split_in_stem", "split_named"]

_NAMES = {
    "train": ("train", "training", "trainset", "trn"),
    "validation": ("val", "valid", "validation", "dev", "development", "publictest", "valset"),
    "test": ("test", "testing", "privatetest", "testset", "tst"),
}
_SPLIT_OF = {name: SPLITS.index(split) for split, names in _NAMES.items() for name in names}
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def split_named(name: str) -> int | None:
    """The index in `SPLITS` that a name of a split stands for, in any case; None where none.

    >>> split_named("Training"), split_named("PublicTest"), split_named("val"), split_named("extra")
    (0, 1, 1, None)
    """
    return _SPLIT_OF.get(re.sub(r"[\s_-]+", "", name).lower())


def split_in_stem(stem: str) -> tuple[int, str] | None:
    """The split that one part of a file's name says, and the name with `*` in that part's place.

    None where no part names a split, or where two parts do.

    >>> split_in_stem("train_labels"), split_in_stem("faces-test"), split_in_stem("trainLabels")
    ((0, '*_labels'), (2, 'faces-*'), (0, '*Labels'))
    >>> split_in_stem("train_test"), split_in_stem("latest")
    (None, None)
    """
    parts = re.split(r"([\s_.-]+)", stem)
    finer = [
        piece
        for part in parts
        for piece in ([part] if split_named(part) is not None else _HUMPS.split(part))
    ]
    named = [(i, split) for i, p in enumerate(finer) if (split := split_named(p)) is not None]
    if len(named) != 1:
        return None
    place, split = named[0]
    return split, "".join("*" if i == place else piece for i, piece in enumerate(finer))

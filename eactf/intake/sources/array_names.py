"""This module tells what an array is by its name, such as `x_train` or `test/images`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from eactf.errors import DataError
from eactf.intake.sources.splits import split_named
from eactf.packed.records import SPLITS

__all__ = ["IMAGES", "LABELS", "find_role", "sort_by_split", "split_word"]

IMAGES = ("images", "image", "x", "data", "faces", "imgs", "img", "pixels")
LABELS = ("label", "labels", "y", "targets", "target", "given")
CLEAN = (
    *("clean", "clean_label", "clean_labels", "label_clean", "labels_clean", "y_clean"),
    *("true", "true_label", "true_labels", "label_true", "labels_true", "y_true"),
)
VOTES = ("votes",)
_ROLES = {"images": IMAGES, "label": LABELS, "clean": CLEAN, "votes": VOTES}

_SEPARATOR = re.compile(r"[_\-./ ]")


def sort_by_split(names: Iterable[str]) -> tuple[dict[int, dict[str, str]], dict[str, str]]:
    """The arrays of each split, in the order of `SPLITS`, and those that belong to none.

    Each is a dictionary from a name without its split's word to the whole name in the file. Raises
    `DataError` where two names of a split are the same without that word.

    >>> splits, others = sort_by_split(["x_train", "y_train", "test/images", "class_names"])
    >>> splits, others
    ({0: {'x': 'x_train', 'y': 'y_train'}, 2: {'images': 'test/images'}},
     {'class_names': 'class_names'})
    """
    splits: dict[int, dict[str, str]] = {index: {} for index in range(len(SPLITS))}
    others: dict[str, str] = {}
    for name in names:
        split, rest = split_word(name)
        arrays = others if split is None else splits[split]
        if rest in arrays:
            raise DataError(f"{arrays[rest]} and {name} name the same", hint="keep one of them")
        arrays[rest] = name
    return {index: arrays for index, arrays in splits.items() if arrays}, others


def find_role(role: str, arrays: Mapping[str, str]) -> list[str]:
    """The keys of `arrays` that name the role: "images", "label", "clean" or "votes"."""
    return [key for key in arrays if key.lower() in _ROLES[role]]


def split_word(name: str) -> tuple[int | None, str]:
    """The split that a name says, as an index into `SPLITS`, and what is left of the name.

    >>> split_word("y_val"), split_word("class_names")
    ((1, 'y'), (None, 'class_names'))
    """
    words = _SEPARATOR.split(name)
    for place, rest in ((0, words[1:]), (-1, words[:-1])):
        split = split_named(words[place])
        if split is not None and rest:
            return split, "_".join(rest)
    return None, name

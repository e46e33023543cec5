"""`read_extras` reads the further label sets and columns of text in a file of arrays."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from eactf.intake.sources.array_labels import Classes, name_values, names_for, read_texts
from eactf.intake.sources.array_names import split_word
from eactf.intake.sources.array_roles import SplitArrays, is_position
from eactf.intake.sources.clean_flags import is_flag
from eactf.intake.sources.spellings import tidy
from eactf.intake.sources.stored_array import StoredArray
from eactf.packed.layout import LABEL_NAME, MAX_LABEL_SETS

__all__ = ["in_all_rows", "read_extras"]


def read_extras(
    parts: Sequence[SplitArrays],
    shared: Mapping[str, StoredArray],
    classes: Classes,
    taken: Collection[str] = (),
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Label sets (class indices, -1 where a split has none) and columns (texts, "" likewise).

    An array is a label set when all its values are classes and its name does not say that it counts
    positions. One that comes with class names of its own (`fer2013` with `fer2013_class_names`) is
    read by them: a label set where its classes are ours, else a column of their names. Those of the
    names `taken` are something else already.
    """
    labels: dict[str, np.ndarray] = {}
    columns: dict[str, np.ndarray] = {}
    for name in dict.fromkeys(key for part in parts for key in part.others):
        if name in taken:
            continue
        arrays = [part.others.get(name) for part in parts]
        if any(array is not None and len(array.shape) != 1 for array in arrays):
            continue  # it describes each image by more than a value
        values = _read(arrays, shared)
        known = [array for array in values if array is not None]
        if len(labels) < MAX_LABEL_SETS and _is_label_set(name, known, classes):
            index = [None if array is None else classes.index(array) for array in values]
            labels[name] = in_all_rows(parts, index, -1)
        else:
            texts = [None if array is None else array.astype(np.str_) for array in values]
            columns[name] = in_all_rows(parts, texts, "")
    return labels, columns


def in_all_rows(
    parts: Sequence[SplitArrays], arrays: Sequence[np.ndarray | None], missing: int | str
) -> np.ndarray:
    """The arrays of all splits one after the other, `missing` where a split has none."""
    return np.concatenate(
        [
            np.full(len(part), missing) if array is None else array
            for part, array in zip(parts, arrays, strict=True)
        ]
    )


def _is_label_set(name: str, values: Sequence[np.ndarray], classes: Classes) -> bool:
    return (
        LABEL_NAME.fullmatch(name) is not None
        and not is_position(name)
        and all(array.dtype.kind in "iuU" and classes.holds(array) for array in values)
        and not is_flag(name, _texts(values), classes=len(classes.names))
    )


def _texts(values: Sequence[np.ndarray]) -> set[str]:
    """The different values of arrays, as texts."""
    return {str(value) for array in values for value in np.unique(array).tolist()}


def _read(
    arrays: Sequence[StoredArray | None], shared: Mapping[str, StoredArray]
) -> list[np.ndarray | None]:
    """The values of an array in every split; as class names, where all its numbers can be."""
    values = [None if array is None else _values(array) for array in arrays]
    named = [
        None if array is None or numbers is None else _named(array, numbers, shared)
        for array, numbers in zip(arrays, values, strict=True)
    ]
    present = [array is not None for array in arrays]
    return named if present == [texts is not None for texts in named] else values


def _named(
    array: StoredArray, numbers: np.ndarray, shared: Mapping[str, StoredArray]
) -> np.ndarray | None:
    names = names_for(array, shared)
    if numbers.dtype.kind not in "iu" or not names or is_position(split_word(array.name)[1]):
        return None
    return name_values(numbers, names)


def _values(array: StoredArray) -> np.ndarray:
    if array.dtype.kind in "US":
        return np.array([tidy(text) for text in read_texts(array)], np.str_)
    return array.read()

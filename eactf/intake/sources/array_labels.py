"""This module turns label arrays (whole numbers, texts or one-hot rows) into class indices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.intake.findings import Finding
from eactf.intake.sources.array_names import split_word
from eactf.intake.sources.missing import Missing, choose_missing
from eactf.intake.sources.spellings import natural_order, settle_spellings, tidy
from eactf.intake.sources.stored_array import StoredArray
from eactf.suggestions import command_line

__all__ = [
    "NO_LABEL",
    "Classes",
    "classes_from_names",
    "classes_from_values",
    "missing_among",
    "name_values",
    "names_for",
    "read_labels",
    "read_texts",
    "refuse_measures",
]

_MANY = 1_000

NO_LABEL = -(2**31)
"""What stands for no label among numbers while they are read: it is no label that is allowed."""

_SIGNS = {"-1", "1"}


@dataclass(frozen=True)
class Classes:
    """The class names, and the index that each value of a label array stands for.

    `values` has the numbers or texts that occur; `NO_LABEL` and "" stand for no label.
    """

    names: tuple[str, ...]
    values: dict[int | str, int]
    findings: tuple[Finding, ...] = ()

    def holds(self, labels: np.ndarray) -> bool:
        """Whether every value is a class or stands for none."""
        none = (-1, NO_LABEL, "")
        return all(value in self.values or value in none for value in _distinct(labels))

    def index(self, labels: np.ndarray) -> np.ndarray:
        """The class indices `(n,)` int64 of labels `(n,)`; -1 where there is no such class."""
        distinct, inverse = np.unique(labels, return_inverse=True)
        indices = [self.values.get(value, -1) for value in distinct.tolist()]
        return np.array(indices, np.int64)[inverse.reshape(len(labels))]


def missing_among(
    path: Path,
    arrays: Iterable[StoredArray | None],
    names: Sequence[str],
    wanted: Sequence[str] | None,
) -> tuple[Missing, Counter[str]]:
    """Which values of the label arrays stand for no label, and how often each occurs.

    `names` are the class names that the file has, `wanted` what the user says of missing labels.
    """
    read = [_read_values(path, array) for array in arrays if array is not None]
    counts: Counter[str] = Counter()
    for values in read:
        distinct, often = np.unique(values, return_counts=True)
        counts.update(dict(zip(map(_shown, distinct.tolist()), often.tolist(), strict=True)))
    if wanted is None and len(names) == 2 and set(counts) - {""} == _SIGNS:
        return Missing(frozenset()), counts
    return choose_missing((*counts, *names), wanted), counts


def read_labels(
    path: Path, stored: StoredArray, names: Sequence[str], missing: Missing
) -> np.ndarray:
    """The labels `(n,)` of an array, int64 or text; `NO_LABEL` and "" where there is none.

    `(n,)`, `(n, 1)` and one-hot rows `(n, classes)` are taken; numbers become the `names` they
    index, where there are any. Raises `DataError` for others, and for numbers without a name:
    labels that start at 1 would all be wrong.
    """
    values = _read_values(path, stored)
    none = [value for value in _distinct(values) if _shown(value) in missing]
    if none:
        blank = "" if values.dtype.kind == "U" else NO_LABEL
        values = np.where(np.isin(values, none), blank, values)
    if values.dtype.kind == "U" or not names:
        return values
    named = name_values(values, names)
    if named is None:
        raise _out_of_range(f"{path}: {stored.name}", values, len(names))
    return named


def _read_values(path: Path, stored: StoredArray) -> np.ndarray:
    values = stored.read()
    where = f"{path}: {stored.name}"
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    elif values.ndim == 2 and values.dtype.kind in "biuf" and _is_one_hot(values):
        values = values.argmax(axis=1)
    if values.ndim != 1:
        raise DataError(
            f"{where}: expected one label an image, received shape {values.shape}",
            hint="shares or votes of several classes are read from an array called votes",
        )
    if values.dtype.kind in "US":
        return np.array([tidy(text) for text in read_texts(stored)], np.str_)
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), NO_LABEL, values)
        if not (np.isfinite(values) & (values == np.rint(values))).all():
            raise DataError(f"{where}: expected whole numbers as labels, received fractions")
    if values.size and not (np.abs(values.astype(np.float64)) < 2**31)[values != NO_LABEL].all():
        raise DataError(f"{where}: expected labels below {2**31:,}, received {values.max()}")
    return values.astype(np.int64)


def read_texts(stored: StoredArray) -> list[str]:
    """A one-dimensional array of texts or numbers as texts."""
    values = stored.read().reshape(-1).tolist()
    return [_text(value) for value in values]


def names_for(array: StoredArray, shared: Mapping[str, StoredArray]) -> list[str]:
    """The class names that an array's numbers index: its own, else the file's; none where none.

    `train_fer2013` has its own in `fer2013_class_names`.
    """
    key = split_word(array.name)[1]
    stored = shared.get(f"{key}_class_names", shared.get("class_names"))
    return [] if stored is None else [tidy(text) for text in read_texts(stored)]


def name_values(values: np.ndarray, names: Sequence[str]) -> np.ndarray | None:
    """Numbers as the names they index, "" for no label; None where one of them indexes none.

    Where there are two names and the numbers are -1 and 1, these are the first and the second.
    """
    if len(names) == 2 and set(map(_shown, _distinct(values))) - {""} == _SIGNS:
        values = np.where(values == NO_LABEL, -1, (values > 0).astype(np.int64))
    values = np.where(values == NO_LABEL, -1, values)
    if values.min() < -1 or values.max() >= len(names):
        return None
    texts: np.ndarray = np.array([*names, ""], np.str_)
    return texts.take(values, mode="wrap")


def classes_from_names(path: Path, names: Sequence[str]) -> Classes:
    """The classes that the file names; `DataError` where the names are not unique."""
    if not names or "" in names or len(set(names)) < len(names):
        raise DataError(f"{path}: class_names: expected unique names, received {list(names)[:20]}")
    return Classes(tuple(names), {name: index for index, name in enumerate(names)})


def classes_from_values(
    path: Path, name: str, labels: Sequence[np.ndarray], *, merge_spellings: bool
) -> Classes:
    """The classes that occur in `labels`: the numbers in order, or the texts in natural order.

    Raises `DataError` where there are none, and for mixed kinds.
    """
    counts = _counts(labels)
    if not counts:
        raise DataError(f"{path}: {name} has no label at all")
    if len({type(value) for value in counts}) > 1:
        raise DataError(f"{path}: some arrays of labels are numbers, others are texts")
    texts = {value: count for value, count in counts.items() if isinstance(value, str)}
    if texts:
        class_of, findings = settle_spellings(texts, merge=merge_spellings)
        names = natural_order(set(class_of.values()))
        return Classes(tuple(names), {v: names.index(c) for v, c in class_of.items()}, findings)
    numbers = sorted(counts)
    return Classes(tuple(map(str, numbers)), {value: i for i, value in enumerate(numbers)})


def refuse_measures(path: Path, name: str, labels: Sequence[np.ndarray]) -> None:
    """Raise `DataError` for so many different values that they look like no classes."""
    counts = _counts(labels)
    rows = sum(counts.values())
    if len(counts) > _MANY and 2 * len(counts) > rows:
        key = split_word(name)[1]
        raise DataError(
            f"{path}: {name} has {len(counts):,} values for {rows:,} images: these look like no"
            " classes",
            hint="name another array of labels: --label NAME; if they are classes, say so:"
            f" {command_line('--label', key)}",
        )


def _counts(labels: Sequence[np.ndarray]) -> Counter[int | str]:
    """How often each label occurs, missing ones left out."""
    counts = Counter(value for array in labels for value in array.tolist())
    return Counter({value: n for value, n in counts.items() if value not in (NO_LABEL, "")})


def _out_of_range(where: str, values: np.ndarray, classes: int) -> DataError:
    values = values[values != NO_LABEL]
    low, high = int(values.min()), int(values.max())
    from_one = low >= 1 and high == classes
    return DataError(
        f"{where}: expected 0 to {classes - 1} for {classes} class names, received {low} to {high}",
        hint="the labels seem to start at 1; subtract 1 and save them again"
        if from_one
        else "does class_names name every class?",
    )


def _is_one_hot(values: np.ndarray) -> bool:
    ones, zeros = (values == 1).sum(axis=1), (values == 0).sum(axis=1)
    return bool((ones == 1).all() and (zeros == values.shape[1] - 1).all())


def _distinct(values: np.ndarray) -> list[int | str]:
    distinct: list[int | str] = np.unique(values).tolist()
    return distinct


def _shown(value: int | str) -> str:
    """A label as the user would write it, "" for none."""
    return "" if value == NO_LABEL else str(value)


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)

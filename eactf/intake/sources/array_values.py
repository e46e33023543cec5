"""`read_values` reads the continuous targets in a file of arrays, such as valence and arousal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.intake.findings import Finding, Severity
from eactf.intake.sources.array_labels import read_texts
from eactf.intake.sources.array_roles import SplitArrays
from eactf.intake.sources.continuous import (
    Numbers,
    affect_name,
    numbers_of_array,
    numbers_of_texts,
)
from eactf.intake.sources.options import SourceOptions
from eactf.intake.sources.stored_array import StoredArray

__all__ = ["Values", "read_values"]


@dataclass(frozen=True)
class Values:
    """The continuous targets by name, NaN where a split has none, and the keys of their arrays."""

    values: Mapping[str, np.ndarray]
    keys: frozenset[str]
    findings: tuple[Finding, ...]


def read_values(path: Path, parts: Sequence[SplitArrays], options: SourceOptions) -> Values:
    """The arrays that the user names, and those called valence and arousal.

    An array that is only told by its name and holds something else than a number an image is left
    to the columns, with a warning. Raises `UsageError` for a name that is no further array,
    `DataError` where an array that the user names holds something else.
    """
    keys = list(dict.fromkeys(key for part in parts for key in part.others))
    _check_wishes(path, keys, options)
    values: dict[str, np.ndarray] = {}
    taken, findings = [], []
    for key in keys:
        name = affect_name(key)
        if name is None and key not in options.values:
            continue
        name = key if name is None or name in values else name
        if name in values:
            continue  # Valence beside valence: it stays a column
        numbers = [_numbers(name, part.others.get(key), len(part)) for part in parts]
        wrong = _wrong_rows(parts, key, numbers)
        if wrong:
            findings.append(_not_numbers(path, key, wrong, named=key in options.values))
            continue
        values[name] = np.concatenate([found.values for found in numbers])
        taken.append(key)
        marked = sum(found.marked for found in numbers)
        findings += Numbers(values[name], marked=marked).marked_finding(path.name, key)
    return Values(values, frozenset(taken), tuple(findings))


def _numbers(name: str, array: StoredArray | None, rows: int) -> Numbers:
    """The numbers of an array of a split; every row is wrong where it has not one value a row."""
    if array is None:
        return Numbers(np.full(rows, np.nan, np.float32))
    if array.shape not in ((rows,), (rows, 1)):
        return Numbers(np.full(rows, np.nan, np.float32), wrong=tuple(range(rows)))
    if array.dtype.kind in "US":
        return numbers_of_texts(name, [text.strip() for text in read_texts(array)])
    return numbers_of_array(name, array.read().reshape(rows))


def _wrong_rows(
    parts: Sequence[SplitArrays], key: str, numbers: Sequence[Numbers]
) -> tuple[str, ...]:
    return tuple(
        f"{part.others[key].name}[{row}]"
        for part, found in zip(parts, numbers, strict=True)
        for row in found.wrong
    )


def _check_wishes(path: Path, keys: Sequence[str], options: SourceOptions) -> None:
    for wished in options.values:
        if wished not in keys:
            raise UsageError(
                f"--values {wished}: {path} has no such array beside its images and labels",
                hint=f"choose from: {', '.join(sorted(keys)) or 'none is there'}",
            )


def _not_numbers(path: Path, key: str, wrong: Sequence[str], *, named: bool) -> Finding:
    """A warning where the array was told by its name; `DataError` where the user named it."""
    if named:
        raise DataError(
            f"{path}: --values {key}: expected a number an image, NaN where there is none; it is"
            f" none in {wrong[0]}" + (f" and {len(wrong) - 1:,} more" if len(wrong) > 1 else ""),
            hint=f"mend the array; or leave {key} out of --values, and it is kept as text",
        )
    return Finding(
        "value-not-a-number",
        Severity.WARNING,
        f"{path.name}: {key} is no continuous target, for it has not a number an image",
        "save a number an image, NaN where there is none, to have it as one",
        tuple(wrong),
    )

"""This module finds arrays that may be true labels or may say whether each label is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from eactf.intake.sources.array_labels import missing_among, names_for
from eactf.intake.sources.array_names import split_word
from eactf.intake.sources.array_roles import SplitArrays
from eactf.intake.sources.clean_flags import FLAG_NAMES, refuse_flags, says_yes_or_no
from eactf.intake.sources.options import SourceOptions
from eactf.intake.sources.stored_array import StoredArray

__all__ = ["check_clean_arrays"]


def check_clean_arrays(
    path: Path,
    parts: Sequence[SplitArrays],
    shared: Mapping[str, StoredArray],
    options: SourceOptions,
) -> None:
    """Raise `CleanOrFlagError` where an array may be either and the user does not say which."""
    if options.clean is not None:
        return
    given = [part.label for part in parts]
    names = next((names_for(array, shared) for array in given if array is not None), [])
    missing, counts = missing_among(path, given, names, options.missing)
    labels = {text for text in counts if text not in missing}
    for name, arrays, by_role in _candidates(parts):
        _, found = missing_among(path, arrays, (), None)
        values = {text for text in found if text not in ("", "-1")}
        if by_role or says_yes_or_no(values):
            known = {*labels, *names}
            refuse_flags(path.name, name, values, known, classes=len(names) or len(labels))


def _candidates(
    parts: Sequence[SplitArrays],
) -> list[tuple[str, list[StoredArray | None], bool]]:
    """The arrays by name, and whether they are taken for true labels by that name."""
    clean = [part.clean for part in parts]
    named = next((split_word(array.name)[1] for array in clean if array is not None), "")
    found = [(named, clean, True)] if named else []
    for name in FLAG_NAMES:
        arrays = [part.others.get(name) for part in parts]
        if any(array is not None for array in arrays) and all(
            array is None or len(array.shape) == 1 for array in arrays
        ):
            found.append((name, arrays, False))
    return found

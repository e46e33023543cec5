"""These checks decide whether names, labels, votes and texts may go into a packed file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.packed.records import SPLITS

__all__ = [
    "AFFECT",
    "check_destination",
    "check_names",
    "checked_targets",
    "checked_values",
    "checked_votes",
    "encoded_texts",
    "in_range",
    "is_affect",
    "regions_of",
    "text_width",
    "vote_type",
]


AFFECT = ("valence", "arousal")
"""The continuous targets known by name: how pleasant, and how excited; each from -1 to 1."""


def regions_of(counts: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """First row and number of rows of each split, in the order of `SPLITS`."""
    unknown = [name for name in counts if name not in SPLITS]
    if unknown:
        raise DataError(f"unknown split {unknown[0]!r}; a data set has {', '.join(SPLITS)}")
    regions = {}
    start = 0
    for name in SPLITS:
        if counts.get(name, 0) > 0:
            regions[name] = (start, counts[name])
            start += counts[name]
    if not regions:
        raise DataError("no images are left to pack")
    return regions


def check_names(what: str, names: Sequence[str]) -> None:
    """Raise `DataError` where a name is empty or there twice."""
    if len(set(names)) != len(names) or not all(names):
        raise DataError(f"{what} must be unique and not empty: {', '.join(map(repr, names))}")


def check_destination(path: Path, overwrite: bool) -> None:
    """Raise `UsageError` where a file could not, or must not, be written to `path`."""
    if path.is_dir() or not path.parent.is_dir():
        found = "is a folder" if path.is_dir() else "is in a folder that does not exist"
        raise UsageError(f"{path} {found}", hint="give the name of the file to write")
    if path.exists() and not overwrite:
        raise UsageError(f"{path} exists already", hint="choose another name or pass --overwrite")


def in_range(what: str, values: np.ndarray, low: int, high: int) -> np.ndarray:
    """The values, whole numbers from `low` to `high`; `DataError` where they are not."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise DataError(f"{what}: expected integers, received {array.dtype}")
    if array.size and (int(array.min()) < low or int(array.max()) > high):
        found = f"{array.min()} to {array.max()}"
        raise DataError(f"{what}: expected {low} to {high}, received {found}")
    return array


def checked_votes(votes: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The votes, finite, >= 0 and such as `dtype` holds; `DataError` where they are not."""
    if dtype == np.uint8:
        return in_range("votes", votes, 0, 255)
    if not (np.isfinite(votes) & (votes >= 0)).all():
        raise DataError("votes: expected finite values >= 0")
    return votes


def checked_targets(targets: np.ndarray) -> np.ndarray:
    """The soft labels, rows of shares; `DataError` where they are not."""
    if not ((targets >= 0).all() and np.allclose(targets.sum(axis=1), 1, atol=1e-3)):
        raise DataError("targets: expected rows of shares >= 0 that sum to 1")
    return targets


def checked_values(name: str, values: np.ndarray) -> np.ndarray:
    """A continuous target as float32, NaN where there is none; `DataError` where it is infinite."""
    array = np.asarray(values)
    if array.dtype.kind not in "iuf":
        raise DataError(f"values/{name}: expected numbers, received {array.dtype}")
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused as such
        narrow = array.astype(np.float32)
    if np.isinf(narrow).any():
        raise DataError(f"values/{name}: expected finite numbers, or NaN where there is none")
    return narrow


def is_affect(name: str) -> bool:
    """Whether a continuous target is valence or arousal, on a scale from -1 to 1.

    >>> is_affect("valence"), is_affect("clean_arousal"), is_affect("age")
    (True, True, False)
    """
    return name.removeprefix("clean_") in AFFECT


def vote_type(votes: Sequence[np.ndarray | None]) -> str:
    """The type that holds these votes: `uint8` for small whole numbers, else `float32`."""
    small = all(
        array.dtype.kind in "iu" and (array.size == 0 or (array.min() >= 0 and array.max() <= 255))
        for array in votes
        if array is not None
    )
    return "uint8" if small else "float32"


def text_width(texts: np.ndarray) -> int:
    """The most bytes that one of the texts takes in a packed file, at least 1."""
    return max((len(_encode(text)) for text in texts), default=1) or 1


def _encode(text: object) -> bytes:
    """A text in UTF-8; what cannot be written so, as in old file names, is spelled out."""
    return str(text).encode(errors="backslashreplace")


def encoded_texts(texts: np.ndarray) -> np.ndarray:
    """The texts as UTF-8 bytes, all of the longest's length."""
    return np.array([_encode(text) for text in texts], dtype=np.bytes_)

"""A declaration says, before the first image comes, which arrays a packed file will hold."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from eactf.errors import DataError
from eactf.packed import layout
from eactf.packed.values import check_names, regions_of

__all__ = ["Array", "Declaration"]


class Array(NamedTuple):
    """An array of the file; `missing` is what its rows hold until they are written, None: zeros
    that every row replaces."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    missing: float | None = None


@dataclass(frozen=True)
class Declaration:
    """The contents of a packed file but for the rows themselves.

    `counts` are the images of each split, `columns` the further columns of text with the most bytes
    that a value takes, `vote_dtype` one of `layout.VOTE_TYPES`. Raises `DataError` for what the
    packed form cannot hold: no images, unknown splits, too many classes or columns, names that are
    empty, there twice or not allowed.
    """

    counts: Mapping[str, int]
    image_shape: tuple[int, int, int]
    class_names: tuple[str, ...]
    source: str
    label_sets: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    has_clean: bool = False
    vote_columns: tuple[str, ...] = ()
    vote_dtype: np.dtype = layout.VOTE_TYPES[0]
    has_targets: bool = False
    has_names: bool = False
    has_digests: bool = False
    columns: Mapping[str, int] | None = None

    def __post_init__(self) -> None:
        _ = self.regions
        check_names("class names", self.class_names)
        if not 1 <= len(self.class_names) <= layout.MAX_CLASSES:
            raise DataError(f"a packed file holds 1 to {layout.MAX_CLASSES} classes")
        if self.vote_columns:
            check_names("vote columns", self.vote_columns)
        check_names("label sets", self.label_sets)
        for name in self.label_sets:
            _check_label_set(name)
        check_names("values", self.values)
        _check_values(self.values)
        check_names("columns", tuple(self.widths))
        for name, width in self.widths.items():
            if not 1 <= width <= layout.MAX_CELL or len(self.widths) > layout.MAX_COLUMNS:
                raise DataError(
                    f"column {name!r} takes {width} bytes a value: a packed file holds"
                    f" {layout.MAX_COLUMNS} columns of up to {layout.MAX_CELL} bytes"
                )

    @cached_property
    def regions(self) -> dict[str, tuple[int, int]]:
        """First row and number of rows of each split that has images."""
        return regions_of(self.counts)

    @property
    def images(self) -> int:
        """The images of all splits together."""
        return sum(self.counts.values())

    @property
    def widths(self) -> Mapping[str, int]:
        """The further columns with the most bytes that a value takes."""
        return self.columns or {}

    def arrays(self) -> Iterator[Array]:
        """Every array whose shape and type are known beforehand: all but the samples' names."""
        n = self.images
        yield Array("images", (n, *self.image_shape), layout.IMAGE)
        yield Array("id", (n,), layout.ID)
        yield Array("split", (n,), layout.SPLIT)
        yield Array("labels/given", (n,), layout.LABEL)
        for name in (*(("clean",) if self.has_clean else ()), *self.label_sets):
            yield Array(f"labels/{name}", (n,), layout.LABEL, missing=-1)
        if self.vote_columns:
            yield Array("votes", (n, len(self.vote_columns)), self.vote_dtype, missing=0)
        if self.has_targets:
            yield Array("targets", (n, len(self.class_names)), layout.TARGET, missing=0)
        for name in self.values:
            yield Array(f"values/{name}", (n,), layout.VALUE, missing=math.nan)
        if self.has_digests:
            yield Array("digest", (n,), layout.DIGEST)
        for name, width in self.widths.items():
            yield Array(self.array_of_column(name), (n,), np.dtype(f"S{width}"))

    def array_of_column(self, name: str) -> str:
        """The array that holds a further column; a column's own name may be any text."""
        return f"columns/{list(self.widths).index(name)}"

    def attributes(self, notes: Mapping[str, object]) -> dict[str, np.bytes_]:
        """The file's text attributes; `DataError` for one that takes more than HDF5 keeps."""
        texts = {
            "format": layout.FORMAT,
            "class_names": json.dumps(self.class_names),
            "vote_columns": json.dumps(self.vote_columns),
            "columns": json.dumps(list(self.widths)),
            "source": self.source or "unknown",
            "notes": json.dumps(dict(notes), default=_plain),
        }
        return {key: _attribute(key, text) for key, text in texts.items()}


def _check_label_set(name: str) -> None:
    if name in ("given", "clean") or not layout.LABEL_NAME.fullmatch(name):
        raise DataError(
            f"a label set cannot be called {name!r}",
            hint="use letters, digits, '_', '-' or '.', and neither 'given' nor 'clean'",
        )


def _check_values(names: tuple[str, ...]) -> None:
    for name in names:
        if not layout.LABEL_NAME.fullmatch(name):
            raise DataError(
                f"a continuous target cannot be called {name!r}",
                hint="use letters, digits, '_', '-' or '.'",
            )
    if len(names) > layout.MAX_VALUES:
        raise DataError(
            f"{len(names)} continuous targets: a packed file holds {layout.MAX_VALUES}",
            hint="leave some out",
        )


def _attribute(key: str, text: str) -> np.bytes_:
    value = np.bytes_(text.encode(errors="backslashreplace"))
    if len(value) > layout.MAX_ATTRIBUTE:
        raise DataError(f"{key} takes {len(value)} bytes, at most {layout.MAX_ATTRIBUTE}")
    return value


def _plain(value: object) -> object:
    """A NumPy scalar or array, or a path, as JSON knows it."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else str(value)

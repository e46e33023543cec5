"""Writing the packed form: in batches, to a temporary name, renamed when complete."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import h5py
import numpy as np

from eactf.errors import DataError
from eactf.files import move_into_place, temporary_name
from eactf.foreign import reason_of
from eactf.packed import layout
from eactf.packed.exact import copy_rows
from eactf.packed.records import MAX_ID, SPLITS
from eactf.packed.values import (
    check_destination,
    check_names,
    checked_targets,
    checked_votes,
    encoded_texts,
    in_range,
    regions_of,
)

__all__ = ["PackedWriter"]

_SPARE_BYTES = 2**20
"""More than HDF5 holds back of what was written, 64 KiB an array. See `_discard`."""

T = TypeVar("T")


class PackedWriter:
    """Write a packed file batch by batch; a context manager.

    `counts` says how many images each split will get, so that the rows of a split lie together
    whatever order they come in. The file appears under `path` only on a clean exit, complete and
    flushed to disk; after a failure nothing is left behind. `notes` may be added to until then.
    `columns` are further columns of text with the most bytes a value takes. With `may_fall_short`
    a split may get fewer images than announced; the file is then written a second time, exact.

    Raises `UsageError` where `path` exists (unless `overwrite`) or its folder does not, and
    `DataError` for rows that do not fit what was declared, and where the disk refuses.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "two.h5"
    >>> shape, names = (4, 4, 1), ("cat", "dog")
    >>> with PackedWriter(
    ...     path, counts={"train": 2}, image_shape=shape, class_names=names, source="made"
    ... ) as writer:
    ...     images = np.zeros((2, *shape), np.uint8)
    ...     writer.append(images, np.array([0, 1]), np.array([1, 0]), "train")
    >>> path.exists()
    True
    """

    def __init__(
        self,
        path: str | Path,
        *,
        counts: Mapping[str, int],
        image_shape: tuple[int, int, int],
        class_names: Sequence[str],
        source: str,
        notes: Mapping[str, object] | None = None,
        label_sets: Sequence[str] = (),
        has_clean: bool = False,
        vote_columns: Sequence[str] = (),
        vote_dtype: str = "uint8",
        has_targets: bool = False,
        has_names: bool = False,
        columns: Mapping[str, int] | None = None,
        may_fall_short: bool = False,
        overwrite: bool = False,
    ) -> None:
        self.path = Path(path)
        self.notes = dict(notes or {})
        self._overwrite = overwrite
        self._class_names = tuple(class_names)
        self._vote_columns = tuple(vote_columns)
        self._vote_dtype = np.dtype(vote_dtype)
        self._source = source
        self._label_sets = tuple(label_sets)
        self._has_names = has_names
        self._columns = dict(columns or {})
        self._may_fall_short = may_fall_short
        self._regions = regions_of(counts)
        self._filled = dict.fromkeys(self._regions, 0)
        self._arrays: dict[str, h5py.Dataset] = {}
        self._names: dict[int, np.ndarray] = {}
        self._check_declaration()
        check_destination(self.path, overwrite)
        self._count = sum(counts.values())
        self._temporary = temporary_name(self.path)
        self._exact = self._temporary.with_name(f"{self._temporary.name}.exact")
        self._spare = self._temporary.with_name(f"{self._temporary.name}.spare")
        self._file = self._guard(self._begin)
        try:
            self._guard(lambda: self._create(image_shape, has_clean, has_targets))
        except BaseException:
            self._discard()
            raise

    def append(
        self,
        images: np.ndarray,
        ids: np.ndarray,
        given: np.ndarray,
        split: str,
        *,
        clean: np.ndarray | None = None,
        targets: np.ndarray | None = None,
        labels: Mapping[str, np.ndarray] | None = None,
        votes: np.ndarray | None = None,
        names: np.ndarray | None = None,
        columns: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        """Add a batch to `split`; arrays as in `Samples`, those left out read back as unknown."""
        rows = self._reserve(split, len(images))
        if np.asarray(images).dtype != layout.IMAGE:
            raise DataError(f"images are {np.asarray(images).dtype}, a packed file holds uint8")
        classes = len(self._class_names)
        self._put("images", images, rows)
        self._put("id", in_range("id", ids, 0, MAX_ID), rows)
        self._put("split", np.full(len(images), SPLITS.index(split), layout.SPLIT), rows)
        self._put("labels/given", in_range("given label", given, 0, classes - 1), rows)
        for name, array in {"clean": clean, **(labels or {})}.items():
            if array is not None:
                checked = in_range(f"{name} label", array, -1, classes - 1)
                self._put(f"labels/{name}", checked, rows)
        if votes is not None:
            self._put("votes", checked_votes(votes, self._vote_dtype), rows)
        if targets is not None:
            self._put("targets", checked_targets(targets), rows)
        if names is not None:
            self._put_names(names, rows)
        for name, texts in (columns or {}).items():
            self._put_column(name, texts, rows)
        self._filled[split] += len(images)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            self._finish()
        except BaseException:
            self._discard()
            raise

    def _check_declaration(self) -> None:
        check_names("class names", self._class_names)
        if not 1 <= len(self._class_names) <= layout.MAX_CLASSES:
            raise DataError(f"a packed file holds 1 to {layout.MAX_CLASSES} classes")
        if self._vote_columns:
            check_names("vote columns", self._vote_columns)
        check_names("label sets", self._label_sets)
        check_names("columns", tuple(self._columns))
        for name, width in self._columns.items():
            if not 1 <= width <= layout.MAX_CELL or len(self._columns) > layout.MAX_COLUMNS:
                raise DataError(
                    f"column {name!r} takes {width} bytes a value: a packed file holds"
                    f" {layout.MAX_COLUMNS} columns of up to {layout.MAX_CELL} bytes"
                )
        for name in self._label_sets:
            if name in ("given", "clean") or not layout.LABEL_NAME.fullmatch(name):
                raise DataError(
                    f"a label set cannot be called {name!r}",
                    hint="use letters, digits, '_', '-' or '.', and neither 'given' nor 'clean'",
                )

    def _begin(self) -> h5py.File:
        try:
            self._spare.write_bytes(bytes(_SPARE_BYTES))
            return h5py.File(self._temporary, "w")
        except BaseException:
            self._spare.unlink(missing_ok=True)
            raise

    def _create(
        self, image_shape: tuple[int, int, int], has_clean: bool, has_targets: bool
    ) -> None:
        n = self._count
        self._column("images", (n, *image_shape), layout.IMAGE)
        self._column("id", (n,), layout.ID)
        self._column("split", (n,), layout.SPLIT)
        self._column("labels/given", (n,), layout.LABEL)
        for name in (*(("clean",) if has_clean else ()), *self._label_sets):
            self._column(f"labels/{name}", (n,), layout.LABEL, missing=-1)
        if self._vote_columns:
            self._column("votes", (n, len(self._vote_columns)), self._vote_dtype, missing=0)
        if has_targets:
            self._column("targets", (n, len(self._class_names)), layout.TARGET, missing=0)
        for index, width in enumerate(self._columns.values()):
            self._column(f"columns/{index}", (n,), np.dtype(f"S{width}"))

    def _column(
        self, name: str, shape: tuple[int, ...], dtype: np.dtype, *, missing: int | None = None
    ) -> None:
        # Kept open: HDF5 writes what it still holds of an array when that is closed, and h5py lets
        # go unsaid that it could not where nobody closes it but Python.
        dataset = self._arrays[name] = self._file.create_dataset(name, shape=shape, dtype=dtype)
        if missing is not None:
            dataset[...] = np.full(shape, missing, dtype)

    def _reserve(self, split: str, rows: int) -> slice:
        if split not in self._regions:
            raise DataError(f"no images were announced for split {split!r}")
        start, count = self._regions[split]
        first = start + self._filled[split]
        if first + rows > start + count:
            raise DataError(f"more than the {count} images announced for split {split!r}")
        return slice(first, first + rows)

    def _put(self, name: str, values: np.ndarray, rows: slice) -> None:
        if name not in self._arrays:
            raise DataError(f"{name} was not declared when the packed file was begun")
        dataset = self._arrays[name]
        expected = (rows.stop - rows.start, *dataset.shape[1:])
        if np.shape(values) != expected:
            raise DataError(f"{name} has shape {np.shape(values)}, expected {expected}")
        if expected[0]:
            self._guard(lambda: dataset.__setitem__(rows, values))

    def _put_names(self, names: np.ndarray, rows: slice) -> None:
        if not self._has_names:
            raise DataError("names were not declared when the packed file was begun")
        if len(names) != rows.stop - rows.start:
            raise DataError(f"{len(names)} names for {rows.stop - rows.start} images")
        encoded = encoded_texts(names)
        if encoded.dtype.itemsize > layout.MAX_NAME:
            raise DataError(f"a sample's name is longer than {layout.MAX_NAME} bytes")
        if len(encoded):
            self._names[rows.start] = encoded

    def _put_column(self, name: str, texts: np.ndarray, rows: slice) -> None:
        if name not in self._columns:
            raise DataError(f"column {name!r} was not declared when the packed file was begun")
        encoded = encoded_texts(texts)
        if encoded.dtype.itemsize > self._columns[name]:
            raise DataError(f"column {name!r}: a value takes more than {self._columns[name]} bytes")
        self._put(f"columns/{list(self._columns).index(name)}", encoded, rows)

    def _finish(self) -> None:
        short = [split for split, (_, count) in self._regions.items() if self._missing(split)]
        if short and not self._may_fall_short:
            filled, count = self._filled[short[0]], self._regions[short[0]][1]
            raise DataError(f"split {short[0]!r}: {filled} of {count} images came")
        self._guard(self._write_names)
        if short:
            self._guard(self._leave_out_missing)
        self._check_ids()
        self._guard(self._write_attributes)
        self._guard(self._file.flush)
        self._guard(self._file.close)
        self._spare.unlink(missing_ok=True)
        self._guard(self._publish)

    def _missing(self, split: str) -> int:
        return self._regions[split][1] - self._filled[split]

    def _leave_out_missing(self) -> None:
        regions = [
            slice(start, start + self._filled[split])
            for split, (start, _) in self._regions.items()
            if self._filled[split]
        ]
        if not regions:
            raise DataError("no images are left to pack")
        self._file.flush()
        with self._file as whole:
            self._file = h5py.File(self._exact, "w")
            copy_rows(whole, self._file, regions)
        self._file.flush()
        self._file.close()
        os.replace(self._exact, self._temporary)
        self._file = h5py.File(self._temporary, "r+")

    def _check_ids(self) -> None:
        ids, counts = np.unique(self._file["id"][...], return_counts=True)
        if (counts > 1).any():
            raise DataError(f"id {ids[counts > 1][0]} belongs to more than one image")

    def _write_names(self) -> None:
        if not self._has_names:
            return
        width = max((part.dtype.itemsize for part in self._names.values()), default=1)
        dtype = np.dtype(f"S{max(width, 1)}")
        self._column("name", (self._count,), dtype)
        self._file["name"][...] = np.zeros(self._count, dtype)
        for start, part in self._names.items():
            self._file["name"][start : start + len(part)] = part

    def _write_attributes(self) -> None:
        texts = {
            "format": layout.FORMAT,
            "class_names": json.dumps(self._class_names),
            "vote_columns": json.dumps(self._vote_columns),
            "columns": json.dumps(list(self._columns)),
            "source": self._source or "unknown",
            "notes": json.dumps(self.notes, default=_plain),
        }
        for key, text in texts.items():
            value = np.bytes_(text.encode(errors="backslashreplace"))
            if len(value) > layout.MAX_ATTRIBUTE:
                raise DataError(f"{key} takes {len(value)} bytes, at most {layout.MAX_ATTRIBUTE}")
            self._file.attrs[key] = value
        self._file.attrs["version"] = np.int64(layout.VERSION)

    def _publish(self) -> None:
        check_destination(self.path, self._overwrite)
        move_into_place(self._temporary, self.path)

    def _guard(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except (OSError, RuntimeError) as error:  # h5py raises either
            # HDF5's own text runs over several lines; the system's says it in three words.
            number = re.search(r"errno = (\d+)", str(error))
            reason = os.strerror(int(number[1])) if number else getattr(error, "strerror", None)
            raise DataError(
                f"{self.path} cannot be written: {reason or reason_of(error)}",
                hint="check that the folder may be written to and that the disk is not full",
            ) from error

    def _discard(self) -> None:
        """Close and remove what was written; on a full disk too.

        HDF5 crashes the process when it closes a file that it cannot write the rest of. What this
        writer takes up itself is freed for that first.
        """
        try:
            if self._file:  # else it is closed
                self._file.flush()
        except (OSError, RuntimeError):
            self._spare.unlink(missing_ok=True)
            for path in (self._temporary, self._exact):
                with suppress(OSError):
                    os.truncate(path, 0)
        with suppress(OSError, RuntimeError):
            self._file.close()
        self._spare.unlink(missing_ok=True)
        self._temporary.unlink(missing_ok=True)
        self._exact.unlink(missing_ok=True)


def _plain(value: object) -> object:
    """A NumPy scalar or array, or a path, as JSON knows it."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else str(value)

"""`PackedWriter` writes a packed file batch by batch and shows it only when it is complete."""

from __future__ import annotations

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
from eactf.files import move_into_place, remove_leftovers, temporary_name
from eactf.foreign import reason_of
from eactf.packed import layout
from eactf.packed.declaration import Array, Declaration
from eactf.packed.exact import copy_rows
from eactf.packed.records import MAX_ID, SPLITS
from eactf.packed.values import (
    check_destination,
    checked_targets,
    checked_values,
    checked_votes,
    encoded_texts,
    in_range,
)

__all__ = ["PackedWriter"]

_EXACT, _SPARE = ".exact", ".spare"
"""What is written beside the file under its temporary name."""

_SPARE_BYTES = 2**20
"""More than HDF5 holds back of what was written, 64 KiB an array. See `_discard`."""

T = TypeVar("T")


class PackedWriter:
    """Write a packed file batch by batch; a context manager.

    `counts` says how many images each split will get, so that the rows of a split lie together
    whatever order they come in. The file appears under `path` only on a clean exit, complete and
    flushed to disk; after a failure nothing is left behind, and what an earlier process that was
    killed left of the same file goes with the next success. `notes` may be added to until then.
    `columns` are further columns of text with the most bytes a value takes, `values` the names of
    continuous targets. With `may_fall_short`
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
        values: Sequence[str] = (),
        has_clean: bool = False,
        vote_columns: Sequence[str] = (),
        vote_dtype: str = "uint8",
        has_targets: bool = False,
        has_names: bool = False,
        has_digests: bool = False,
        columns: Mapping[str, int] | None = None,
        may_fall_short: bool = False,
        overwrite: bool = False,
    ) -> None:
        self._declared = Declaration(
            counts=dict(counts),
            image_shape=image_shape,
            class_names=tuple(class_names),
            source=source,
            label_sets=tuple(label_sets),
            values=tuple(values),
            has_clean=has_clean,
            vote_columns=tuple(vote_columns),
            vote_dtype=np.dtype(vote_dtype),
            has_targets=has_targets,
            has_names=has_names,
            has_digests=has_digests,
            columns=dict(columns or {}),
        )
        self.path = Path(path)
        self.notes = dict(notes or {})
        self._overwrite = overwrite
        self._may_fall_short = may_fall_short
        self._filled = dict.fromkeys(self._declared.regions, 0)
        self._arrays: dict[str, h5py.Dataset] = {}
        self._names: dict[int, np.ndarray] = {}
        check_destination(self.path, overwrite)
        self._temporary = temporary_name(self.path)
        self._exact = self._temporary.with_name(self._temporary.name + _EXACT)
        self._spare = self._temporary.with_name(self._temporary.name + _SPARE)
        self._file = self._guard(self._begin)
        try:
            self._guard(self._create)
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
        values: Mapping[str, np.ndarray] | None = None,
        votes: np.ndarray | None = None,
        names: np.ndarray | None = None,
        columns: Mapping[str, np.ndarray] | None = None,
        digests: np.ndarray | None = None,
    ) -> None:
        """Add a batch to `split`; arrays as in `Samples`, those left out read back as unknown.

        Digests are for all images or for none.
        """
        rows = self._reserve(split, len(images))
        if np.asarray(images).dtype != layout.IMAGE:
            raise DataError(f"images are {np.asarray(images).dtype}, a packed file holds uint8")
        classes = len(self._declared.class_names)
        self._put("images", images, rows)
        self._put("id", in_range("id", ids, 0, MAX_ID), rows)
        self._put("split", np.full(len(images), SPLITS.index(split), layout.SPLIT), rows)
        self._put("labels/given", in_range("given label", given, 0, classes - 1), rows)
        for name, array in {"clean": clean, **(labels or {})}.items():
            if array is not None:
                checked = in_range(f"{name} label", array, -1, classes - 1)
                self._put(f"labels/{name}", checked, rows)
        if votes is not None:
            self._put("votes", checked_votes(votes, self._declared.vote_dtype), rows)
        if targets is not None:
            self._put("targets", checked_targets(targets), rows)
        for name, array in (values or {}).items():
            self._put(f"values/{name}", checked_values(name, array), rows)
        if digests is not None:
            self._put("digest", digests, rows)
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

    def _begin(self) -> h5py.File:
        try:
            self._spare.write_bytes(bytes(_SPARE_BYTES))
            return h5py.File(self._temporary, "w")
        except BaseException:
            self._spare.unlink(missing_ok=True)
            raise

    def _create(self) -> None:
        for array in self._declared.arrays():
            self._add(array)

    def _add(self, array: Array) -> None:
        # Kept open: HDF5 writes what it still holds of an array when that is closed, and h5py lets
        # go unsaid that it could not where nobody closes it but Python.
        dataset = self._file.create_dataset(array.name, shape=array.shape, dtype=array.dtype)
        self._arrays[array.name] = dataset
        if array.missing is not None:
            dataset[...] = np.full(array.shape, array.missing, array.dtype)

    def _reserve(self, split: str, rows: int) -> slice:
        if split not in self._filled:
            raise DataError(f"no images were announced for split {split!r}")
        start, count = self._declared.regions[split]
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
        if not self._declared.has_names:
            raise DataError("names were not declared when the packed file was begun")
        if len(names) != rows.stop - rows.start:
            raise DataError(f"{len(names)} names for {rows.stop - rows.start} images")
        encoded = encoded_texts(names)
        if encoded.dtype.itemsize > layout.MAX_NAME:
            raise DataError(f"a sample's name is longer than {layout.MAX_NAME} bytes")
        if len(encoded):
            self._names[rows.start] = encoded

    def _put_column(self, name: str, texts: np.ndarray, rows: slice) -> None:
        width = self._declared.widths.get(name)
        if width is None:
            raise DataError(f"column {name!r} was not declared when the packed file was begun")
        encoded = encoded_texts(texts)
        if encoded.dtype.itemsize > width:
            raise DataError(f"column {name!r}: a value takes more than {width} bytes")
        self._put(self._declared.array_of_column(name), encoded, rows)

    def _finish(self) -> None:
        regions = self._declared.regions
        short = [name for name, (_, count) in regions.items() if self._filled[name] < count]
        if short and not self._may_fall_short:
            filled, count = self._filled[short[0]], regions[short[0]][1]
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

    def _leave_out_missing(self) -> None:
        regions = [
            slice(start, start + self._filled[split])
            for split, (start, _) in self._declared.regions.items()
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
        if not self._declared.has_names:
            return
        width = max((part.dtype.itemsize for part in self._names.values()), default=1)
        dtype = np.dtype(f"S{max(width, 1)}")
        images = self._declared.images
        self._add(Array("name", (images,), dtype))
        self._file["name"][...] = np.zeros(images, dtype)
        for start, part in self._names.items():
            self._file["name"][start : start + len(part)] = part

    def _write_attributes(self) -> None:
        for key, value in self._declared.attributes(self.notes).items():
            self._file.attrs[key] = value
        self._file.attrs["version"] = np.int64(layout.VERSION)

    def _publish(self) -> None:
        check_destination(self.path, self._overwrite)
        move_into_place(self._temporary, self.path)
        remove_leftovers(self.path, ("", _EXACT, _SPARE))

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

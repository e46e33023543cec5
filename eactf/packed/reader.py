"""`open_packed` checks a packed file and opens it; its images stay on disk until needed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.foreign import reason_of
from eactf.packed import layout
from eactf.packed.opening import HDF5, Column
from eactf.packed.records import MAX_ID, SPLITS, Dataset, Samples

__all__ = ["open_packed"]

_REPACK = "pack the data again, for example with: eactf data pack"
_REQUIRED = ("images", "id", "split", "labels")
_OPTIONAL = ("votes", "targets", "values", "name", "columns", "digest")


def open_packed(path: str | Path) -> Dataset:
    """Open a packed data set; the images are read-only memory maps of the file.

    Raises `UsageError` where there is no such file, `UnsafeFileError` for one that points at other
    files or declares more than it holds, `DataError` for one that is not ours or inconsistent. A
    column that is unknown throughout a split (`clean` all -1, `votes` all zero, values all NaN) is
    absent there.
    """
    path = Path(path)
    with HDF5.open(path) as file:
        _check_format(path, file)
        class_names = _names(path, file, "class_names", layout.MAX_CLASSES)
        vote_columns = _names(path, file, "vote_columns", layout.MAX_CLASSES)
        source, notes = file.text("source"), _notes(path, file)
        columns = _columns(path, file)
        further = _further_columns(path, file)
        columns |= further
    _check_shapes(path, columns, len(class_names), len(vote_columns))
    arrays = {name: column.read() for name, column in columns.items() if name != "images"}
    _check_values(path, arrays, len(class_names))
    images = columns["images"].map()
    splits = {
        name: _samples(path, images, arrays, tuple(further), arrays["split"] == index)
        for index, name in enumerate(SPLITS)
        if (arrays["split"] == index).any()
    }
    return Dataset(class_names, splits, source, notes, vote_columns)


def _check_format(path: Path, file: HDF5) -> None:
    if not file.has_attribute("format") or file.text("format") != layout.FORMAT:
        raise DataError(
            f"{path} is an HDF5 file, but not a data set that eactf packed", hint=_REPACK
        )
    version = file.number("version")
    if version != layout.VERSION:
        raise DataError(
            f"{path} has version {version} of the packed form, this eactf reads {layout.VERSION}",
            hint="upgrade eactf, or pack the data again with this one",
        )


def _names(path: Path, file: HDF5, key: str, most: int) -> tuple[str, ...]:
    names = _json(path, file, key)
    if (
        not isinstance(names, list)
        or not all(isinstance(name, str) and name for name in names)
        or len(names) > most
        or len(set(names)) != len(names)
    ):
        raise DataError(f"{path}: {key}: expected a list of unique names", hint=_REPACK)
    if key == "class_names" and not names:
        raise DataError(f"{path}: {key}: expected at least one class", hint=_REPACK)
    return tuple(names)


def _notes(path: Path, file: HDF5) -> Mapping[str, object]:
    notes = _json(path, file, "notes")
    if not isinstance(notes, dict):
        raise DataError(f"{path}: notes: expected a JSON object", hint=_REPACK)
    return notes


def _json(path: Path, file: HDF5, key: str) -> object:
    text = file.text(key)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path}: {key} is not valid JSON: {reason_of(error)}", hint=_REPACK
        ) from error


def _columns(path: Path, file: HDF5) -> dict[str, Column]:
    members = file.members("/")
    missing = [name for name in _REQUIRED if name not in members]
    unknown = [name for name in members if name not in _REQUIRED + _OPTIONAL]
    if missing or unknown:
        found = f"{missing[0]} is missing" if missing else f"{unknown[0]!r} is not part of the form"
        raise DataError(f"{path}: {found}", hint=_REPACK)
    if not file.is_group("labels"):
        raise DataError(f"{path}: labels: expected a group, received an array", hint=_REPACK)
    columns = {
        "images": file.column("images", [layout.IMAGE], 4),
        "id": file.column("id", [layout.ID], 1),
        "split": file.column("split", [layout.SPLIT], 1),
    }
    for name in _label_names(path, file):
        columns[f"labels/{name}"] = file.column(f"labels/{name}", [layout.LABEL], 1)
    if "votes" in members:
        columns["votes"] = file.column("votes", layout.VOTE_TYPES, 2)
    if "targets" in members:
        columns["targets"] = file.column("targets", [layout.TARGET], 2)
    for name in _value_names(path, file, members):
        columns[f"values/{name}"] = file.column(f"values/{name}", [layout.VALUE], 1)
    if "digest" in members:
        columns["digest"] = file.column("digest", [layout.DIGEST], 1)
    if "name" in members:
        columns["name"] = file.column("name", [np.dtype(f"S{layout.MAX_NAME}")], 1)
    return columns


def _further_columns(path: Path, file: HDF5) -> dict[str, Column]:
    """The columns of the group `columns` as `columns/<name>`, in their order; none in old files."""
    if "columns" not in file.members("/"):
        return {}
    if not file.is_group("columns"):
        raise DataError(f"{path}: columns: expected a group, received an array", hint=_REPACK)
    names = _names(path, file, "columns", layout.MAX_COLUMNS)
    members = file.members("/columns")
    if sorted(members) != sorted(str(index) for index in range(len(names))):
        raise DataError(
            f"{path}: columns: expected {len(names)}, numbered from 0, as the attribute says,"
            f" received {', '.join(map(repr, members)) or 'none'}",
            hint=_REPACK,
        )
    text = [np.dtype(f"S{layout.MAX_CELL}")]
    return {
        f"columns/{name}": file.column(f"columns/{index}", text, 1)
        for index, name in enumerate(names)
    }


def _label_names(path: Path, file: HDF5) -> tuple[str, ...]:
    names = file.members("/labels")
    if "given" not in names:
        raise DataError(f"{path}: labels/given is missing", hint=_REPACK)
    wrong = [name for name in names if not layout.LABEL_NAME.fullmatch(name)]
    if wrong or len(names) > layout.MAX_LABEL_SETS:
        found = f"{wrong[0]!r} is no name for a set" if wrong else f"{len(names)} sets are too many"
        raise DataError(f"{path}: labels: {found}", hint=_REPACK)
    return names


def _value_names(path: Path, file: HDF5, members: Sequence[str]) -> tuple[str, ...]:
    """The names of the continuous targets; none in files from before there were any."""
    if "values" not in members:
        return ()
    if not file.is_group("values"):
        raise DataError(f"{path}: values: expected a group, received an array", hint=_REPACK)
    names = file.members("/values")
    wrong = [name for name in names if not layout.LABEL_NAME.fullmatch(name)]
    if wrong or len(names) > layout.MAX_VALUES:
        found = f"{wrong[0]!r} is no name for one" if wrong else f"{len(names)} are too many"
        raise DataError(f"{path}: values: {found}", hint=_REPACK)
    return names


def _check_shapes(path: Path, columns: Mapping[str, Column], classes: int, votes: int) -> None:
    rows = columns["images"].shape[0]
    for name, column in columns.items():
        if column.shape[0] != rows:
            raise DataError(
                f"{path}: {name}: expected {rows} rows as images has, received {column.shape[0]}",
                hint=_REPACK,
            )
    for name, width in (("votes", votes), ("targets", classes)):
        if name in columns and columns[name].shape[1] != width:
            raise DataError(
                f"{path}: {name}: expected {width} columns, received {columns[name].shape[1]}",
                hint=_REPACK,
            )


def _check_values(path: Path, arrays: Mapping[str, np.ndarray], classes: int) -> None:
    _check_range(path, "id", arrays["id"], 0, MAX_ID)
    _check_range(path, "split", arrays["split"], 0, len(SPLITS) - 1)
    for name, array in arrays.items():
        if name.startswith("labels/"):
            _check_range(path, name, array, 0 if name == "labels/given" else -1, classes - 1)
        if name.startswith("values/") and np.isinf(array).any():
            row = int(np.flatnonzero(np.isinf(array))[0])
            raise DataError(
                f"{path}: {name}, row {row}: expected a finite number, or NaN where there is none,"
                f" received {array[row]}",
                hint=_REPACK,
            )
    ids, counts = np.unique(arrays["id"], return_counts=True)
    if len(ids) < len(arrays["id"]):
        raise DataError(
            f"{path}: id {ids[counts > 1][0]} belongs to more than one image", hint=_REPACK
        )
    for name in ("votes", "targets"):
        if name in arrays and not (np.isfinite(arrays[name]) & (arrays[name] >= 0)).all():
            raise DataError(f"{path}: {name}: expected finite values >= 0", hint=_REPACK)


def _check_range(path: Path, name: str, array: np.ndarray, low: int, high: int) -> None:
    if int(array.min()) < low or int(array.max()) > high:
        row = int(np.flatnonzero((array < low) | (array > high))[0])
        raise DataError(
            f"{path}: {name}, row {row}: expected {low} to {high}, received {array[row]}",
            hint=_REPACK,
        )


def _samples(
    path: Path,
    images: np.memmap,
    arrays: Mapping[str, np.ndarray],
    columns: Sequence[str],
    here: np.ndarray,
) -> Samples:
    rows = np.flatnonzero(here)
    first, last = int(rows[0]), int(rows[-1])
    # A slice of the map reads nothing; rows that do not lie together have to be copied.
    where = slice(first, last + 1) if last - first + 1 == len(rows) else rows
    labels = {
        name.removeprefix("labels/"): _known(array[where].astype(np.int64), -1)
        for name, array in arrays.items()
        if name.startswith("labels/") and name != "labels/given"
    }
    clean = labels.pop("clean", None)
    return Samples(
        images=images[where],
        ids=arrays["id"][where],
        given=arrays["labels/given"][where].astype(np.int64),
        clean=clean,
        targets=_targets(path, arrays, where),
        labels={name: array for name, array in labels.items() if array is not None},
        values={
            name.removeprefix("values/"): array[where]
            for name, array in arrays.items()
            if name.startswith("values/") and not np.isnan(array[where]).all()
        },
        names=_sample_names(path, arrays, where),
        columns={
            name.removeprefix("columns/"): _texts(path, name, arrays[name][where])
            for name in columns
        },
        digests=arrays["digest"][where] if "digest" in arrays else None,
        votes=_known(arrays["votes"][where], 0) if "votes" in arrays else None,
    )


def _known(array: np.ndarray, missing: int) -> np.ndarray | None:
    return None if (array == missing).all() else array


def _targets(
    path: Path, arrays: Mapping[str, np.ndarray], where: slice | np.ndarray
) -> np.ndarray | None:
    if "targets" not in arrays:
        return None
    targets = _known(arrays["targets"][where], 0)
    if targets is not None and not np.allclose(targets.sum(axis=1), 1, atol=1e-3):
        raise DataError(f"{path}: targets: expected rows that sum to 1", hint=_REPACK)
    return targets


def _sample_names(
    path: Path, arrays: Mapping[str, np.ndarray], where: slice | np.ndarray
) -> np.ndarray | None:
    if "name" not in arrays or not arrays["name"][where].any():
        return None
    return _texts(path, "name", arrays["name"][where])


def _texts(path: Path, name: str, encoded: np.ndarray) -> np.ndarray:
    try:
        return np.char.decode(encoded, "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: {name}: expected UTF-8 text", hint=_REPACK) from error

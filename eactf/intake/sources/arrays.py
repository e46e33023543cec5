"""Images and labels that lie in the arrays of an NPZ or HDF5 file.

Arrays are told by their names (`array_names`); what is neither image, label nor vote becomes a
label set where its values are classes, else a column of texts. Images stay in the file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.intake.findings import Finding, Severity
from eactf.intake.listing import Listing
from eactf.intake.sources.array_extras import in_all_rows, read_extras
from eactf.intake.sources.array_images import ImageRows, byte_scale, channel_axis
from eactf.intake.sources.array_labels import (
    Classes,
    classes_from_names,
    classes_from_values,
    names_for,
    read_labels,
    read_texts,
)
from eactf.intake.sources.array_names import LABELS
from eactf.intake.sources.array_roles import SplitArrays, find_arrays
from eactf.intake.sources.array_votes import (
    Votes,
    for_no_class,
    read_votes,
    set_labels_aside,
    undecided,
    votes_decide,
)
from eactf.intake.sources.joined_images import JoinedImages
from eactf.intake.sources.options import SourceOptions
from eactf.intake.sources.spellings import tidy
from eactf.intake.sources.stored_array import StoredArray
from eactf.packed.records import SPLITS

__all__ = ["list_arrays"]

_DEFAULTS = SourceOptions()


def list_arrays(path: Path, options: SourceOptions = _DEFAULTS) -> Listing:
    """List the images of an NPZ or HDF5 file of arrays.

    Raises `DataError` where images or labels cannot be told or do not fit together,
    `UnsafeFileError` where opening the file could harm, `UsageError` for options that name nothing.
    """
    options.refuse("a file of arrays", "path_column", "root", "split_column")
    kind = "npz" if path.suffix.lower() == ".npz" else "hdf5"
    parts, shared = find_arrays(path, _open(path, kind), options)
    votes = read_votes(path, parts, shared)
    names = _names(parts)
    by_votes = votes_decide(path, parts, options)
    if votes is not None and by_votes:
        parts = set_labels_aside(parts)
        labels = _by_votes(path, votes, shared, names, options)
    else:
        labels = _by_arrays(path, parts, shared, names, votes, options)
    clean = _read(path, [part.clean for part in parts], shared)
    has_clean = any(values is not None for values in clean)
    label_sets, columns = read_extras(parts, shared, labels.classes)
    return Listing(
        source=path,
        kind=kind,
        class_names=labels.classes.names,
        names=names,
        splits=np.concatenate([np.full(len(part), part.split, np.uint8) for part in parts]),
        given=labels.given,
        images=_images(path, parts),
        named_by_row=True,
        clean=_index(parts, labels.classes, clean) if has_clean else None,
        labels=label_sets,
        votes=votes.counts if votes else None,
        vote_columns=votes.columns if votes else (),
        targets=labels.targets,
        columns=columns,
        findings=labels.findings,
        notes={"arrays": {SPLITS[part.split]: _roles(part) for part in parts}, **labels.notes},
    )


@dataclass(frozen=True)
class _Labels:
    """The label of every row, however it came about."""

    classes: Classes
    given: np.ndarray
    findings: tuple[Finding, ...]
    targets: np.ndarray | None = None
    notes: Mapping[str, object] = field(default_factory=dict)


def _by_votes(
    path: Path,
    votes: Votes,
    shared: Mapping[str, StoredArray],
    names: np.ndarray,
    options: SourceOptions,
) -> _Labels:
    stored = shared.get("class_names")
    known = [] if stored is None else [tidy(text) for text in read_texts(stored)]
    classes = classes_from_names(path, votes.classes(options, known))
    result = votes.decide(classes.names, options.vote_rule)
    given = np.where(result.keep, result.label, -1)
    notes = {"vote_rule": options.vote_rule}
    return _Labels(classes, given, undecided(result, names), result.targets, notes)


def _by_arrays(
    path: Path,
    parts: Sequence[SplitArrays],
    shared: Mapping[str, StoredArray],
    names: np.ndarray,
    votes: Votes | None,
    options: SourceOptions,
) -> _Labels:
    _check_labels(path, parts)
    values = _read(path, [part.label for part in parts], shared)
    clean = _read(path, [part.clean for part in parts], shared)
    classes = _classes(path, parts, shared, [*values, *clean], options)
    given = _index(parts, classes, values)
    doubts = () if votes is None else for_no_class(votes, classes.names, given, names)
    findings = (*classes.findings, *_unlabelled(parts, names, values, given), *doubts)
    return _Labels(classes, given, findings)


def _open(path: Path, kind: str) -> dict[str, StoredArray]:
    if kind == "npz":
        from eactf.intake.sources.npz import open_npz

        return open_npz(path)
    from eactf.intake.sources.hdf5 import open_hdf5

    return open_hdf5(path)


def _check_labels(path: Path, parts: Sequence[SplitArrays]) -> None:
    """Every split has labels, or has nothing that may be labels; one at least has them."""
    for part in parts:
        candidates = part.label_candidates()
        if part.label is None and (candidates or all(other.label is None for other in parts)):
            raise DataError(
                f"{path}: which array has the labels of {part.images.name}? none is named"
                f" {', '.join(LABELS[:-1])} or {LABELS[-1]} in the {SPLITS[part.split]} split",
                hint=f"choose one with --label: {', '.join(candidates)}"
                if candidates
                else "save the labels beside the images, for example as train_label",
            )


def _read(
    path: Path, arrays: Sequence[StoredArray | None], shared: Mapping[str, StoredArray]
) -> list[np.ndarray | None]:
    return [
        None if array is None else read_labels(path, array, names_for(array, shared))
        for array in arrays
    ]


def _classes(
    path: Path,
    parts: Sequence[SplitArrays],
    shared: Mapping[str, StoredArray],
    labels: Sequence[np.ndarray | None],
    options: SourceOptions,
) -> Classes:
    label = next(part.label for part in parts if part.label is not None)
    if names := names_for(label, shared):
        return classes_from_names(path, names)
    values = [array for array in labels if array is not None]
    return classes_from_values(path, label.name, values, merge_spellings=options.merge_spellings)


def _index(
    parts: Sequence[SplitArrays], classes: Classes, labels: Sequence[np.ndarray | None]
) -> np.ndarray:
    return in_all_rows(parts, [None if v is None else classes.index(v) for v in labels], -1)


def _names(parts: Sequence[SplitArrays]) -> np.ndarray:
    return np.array([f"{part.images.name}[{row}]" for part in parts for row in range(len(part))])


def _images(path: Path, parts: Sequence[SplitArrays]) -> JoinedImages:
    axes = [channel_axis(path, part.images) for part in parts]
    scale = byte_scale(path, [part.images for part in parts])
    rows = [ImageRows(part.images, axis, scale) for part, axis in zip(parts, axes, strict=True)]
    return JoinedImages(rows)


def _unlabelled(
    parts: Sequence[SplitArrays],
    names: np.ndarray,
    labels: Sequence[np.ndarray | None],
    index: np.ndarray,
) -> tuple[Finding, ...]:
    """Findings for rows without a label, and for rows whose label names no class."""
    raw = in_all_rows(parts, [None if v is None else v.astype(np.str_) for v in labels], "")
    unknown = (index < 0) & ~np.isin(raw, ("", "-1"))
    missing = (index < 0) & ~unknown
    shown = ", ".join(sorted(set(raw[unknown].tolist()))[:5])
    advice = "packing leaves them out; give them a label to keep them"
    return tuple(
        Finding(code, Severity.WARNING, what, advice, tuple(names[rows].tolist()))
        for code, rows, what in (
            ("missing-label", missing, f"{missing.sum():,} images have no label"),
            ("unknown-label", unknown, f"{unknown.sum():,} labels name no class: {shown}"),
        )
        if rows.any()
    )


def _roles(part: SplitArrays) -> dict[str, str]:
    """Which array was taken for what, by its name in the file."""
    arrays = {"images": part.images, "label": part.label}
    arrays |= {"clean": part.clean, "votes": part.votes}
    return {role: array.name for role, array in arrays.items() if array is not None}

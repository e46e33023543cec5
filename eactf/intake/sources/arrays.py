"""`list_arrays` lists images and labels that lie in the arrays of an NPZ or HDF5 file.

Arrays are told by their names (`array_names`); what is neither image, label, vote nor continuous
target becomes a label set where its values are classes, else a column of texts. Images stay in the
file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.intake.findings import Finding, Severity
from eactf.intake.listing import Listing
from eactf.intake.sources.array_extras import in_all_rows, read_extras
from eactf.intake.sources.array_flags import check_clean_arrays
from eactf.intake.sources.array_images import ImageRows, byte_scale, channel_axis
from eactf.intake.sources.array_labels import (
    NO_LABEL,
    Classes,
    classes_from_names,
    classes_from_values,
    missing_among,
    names_for,
    read_labels,
    read_texts,
    refuse_measures,
)
from eactf.intake.sources.array_names import LABELS
from eactf.intake.sources.array_roles import SplitArrays, find_arrays
from eactf.intake.sources.array_values import read_values
from eactf.intake.sources.array_votes import (
    Votes,
    for_no_class,
    read_votes,
    set_labels_aside,
    undecided,
    votes_decide,
)
from eactf.intake.sources.joined_images import JoinedImages
from eactf.intake.sources.missing import (
    Missing,
    kept_findings,
    missing_finding,
    missing_note,
)
from eactf.intake.sources.options import SourceOptions
from eactf.intake.sources.spellings import tidy
from eactf.intake.sources.stored_array import StoredArray
from eactf.packed.records import SPLITS
from eactf.suggestions import command_line

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
        labels = _by_votes(path, parts, shared, names, votes, options)
    else:
        labels = _by_arrays(path, parts, shared, names, votes, options)
    measured = read_values(path, parts, options)
    label_sets, columns = read_extras(parts, shared, labels.classes, measured.keys)
    images, scaled = _images(path, parts)
    return Listing(
        source=path,
        kind=kind,
        class_names=labels.classes.names,
        names=names,
        splits=np.concatenate([np.full(len(part), part.split, np.uint8) for part in parts]),
        given=labels.given,
        images=images,
        named_by_row=True,
        clean=labels.clean,
        labels=label_sets,
        values=measured.values,
        votes=votes.counts if votes else None,
        vote_columns=votes.columns if votes else (),
        targets=labels.targets,
        columns=columns,
        findings=(*labels.findings, *measured.findings, *scaled),
        notes={"arrays": {SPLITS[part.split]: _roles(part) for part in parts}, **labels.notes},
    )


@dataclass(frozen=True)
class _Labels:
    """The label of every row, however it came about."""

    classes: Classes
    given: np.ndarray
    clean: np.ndarray | None
    findings: tuple[Finding, ...]
    targets: np.ndarray | None = None
    notes: Mapping[str, object] = field(default_factory=dict)


def _by_votes(
    path: Path,
    parts: Sequence[SplitArrays],
    shared: Mapping[str, StoredArray],
    names: np.ndarray,
    votes: Votes,
    options: SourceOptions,
) -> _Labels:
    stored = shared.get("class_names")
    known = [] if stored is None else [tidy(text) for text in read_texts(stored)]
    classes = classes_from_names(path, votes.classes(options, known))
    result = votes.decide(classes.names, options.vote_rule)
    given = np.where(result.keep, result.label, -1)
    stored_clean = [part.clean for part in parts]
    missing, _ = missing_among(path, stored_clean, classes.names, options.missing)
    clean = _clean(parts, classes, _read(path, stored_clean, shared, missing))
    notes = {"vote_rule": options.vote_rule}
    return _Labels(classes, given, clean, undecided(result, names), result.targets, notes)


def _by_arrays(
    path: Path,
    parts: Sequence[SplitArrays],
    shared: Mapping[str, StoredArray],
    names: np.ndarray,
    votes: Votes | None,
    options: SourceOptions,
) -> _Labels:
    _check_labels(path, parts)
    check_clean_arrays(path, parts, shared, options)
    label = next(part.label for part in parts if part.label is not None)
    given_arrays, clean_arrays = [p.label for p in parts], [p.clean for p in parts]
    known = names_for(label, shared)
    missing, counts = missing_among(path, [*given_arrays, *clean_arrays], known, options.missing)
    values = _read(path, given_arrays, shared, missing)
    clean = _read(path, clean_arrays, shared, missing)
    if known:
        classes = classes_from_names(path, known)
    else:
        found = [array for array in (*values, *clean) if array is not None]
        if options.label is None:
            refuse_measures(path, label.name, found)
        merge = options.merge_spellings
        classes = classes_from_values(path, label.name, found, merge_spellings=merge)
    given = _index(parts, classes, values)
    _, of_given = missing_among(path, given_arrays, known, options.missing)
    said = {text: count for text, count in of_given.items() if text in missing}
    doubts = () if votes is None else for_no_class(votes, classes.names, given, names)
    findings = (
        *classes.findings,
        *kept_findings(path.name, missing, counts),
        *_unlabelled(parts, names, values, given, said),
        *doubts,
    )
    return _Labels(
        classes, given, _clean(parts, classes, clean), findings, notes=missing_note(said)
    )


def _open(path: Path, kind: str) -> dict[str, StoredArray]:
    if kind == "npz":
        from eactf.intake.sources.npz import open_npz

        return open_npz(path)
    from eactf.intake.sources.hdf5 import open_hdf5

    return open_hdf5(path)


def _check_labels(path: Path, parts: Sequence[SplitArrays]) -> None:
    """Refuse a split without labels where an array may be them, or where no split has labels."""
    for part in parts:
        candidates = part.label_candidates()
        choices = [command_line("--label", name) for name in candidates]
        if part.label is None and (candidates or all(other.label is None for other in parts)):
            raise DataError(
                f"{path}: which array has the labels of {part.images.name}? none is named"
                f" {', '.join(LABELS[:-1])} or {LABELS[-1]} in the {SPLITS[part.split]} split",
                hint=f"choose one: {', '.join(choices)}"
                if choices
                else "save the labels beside the images, for example as train_label",
            )


def _read(
    path: Path,
    arrays: Sequence[StoredArray | None],
    shared: Mapping[str, StoredArray],
    missing: Missing,
) -> list[np.ndarray | None]:
    return [
        None if array is None else read_labels(path, array, names_for(array, shared), missing)
        for array in arrays
    ]


def _index(
    parts: Sequence[SplitArrays], classes: Classes, labels: Sequence[np.ndarray | None]
) -> np.ndarray:
    return in_all_rows(parts, [None if v is None else classes.index(v) for v in labels], -1)


def _clean(
    parts: Sequence[SplitArrays], classes: Classes, labels: Sequence[np.ndarray | None]
) -> np.ndarray | None:
    known = any(values is not None for values in labels)
    return _index(parts, classes, labels) if known else None


def _names(parts: Sequence[SplitArrays]) -> np.ndarray:
    return np.array([f"{part.images.name}[{row}]" for part in parts for row in range(len(part))])


def _images(path: Path, parts: Sequence[SplitArrays]) -> tuple[JoinedImages, tuple[Finding, ...]]:
    """The images in 8 bits, and a finding where whole numbers are brought there from 0 and 1."""
    axes = [channel_axis(path, part.images) for part in parts]
    scale = byte_scale(path, [part.images for part in parts])
    rows = [ImageRows(part.images, axis, scale) for part, axis in zip(parts, axes, strict=True)]
    whole = [part.images.name for part in parts if part.images.dtype.kind in "ui"]
    if scale == 1 or not whole:
        return JoinedImages(rows), ()
    told = Finding(
        "values-0-and-1",
        Severity.NOTE,
        f"the images in {', '.join(whole)} hold no value but 0 and 1: 1 is taken for white (255)",
        "nothing to do; save them from 0 to 255 where that is not meant",
        tuple(whole),
    )
    return JoinedImages(rows), (told,)


def _unlabelled(
    parts: Sequence[SplitArrays],
    names: np.ndarray,
    labels: Sequence[np.ndarray | None],
    index: np.ndarray,
    said: Mapping[str, int],
) -> Iterator[Finding]:
    """Findings for rows without a label, and for rows whose label names no class.

    `said` is what stood there in place of the missing ones, and how often.
    """
    classless = [
        None if v is None else v == ("" if v.dtype.kind == "U" else NO_LABEL) for v in labels
    ]
    missing = in_all_rows(parts, classless, 1).astype(bool)
    if missing.any():
        yield missing_finding(
            f"{missing.sum():,} images have no label", said, tuple(names[missing].tolist())
        )
    unknown = (index < 0) & ~missing
    if unknown.any():
        raw = in_all_rows(parts, [None if v is None else v.astype(np.str_) for v in labels], "")
        shown = ", ".join(sorted(set(raw[unknown].tolist()))[:5])
        yield Finding(
            "unknown-label",
            Severity.WARNING,
            f"{unknown.sum():,} labels name no class: {shown}",
            "packing leaves them out; give them a label to keep them",
            tuple(names[unknown].tolist()),
        )


def _roles(part: SplitArrays) -> dict[str, str]:
    """Which array was taken for what, by its name in the file."""
    arrays = {"images": part.images, "label": part.label}
    arrays |= {"clean": part.clean, "votes": part.votes}
    return {role: array.name for role, array in arrays.items() if array is not None}

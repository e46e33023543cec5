"""`write_manifest` makes a manifest of reviewed image files, which stay where they are.

Its columns `before_review` and `decision` are what `undo_manifest` goes by: the label as it was,
and what was decided on it. A sample that was dropped has an empty label, and is never packed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.files import write_text
from eactf.intake.image_files import FileImages
from eactf.intake.listing import Listing
from eactf.packed.records import SPLITS
from eactf.review.applying import BEFORE, Applied

__all__ = ["undo_manifest", "write_manifest"]

_DECISION = "decision"


def write_manifest(original: Listing, applied: Applied, out: Path) -> None:
    """Write the manifest of the data as decided.

    Raises `UsageError` where `out` exists, or the images are in no files of their own.
    """
    _refuse_existing(out)
    if not isinstance(original.images, FileImages):
        raise UsageError(
            f"{original.source} has no image files that a manifest could name",
            hint="write a packed file: -o reviewed.h5",
        )
    columns = _columns(original, applied, original.images, out.absolute().parent)
    rows = zip(*columns.values(), strict=True)
    write_text(out, _csv_text(list(columns), list(rows)))


def undo_manifest(reviewed: Path, out: Path) -> int:
    """Write the manifest `out` with the labels from before a review; how many rows it has.

    Raises `UsageError` for a manifest that no review made, or an `out` that exists.
    """
    _refuse_existing(out)
    with reviewed.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        names = list(reader.fieldnames or ())
        if not {"path", "label", BEFORE, _DECISION} <= set(names):
            raise UsageError(
                f"{reviewed} was not made by a review", hint="eactf data apply makes such files"
            )
        rows = list(reader)
    kept = [name for name in names if name not in (BEFORE, _DECISION)]
    old, new = reviewed.absolute().parent, out.absolute().parent
    before = [{**row, "path": _path(old / row["path"], new), "label": row[BEFORE]} for row in rows]
    cells = [[row[name] for name in kept] for row in before]
    write_text(out, _csv_text(kept, cells))
    return len(rows)


def _columns(
    original: Listing, applied: Applied, images: FileImages, folder: Path
) -> Mapping[str, Sequence[object]]:
    """The columns by name; the first five are `path`, `label`, `split`, and the review's own."""
    names = (*original.class_names, "")  # the label -1 has none
    decisions = [""] * len(original)
    for change in applied.changes:
        decisions[change.row] = "drop" if change.label is None else "relabel"
    columns: dict[str, Sequence[object]] = {
        "path": [_path(images.path(row), folder) for row in range(len(original))],
        "label": [names[label] for label in applied.listing.given.tolist()],
        "split": [SPLITS[split] for split in original.splits.tolist()],
        BEFORE: [names[label] for label in original.given.tolist()],
        _DECISION: decisions,
    }
    known = {} if original.clean is None else {"clean": original.clean}
    for name, labels in {**known, **original.labels}.items():
        columns.setdefault(name, [names[label] for label in labels.tolist()])
    for name, values in original.values.items():
        columns.setdefault(name, ["" if np.isnan(v) else f"{v:.9g}" for v in values.tolist()])
    if original.votes is not None:
        for name, votes in zip(original.vote_columns, original.votes.T, strict=True):
            columns.setdefault(name, [f"{vote:g}" for vote in votes.tolist()])
    for name, texts in original.columns.items():
        columns.setdefault(name, texts.tolist())
    return columns


def _path(path: Path, folder: Path) -> str:
    """Relative to the manifest's folder where it lies in it, else absolute."""
    whole = path.absolute()
    inside = whole.is_relative_to(folder)
    return (whole.relative_to(folder) if inside else whole).as_posix()


def _csv_text(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    try:
        text.getvalue().encode()
    except UnicodeEncodeError as fault:
        raise DataError(
            "a file's name is no UTF-8, which a manifest cannot hold",
            hint="write a packed file: -o reviewed.h5",
        ) from fault
    return text.getvalue()


def _refuse_existing(out: Path) -> None:
    if out.exists():
        raise UsageError(f"{out} exists and is left as it is", hint="choose another name: -o")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"the folder of {out} does not exist", hint="make it, or choose another")

"""`write_reviewed` makes a new packed file of reviewed data, and what takes its changes back.

::

    reviewed.h5             the data as decided, the old labels in the label set `before_review`
    reviewed.changes.csv    every change, a line each
    reviewed.before.h5      the samples that were changed or dropped, as they were before
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eactf.errors import UsageError
from eactf.files import write_text
from eactf.intake.listing import Listing
from eactf.intake.pack_report import PackReport
from eactf.intake.packing import pack
from eactf.packed.records import SPLITS
from eactf.review.applying import Applied

__all__ = ["NOTE", "Beside", "write_reviewed"]

NOTE = "review"
"""The note of a packed file that says what a review changed."""

_HEADER = ("place", "id", "filepath", "split", "change", "from", "to")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Beside:
    """The files that lie beside a reviewed one."""

    changes: Path
    before: Path

    @classmethod
    def of(cls, out: Path) -> Beside:
        """Those of the file `out`."""
        stem = out.with_suffix("")
        return cls(
            stem.with_name(f"{stem.name}.changes.csv"), stem.with_name(f"{stem.name}.before.h5")
        )

    def refuse_existing(self) -> None:
        """Raise `UsageError` where one of them is there: it is of another review."""
        for path in (self.changes, self.before):
            if path.exists():
                raise UsageError(
                    f"{path} exists, of an earlier review", hint="choose another name: -o"
                )


def write_reviewed(
    original: Listing,
    applied: Applied,
    out: Path,
    *,
    progress: Progress | None = None,
) -> PackReport:
    """Pack the data as decided into `out`; the files that say what changed come first.

    Raises `UsageError` where one of the three files exists, and what `pack` raises; then none of
    them is left behind.
    """
    beside = Beside.of(out)
    beside.refuse_existing()
    if out.exists():
        raise UsageError(f"{out} exists and is left as it is", hint="choose another name: -o")
    rows = np.array([change.row for change in applied.changes], np.int64)
    try:
        if len(rows):
            _write_before(original, rows, beside.before)
        write_text(beside.changes, _changes_csv(original, applied))
        reviewed = replace(applied.listing, notes={**original.notes, NOTE: _note(applied)})
        return pack(reviewed, out, progress=progress, keep_list=False)
    except BaseException:
        for path in (beside.before, beside.changes):
            path.unlink(missing_ok=True)
        raise


def _write_before(original: Listing, rows: np.ndarray, path: Path) -> None:
    """Pack the samples at `rows` as they were; no image may be left out of it."""
    changed = np.full(len(original), -1, np.int64)
    changed[rows] = original.given[rows]
    pack(replace(original, given=changed), path, max_bad=0.0, keep_list=False)


def _note(applied: Applied) -> dict[str, object]:
    sets = [*applied.listing.labels]
    return {
        "relabelled": applied.relabelled,
        "dropped": int(applied.dropped.sum()),
        "kept": applied.kept,
        "labels_before": sets[-1],
    }


def _changes_csv(original: Listing, applied: Applied) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADER)
    places = _places(original)
    for one in applied.changes:
        number = "" if one.id is None else one.id
        change, to = ("drop", "") if one.label is None else ("relabel", one.label)
        place = int(places[one.row])
        writer.writerow([place, number, one.filepath, one.split, change, one.given, to])
    return text.getvalue()


def _places(original: Listing) -> np.ndarray:
    """Where each sample stands in a packed file, `(n,)`: split after split, with a label."""
    splits = np.where(original.given >= 0, original.splits, len(SPLITS))
    places = np.empty(len(original), np.int64)
    places[np.argsort(splits, kind="stable")] = np.arange(len(original))
    return places

"""What a finished run left about each of its training samples, read from its folder."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.foreign import reason_of

__all__ = ["RunTraces", "read_table", "read_traces"]


class RunTraces(dict[str, np.ndarray]):
    """The arrays of `traces.npz`, as `SampleTraces.means` gives them, rows by sorted id."""

    def of(self, ids: np.ndarray) -> Mapping[str, np.ndarray]:
        """The rows of samples `ids` `(n,)`, in their order; nan for one that is not there."""
        known = self["ids"]
        rows = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        missing = known[rows] != ids
        found = {}
        for name, array in self.items():
            values = array[rows].astype(np.float64)
            values[missing] = np.nan
            found[name] = values
        return found


def read_traces(folder: Path) -> RunTraces | None:
    """The traces of a run; None where it left none, `DataError` where they are damaged."""
    path = folder / "traces.npz"
    if not path.is_file():
        return None
    try:
        # Opened here: of a damaged archive NumPy leaves the file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            found = RunTraces({name: stored[name] for name in stored.files})
        lengths = {len(found[name]) for name in ("ids", "seen", "loss", "margin", "probabilities")}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as fault:
        raise DataError(
            f"{path} is damaged: {reason_of(fault)}",
            hint="without it a run is audited by its last network: move it away",
        ) from fault
    if len(lengths) != 1 or not np.all(np.diff(found["ids"]) > 0):
        raise DataError(f"{path} is damaged: its arrays do not fit together")
    return found


def read_table(path: Path, ids: np.ndarray, columns: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Columns of numbers of a table by id, `(n,)` for `ids`: `columns` maps its names to ours.

    Nan where a sample has none; a file or column that is not there gives nothing.
    """
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        present = {c: ours for c, ours in columns.items() if c in (reader.fieldnames or ())}
        rows = {int(row["id"]): row for row in reader} if present else {}
    empty: dict[str, str] = {}
    return {
        ours: np.array([float(rows.get(number, empty).get(c) or "nan") for number in ids.tolist()])
        for c, ours in present.items()
    }

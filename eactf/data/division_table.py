"""`kept_by_all` reads from the table of a division which labels were kept. NumPy only."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from eactf.foreign import reason_of

__all__ = ["kept_by_all"]


def kept_by_all(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Ids `(N,)` int64, and `(N,)` bool whether every network keeps the label.

    `path` is a run's folder or the `division.csv` in it, as `Division.csv_text` writes it. Raises
    `ValueError`, with the line, where there is no such file or it is no such table.
    """
    table = Path(path)
    table = table / "division.csv" if table.is_dir() else table
    try:
        with table.open(encoding="utf-8", newline="") as text:
            return _read(table, csv.DictReader(text))
    except OSError as reason:
        raise ValueError(
            f"{table} cannot be read ({reason.strerror}): give the folder of a run that divided "
            "its labels, such as one of TwoNetworks, or its division.csv"
        ) from reason
    except (UnicodeDecodeError, csv.Error) as reason:
        raise ValueError(f"{table} is no table of text: {reason_of(reason)}") from reason


def _read(table: Path, rows: csv.DictReader[str]) -> tuple[np.ndarray, np.ndarray]:
    names = [name for name in rows.fieldnames or () if name.startswith("kept_")]
    if "id" not in (rows.fieldnames or ()) or not names:
        raise ValueError(
            f"{table}, line 1: a division has the columns id, clean_1, ..., kept_1, ...; found "
            f"{', '.join(rows.fieldnames or ()) or 'nothing'}"
        )
    ids, kept = [], []
    for row in rows:
        marks = [row[name] for name in names]
        if not (row["id"] or "").isdecimal() or any(mark not in ("0", "1") for mark in marks):
            raise ValueError(
                f"{table}, line {rows.line_num}: id must be a whole number and kept 0 or 1; found "
                f"{row['id']!r} and {', '.join(map(repr, marks))}"
            )
        ids.append(int(str(row["id"])))
        kept.append(all(mark == "1" for mark in marks))
    return np.array(ids, np.int64), np.array(kept, bool)

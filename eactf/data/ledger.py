"""The record of every label that training changed: it can be replayed, and undone."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eactf.errors import DataError
from eactf.files import write_text

__all__ = ["RelabelLedger"]

_COLUMNS = ("epoch", "id", "from", "to", "evidence")


@dataclass(frozen=True)
class RelabelLedger:
    """Changes of labels in the order they were made; entry `i` of every array is one change.

    `epochs` (from 1), `ids`, `old` and `new` (class indices) are `(n,)` int64; `evidence` `(n,)`
    float64 is what spoke for the change, for SCN the margin of probability, in (0, 1].

    >>> ledger = RelabelLedger.empty().extended(10, [7, 3], [0, 1], [2, 2], [0.4, 0.3])
    >>> ids, labels = np.array([3, 5, 7]), np.array([1, 1, 0])
    >>> ledger.replay(ids, labels)
    array([2, 1, 2])
    >>> ledger.undo(ids, ledger.replay(ids, labels))
    array([1, 1, 0])
    """

    epochs: np.ndarray
    ids: np.ndarray
    old: np.ndarray
    new: np.ndarray
    evidence: np.ndarray

    @classmethod
    def empty(cls) -> RelabelLedger:
        """A ledger without entries."""
        none = np.zeros(0, np.int64)
        return cls(none, none, none, none, np.zeros(0))

    def __len__(self) -> int:
        return len(self.ids)

    def extended(
        self,
        epoch: int,
        ids: Sequence[int] | np.ndarray,
        old: Sequence[int] | np.ndarray,
        new: Sequence[int] | np.ndarray,
        evidence: Sequence[float] | np.ndarray,
    ) -> RelabelLedger:
        """This ledger with the changes of `epoch` behind it; `DataError` for an earlier epoch."""
        if len(self) and epoch < self.epochs[-1]:
            raise DataError(f"the ledger is at epoch {self.epochs[-1]}, received epoch {epoch}")

        def behind(column: np.ndarray, more: Any, dtype: type) -> np.ndarray:
            return np.concatenate([column, np.asarray(more, dtype)])

        return RelabelLedger(
            epochs=behind(self.epochs, np.full(len(ids), epoch), np.int64),
            ids=behind(self.ids, ids, np.int64),
            old=behind(self.old, old, np.int64),
            new=behind(self.new, new, np.int64),
            evidence=behind(self.evidence, evidence, np.float64),
        )

    def replay(
        self, ids: np.ndarray, labels: np.ndarray, *, through_epoch: int | None = None
    ) -> np.ndarray:
        """`labels` `(m,)` of `ids` as they stand after `through_epoch` (None: after all).

        Starts from the labels as given. Raises `DataError` where a sample is not among `ids` or
        does not have the label that an entry changes: the ledger is then another data set's.
        """
        last = np.inf if through_epoch is None else through_epoch
        entries = np.flatnonzero(self.epochs <= last)
        return self._walk(ids, labels, entries, self.old, self.new)

    def undo(self, ids: np.ndarray, labels: np.ndarray, *, back_to_epoch: int = 0) -> np.ndarray:
        """`labels` after all changes as they stood at the end of `back_to_epoch` (0: as given)."""
        entries = np.flatnonzero(self.epochs > back_to_epoch)[::-1]
        return self._walk(ids, labels, entries, self.new, self.old)

    def write_csv(self, path: Path, class_names: Sequence[str]) -> None:
        """Write the ledger with class names for the labels, whole or not at all."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for epoch, sample, old, new, evidence in self._rows():
            writer.writerow([epoch, sample, class_names[old], class_names[new], f"{evidence:.6g}"])
        write_text(path, text.getvalue())

    @classmethod
    def read_csv(cls, path: Path, class_names: Sequence[str]) -> RelabelLedger:
        """Read what `write_csv` wrote; `DataError` with file and line for what does not fit."""
        index = {name: number for number, name in enumerate(class_names)}
        rows = []
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            if tuple(next(reader, ())) != _COLUMNS:
                raise DataError(f"{path}, line 1: expected the columns {', '.join(_COLUMNS)}")
            for row in reader:
                try:
                    epoch, sample, old, new, evidence = row
                    rows.append((int(epoch), int(sample), index[old], index[new], float(evidence)))
                except (ValueError, KeyError):
                    raise DataError(
                        f"{path}, line {reader.line_num}: expected epoch, id, two classes of the "
                        f"data set and a number; received {','.join(row)!r}"
                    ) from None
        if not rows:
            return cls.empty()
        epochs, ids, before, after, margins = (
            np.array(column) for column in zip(*rows, strict=True)
        )
        return cls(epochs, ids, before, after, margins)

    def _rows(self) -> Iterator[tuple[int, int, int, int, float]]:
        columns = (self.epochs, self.ids, self.old, self.new, self.evidence)
        yield from zip(*(column.tolist() for column in columns), strict=True)

    def _walk(
        self,
        ids: np.ndarray,
        labels: np.ndarray,
        entries: np.ndarray,
        before: np.ndarray,
        after: np.ndarray,
    ) -> np.ndarray:
        place = {int(sample): row for row, sample in enumerate(ids)}
        changed = np.array(labels, np.int64)
        for entry in entries.tolist():
            row = place.get(int(self.ids[entry]))
            if row is None or changed[row] != before[entry]:
                held = "is not there" if row is None else f"has label {changed[row]}"
                raise DataError(
                    f"the ledger's sample {self.ids[entry]} (epoch {self.epochs[entry]}) {held}, "
                    f"expected label {before[entry]}",
                    hint="use the ledger with the labels that the same run began with",
                )
            changed[row] = after[entry]
        return changed

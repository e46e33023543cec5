"""A ledger records every label that training changed, so that changes can be replayed or undone."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eactf.errors import DataError
from eactf.files import write_text

__all__ = ["RelabelLedger"]

_COLUMNS = ("epoch", "id", "from", "to", "evidence")


@dataclass(frozen=True, eq=False)
class RelabelLedger:
    """Changes of labels in the order they were made; entry `i` of every array is one change.

    `epochs` (from 1), `ids`, `old` and `new` (class indices) are `(n,)` int64; `evidence` `(n,)`
    float64 is what spoke for the change, for SCN the margin of probability, in (0, 1]. Columns of
    other shapes or unequal length are refused with `DataError`.

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

    def __post_init__(self) -> None:
        shapes = {name: column.shape for name, column in self.columns().items()}
        if len(set(shapes.values())) > 1 or len(self.ids.shape) != 1:
            received = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
            raise DataError(
                f"a ledger's columns must be (n,), one value a change each; received {received}"
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RelabelLedger):
            return NotImplemented
        pairs = zip(self.columns().values(), other.columns().values(), strict=True)
        return all(np.array_equal(own, others) for own, others in pairs)

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
        """This ledger with the changes of `epoch` behind it.

        Raises `DataError` for an earlier epoch and for columns of unequal length.
        """
        if len(self) and epoch < self.epochs[-1]:
            raise DataError(f"the ledger is at epoch {self.epochs[-1]}, received epoch {epoch}")
        epochs = np.full(np.shape(ids), epoch)
        more = RelabelLedger.from_columns(
            {"epochs": epochs, "ids": ids, "old": old, "new": new, "evidence": evidence}
        )
        behind = more.columns()
        return RelabelLedger(
            **{name: np.concatenate([c, behind[name]]) for name, c in self.columns().items()}
        )

    def through(self, epoch: int) -> RelabelLedger:
        """This ledger without the changes after `epoch`."""
        kept = self.epochs <= epoch
        return RelabelLedger(**{name: column[kept] for name, column in self.columns().items()})

    def columns(self) -> dict[str, np.ndarray]:
        """The five arrays by name, as `from_columns` takes them."""
        named = ("epochs", "ids", "old", "new", "evidence")
        return {name: getattr(self, name) for name in named}

    @classmethod
    def from_columns(cls, columns: Mapping[str, Any]) -> RelabelLedger:
        """A ledger of five columns by name, each converted to its dtype."""
        dtypes = {name: column.dtype for name, column in cls.empty().columns().items()}
        return cls(**{name: np.asarray(columns[name], dtype) for name, dtype in dtypes.items()})

    def replay(
        self, ids: np.ndarray, labels: np.ndarray, *, through_epoch: int | None = None
    ) -> np.ndarray:
        """`labels` `(m,)` of `ids` as they stand after `through_epoch` (None: after all).

        Starts from the labels as given. Raises `DataError` where a sample is not among `ids` or
        does not have the label that an entry changes: the ledger is then another data set's. Also
        where `ids` names a sample twice, or there are not as many labels as ids.
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
        yield from zip(*(column.tolist() for column in self.columns().values()), strict=True)

    def _walk(
        self,
        ids: np.ndarray,
        labels: np.ndarray,
        entries: np.ndarray,
        before: np.ndarray,
        after: np.ndarray,
    ) -> np.ndarray:
        place = _places(ids)
        changed = np.array(labels, np.int64)
        if changed.shape != (len(place),):
            raise DataError(
                f"expected one label for each of the {len(place)} ids; received labels of shape "
                f"{changed.shape}"
            )
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


def _places(ids: np.ndarray) -> dict[int, int]:
    """The row of each sample; `DataError` for a sample that stands there twice."""
    place = {int(sample): row for row, sample in enumerate(ids)}
    if len(place) < len(ids):
        values, counts = np.unique(ids, return_counts=True)
        raise DataError(
            f"ids must name each sample once; received {values[counts.argmax()]} "
            f"{counts.max()} times",
            hint="take one row of each sample",
        )
    return place

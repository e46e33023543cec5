"""The record of the images a run saw, `samples.csv` in its folder, and what it says of other data.

Later data is held against it by content: what was trained on can be told wherever it turns up,
under whatever name, in a folder that has grown or in another file.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from eactf.data.prepare import PreparedData
from eactf.errors import DataError
from eactf.foreign import reason_of
from eactf.packed.identity import digests_of
from eactf.packed.records import SPLITS, Dataset, Samples

__all__ = ["FILE_NAME", "UNUSED", "RunRecord", "record_of"]

FILE_NAME = "samples.csv"

UNUSED = "unused"
"""The part of the images of the training split that were neither trained on nor held out."""

_HEADER = ["part", "id", "digest", "name"]
_PARTS = (*SPLITS, UNUSED)


@dataclass(frozen=True)
class RunRecord:
    """Which images a run trained on, was watched on and was judged on.

    Row `i` of all arrays is one image: `part` `(n,)` indexes `SPLITS` and then `UNUSED`; `ids`
    `(n,)` int64; `digests` `(n,)` uint64, of the contents; `names` `(n,)` texts, "" for images
    without one.
    """

    part: np.ndarray
    ids: np.ndarray
    digests: np.ndarray
    names: np.ndarray

    @cached_property
    def _digests_by_part(self) -> Mapping[str, np.ndarray]:
        return {name: self.digests[self.part == index] for index, name in enumerate(_PARTS)}

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all contents, whatever their order, in hexadecimal."""
        return _fingerprint(self.digests)

    def holds(self, digests: np.ndarray, *parts: str) -> np.ndarray:
        """Which of `digests` `(m,)` the run had in one of `parts`, as booleans `(m,)`."""
        known = np.concatenate([self._digests_by_part[part] for part in parts])
        return np.isin(digests, known)

    def had(self, part: str) -> bool:
        """Whether the run had images in `part`."""
        return len(self._digests_by_part[part]) > 0

    def change(self, dataset: Dataset) -> str:
        """What is other in `dataset` than the run had it, in words; empty where nothing is."""
        now = np.concatenate([digests_of(part) for part in dataset.splits.values()])
        if _fingerprint(now) == self.fingerprint:
            return ""
        new = int((~np.isin(now, self.digests)).sum())
        gone = int((~np.isin(self.digests, now)).sum())
        found = [f"{new:,} new"] * bool(new) + [f"{gone:,} gone or changed"] * bool(gone)
        return f"images {', '.join(found)}" if found else "copies of images added or removed"

    def csv_bytes(self) -> bytes:
        """The record as CSV, a row an image, in the order of the parts and then of the ids."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_HEADER)
        for row in np.lexsort((self.ids, self.part)).tolist():
            digest = f"{int(self.digests[row]):016x}"
            part, number = _PARTS[self.part[row]], int(self.ids[row])
            writer.writerow([part, number, digest, str(self.names[row])])
        return text.getvalue().encode(errors="backslashreplace")

    @classmethod
    def read(cls, path: Path) -> RunRecord | None:
        """The record in the file `path`, None where there is none; `DataError` for a broken one."""
        if not path.is_file():
            return None
        try:
            with path.open(encoding="utf-8", newline="") as file:
                header, *rows = csv.reader(file)
            if header != _HEADER:
                raise ValueError(f"expected the header {','.join(_HEADER)}")
            parts, ids, digests, names = zip(*rows, strict=True)
            return cls(
                np.array([_PARTS.index(part) for part in parts], np.uint8),
                np.array([int(number) for number in ids], np.int64),
                np.array([int(digest, 16) for digest in digests], np.uint64),
                np.array(names),
            )
        except (ValueError, OverflowError, csv.Error, OSError) as reason:
            raise DataError(
                f"{path}, the record of the images of the run, cannot be read: {reason_of(reason)}",
                hint="it was changed after the run; without it nobody can say what is unseen",
            ) from reason


def record_of(data: PreparedData) -> RunRecord:
    """The record of a run on `data`."""
    parts: dict[str, Samples | None] = {
        "train": data.train,
        "validation": data.validation,
        "test": data.test,
        UNUSED: _unused(data),
    }
    present = [(index, part) for index, name in enumerate(_PARTS) if (part := parts[name])]
    return RunRecord(
        np.concatenate([np.full(len(part), index, np.uint8) for index, part in present]),
        np.concatenate([part.ids for _, part in present]),
        np.concatenate([digests_of(part) for _, part in present]),
        np.concatenate([_names(part) for _, part in present]),
    )


def _fingerprint(digests: np.ndarray) -> str:
    return hashlib.sha256(np.sort(digests).astype("<u8").tobytes()).hexdigest()


def _unused(data: PreparedData) -> Samples | None:
    whole = data.dataset.splits["train"]
    used = np.concatenate([data.train.ids, data.validation.ids])
    rows = np.flatnonzero(~np.isin(whole.ids, used))
    return whole.take(rows) if len(rows) else None


def _names(samples: Samples) -> np.ndarray:
    return np.full(len(samples), "") if samples.names is None else samples.names

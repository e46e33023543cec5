"""A noise manifest records each sample's given and true label, and how the noise was made."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.foreign import reason_of
from eactf.noise.draw import realised_rate
from eactf.noise.files import write_atomically

__all__ = ["NoiseManifest"]

_HEADER = ["id", "given", "clean", "given_name", "clean_name"]


@dataclass(frozen=True)
class NoiseManifest:
    """Ids, given and clean labels of the samples, with the noise that made them.

    `ids`, `given` and `clean` are `(n,)` int64 (`clean` -1 where unknown). `requested` is the rate
    that was asked for, None where the labels were taken as they are. `dropped` samples had no
    label in the chosen set and are not here.
    """

    class_names: tuple[str, ...]
    ids: np.ndarray
    given: np.ndarray
    clean: np.ndarray
    kind: str = ""
    requested: float | None = None
    dropped: int = 0

    @property
    def realised(self) -> float:
        """Share of the labels that differ from the clean one; nan where none is known."""
        return realised_rate(self.given, self.clean)

    def csv_bytes(self) -> bytes:
        """The manifest as CSV, a row a sample in the order of the ids."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_HEADER)
        names = (*self.class_names, "")  # index -1, unknown, has no name
        for row in np.argsort(self.ids, kind="stable"):
            given, clean = int(self.given[row]), int(self.clean[row])
            writer.writerow([int(self.ids[row]), given, clean, names[given], names[clean]])
        return text.getvalue().encode()

    @property
    def sha256(self) -> str:
        """SHA-256 of the manifest's file, in hexadecimal."""
        return hashlib.sha256(self.csv_bytes()).hexdigest()

    def write_csv(self, path: str | Path) -> str:
        """Write the manifest, atomically; its SHA-256."""
        content = self.csv_bytes()
        write_atomically(Path(path), content)
        return hashlib.sha256(content).hexdigest()

    @classmethod
    def read_csv(cls, path: str | Path, class_names: tuple[str, ...]) -> NoiseManifest:
        """Read a manifest back; `DataError` names the line that does not fit `class_names`."""
        path = Path(path)
        if not path.is_file():
            raise UsageError(f"label manifest {path} does not exist", hint="check the path")
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.reader(file))
        except (csv.Error, UnicodeDecodeError) as error:
            raise DataError(f"{path} is not a CSV text file: {reason_of(error)}") from error
        if not rows or rows[0] != _HEADER:
            raise DataError(f"{path}, line 1: expected the header {','.join(_HEADER)}")
        parsed = [
            _parse(path, line, row, class_names) for line, row in enumerate(rows[1:], start=2)
        ]
        table = np.array(parsed, dtype=np.int64).reshape(-1, 3)
        return cls(class_names, table[:, 0], table[:, 1], table[:, 2])


def _parse(
    path: Path, line: int, row: list[str], class_names: tuple[str, ...]
) -> tuple[int, int, int]:
    names = (*class_names, "")
    try:
        number, given, clean = (int(cell) for cell in row[:3])
        fits = 0 <= given < len(class_names) and -1 <= clean < len(class_names)
        if fits and row[3:] == [names[given], names[clean]]:
            return number, given, clean
    except ValueError:
        pass
    raise DataError(
        f"{path}, line {line}: expected id,given,clean with the names of those classes,"
        f" received {','.join(row)[:80]}",
        hint="the manifest belongs to a data set with other classes, or was edited",
    )

"""RAF-DB style label files: one line an image, `name label`, labels from 1 in RAF-DB's order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.files import write_bytes
from eactf.foreign import reason_of

__all__ = [
    "RAF_CLASSES",
    "NoiseFile",
    "read_noise_file",
    "stem",
    "write_atomically",
    "write_noise_file",
]

RAF_CLASSES = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
"""RAF-DB's classes in the order of its labels 1 to 7, under FERPlus's names."""

_FORM = "one line an image: its name, one space, its label"


@dataclass(frozen=True)
class NoiseFile:
    """A label file: `names` `(n,)` text and `labels` `(n,)` int64 from 0, in the file's order."""

    names: np.ndarray
    labels: np.ndarray

    def by_stem(self, path: Path) -> dict[str, int]:
        """Label by `stem` of the name; `DataError` where two lines contradict each other."""
        found: dict[str, int] = {}
        for name, label in zip(self.names.tolist(), self.labels.tolist(), strict=True):
            if found.setdefault(stem(name), label) != label:
                raise DataError(
                    f"{path}: {name} has more than one label", hint="keep one line an image"
                )
        return found


def read_noise_file(
    path: str | Path, *, base: int = 1, classes: int = len(RAF_CLASSES)
) -> NoiseFile:
    """Read a label file such as the EAC authors' `noise01.txt`.

    `base` is the label of the first class (the EAC authors' files start at 1, SCN's at 0). Raises
    `UsageError` where there is no file, `DataError` with file and line for what does not fit.
    """
    path = Path(path)
    names, labels = [], []
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        name, space, label = line.rpartition(" ")
        if not space or not name.strip() or name != name.strip():
            raise _wrong(path, number, _FORM, repr(line[:60]))
        if not (label.isascii() and label.isdigit() and base <= int(label[:9]) < base + classes):
            hint = "for labels that start at 0 say so (base=0)" if label == "0" else None
            expected = f"a label {base} to {base + classes - 1}"
            raise _wrong(path, number, expected, repr(label[:40]), hint)
        names.append(name)
        labels.append(int(label) - base)
    if not names:
        raise DataError(f"{path} has no labels", hint=_FORM)
    return NoiseFile(np.array(names), np.array(labels, dtype=np.int64))


def write_noise_file(
    path: str | Path, names: Sequence[str] | np.ndarray, labels: np.ndarray, *, base: int = 1
) -> None:
    """Write `labels` (from 0, in the order the file is to have) under `names`, atomically."""
    if len(names) != len(labels):
        raise DataError(f"{len(names)} names for {len(labels)} labels")
    lines = []
    for name, label in zip(names, np.asarray(labels).tolist(), strict=True):
        if not str(name) or str(name) != str(name).strip() or "\n" in str(name):
            raise DataError(f"the name {str(name)!r} does not fit in a label file", hint=_FORM)
        if label < 0:
            raise DataError(f"{name} has no label: expected 0 or more, received {label}")
        lines.append(f"{name} {label + base}\n")
    write_atomically(Path(path), "".join(lines).encode())


def stem(name: str) -> str:
    """What identifies an image: its name without folder, ending and RAF-DB's `_aligned`.

    >>> stem("aligned/train_00001_aligned.jpg")
    'train_00001'
    """
    return PurePosixPath(name.replace("\\", "/")).stem.removesuffix("_aligned")


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all; `DataError` where it cannot be."""
    try:
        write_bytes(path, content)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {reason_of(error)}") from error


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise UsageError(f"label file {path} does not exist", hint="check the path")
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file: {reason_of(error)}", hint=_FORM) from error


def _wrong(
    path: Path, line: int, expected: str, received: str, hint: str | None = None
) -> DataError:
    return DataError(f"{path}, line {line}: expected {expected}, received {received}", hint=hint)

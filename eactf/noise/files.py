"""This module reads and writes label files such as RAF-DB's: a line for each image, name and label.

RAF-DB's are of the form `name label` with labels from 1 in an order of its own. Files of other
people have a comma or a tab between the two, count from 0, or write the classes' names.
"""

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

_FORM = "one line an image: its name, one space (or a comma or a tab), its label"
_SEPARATORS = ("\t", ",", ";", " ")


@dataclass(frozen=True)
class NoiseFile:
    """A label file: `names` `(n,)` text and `labels` `(n,)` int64 from 0, in the file's order."""

    names: np.ndarray
    labels: np.ndarray

    def by_stem(self, path: Path) -> dict[str, int]:
        """Label by `stem` of the name; `DataError` where two lines contradict each other."""
        return self._by([stem(name) for name in self.names.tolist()], path)

    def by_name(self, path: Path) -> dict[str, int]:
        """Label by the whole name; `DataError` where two lines contradict each other."""
        return self._by(self.names.tolist(), path)

    def _by(self, keys: list[str], path: Path) -> dict[str, int]:
        found: dict[str, int] = {}
        for key, name, label in zip(keys, self.names, self.labels.tolist(), strict=True):
            if found.setdefault(key, label) != label:
                raise DataError(
                    f"{path}: {name} has more than one label", hint="keep one line an image"
                )
        return found


def read_noise_file(
    path: str | Path,
    *,
    base: int | None = 1,
    class_names: Sequence[str] = RAF_CLASSES,
    base_option: str = "base=0",
) -> NoiseFile:
    """Read a label file such as the EAC authors' `noise01.txt`.

    Labels are numbers in the order of `class_names`, or those names themselves. `base` is the
    number of the first class (the EAC authors' files start at 1, SCN's at 0); None tells it by the
    file: 0 where one label is 0, else 1. Blank, comma, semicolon or tab stands before the label. A
    first line whose label is neither is a header. `base_option` is how an error's hint writes that
    labels start at 0.

    Raises `UsageError` where there is no file, `DataError` with file and line for what does not
    fit.
    """
    path = Path(path)
    lines = [(number, line) for number, line in enumerate(_lines(path), 1) if line.strip()]
    if not lines:
        raise DataError(f"{path} has no labels", hint=_FORM)
    separator = _separator([line for _, line in lines])
    rows = [(number, *_split(path, number, line, separator)) for number, line in lines]
    index = {name: label for label, name in enumerate(class_names)}
    if len(rows) > 1 and not _is_label(rows[0][2], index) and _is_label(rows[1][2], index):
        rows = rows[1:]
    if base is None:
        base = 0 if any(label.isdigit() and int(label[:9]) == 0 for _, _, label in rows) else 1
    expected = f"a label {base} to {base + len(class_names) - 1}"
    labels = []
    for number, _, label in rows:
        found = index.get(label)
        if found is None and label.isascii() and label.isdigit():
            found = int(label[:9]) - base
        if found is None or not 0 <= found < len(class_names):
            hint = f"for labels that start at 0 say so ({base_option})" if label == "0" else None
            raise _wrong(path, number, expected, repr(label[:40]), hint)
        labels.append(found)
    names = [name for _, name, _ in rows]
    return NoiseFile(np.array(names), np.array(labels, dtype=np.int64))


def _is_label(text: str, index: dict[str, int]) -> bool:
    return text.isdigit() or text in index


def _separator(lines: list[str]) -> str:
    """What stands before the label: the first that every line has, a blank where none is."""
    return next((one for one in _SEPARATORS if all(one in line for line in lines)), " ")


def _split(path: Path, number: int, line: str, separator: str) -> tuple[str, str]:
    name, found, label = line.rpartition(separator)
    if separator != " ":
        name, label = name.strip().strip('"'), label.strip().strip('"')
    if not found or not name.strip() or name != name.strip():
        raise _wrong(path, number, _FORM, repr(line[:60]))
    return name, label


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

"""`read_batch` reads a file of CIFAR's python version: a pickle of pixels, labels and names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.safe_pickle import load_pickle

__all__ = ["Batch", "read_batch", "read_names"]

SIDE = 32
_MAX_BYTES = 1 << 29  # the largest published file has 155 MB


@dataclass(frozen=True)
class Batch:
    """A batch: `images` `(n, 32, 32, 3)` uint8, everything else by its key as it was stored."""

    path: Path
    images: np.ndarray
    content: Mapping[str, object]

    def __len__(self) -> int:
        return len(self.images)

    def labels(self, key: str, classes: int) -> np.ndarray:
        """The labels under `key`, `(n,)` int64; raises `DataError` for any that is none."""
        values = self.content.get(key)
        if not isinstance(values, list | np.ndarray) or len(values) != len(self):
            raise DataError(f"{self.path}: {key}: expected a label for each of {len(self)} images")
        labels = np.asarray(values)
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise DataError(f"{self.path}: {key}: expected whole numbers")
        if labels.min() < 0 or labels.max() >= classes:
            raise DataError(
                f"{self.path}: {key}: expected 0 to {classes - 1},"
                f" received {labels.min()} to {labels.max()}"
            )
        return labels.astype(np.int64)

    @property
    def filenames(self) -> list[str]:
        """The published file names, empty where there are none."""
        names = self.content.get("filenames")
        if not isinstance(names, list) or len(names) != len(self):
            return [""] * len(self)
        return [_text(name) for name in names]


def read_batch(path: Path) -> Batch:
    """Read one batch. Raises `UnsafeFileError` and `DataError` as `load_pickle` does."""
    content = _read_dictionary(path)
    data = content.get("data")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8:
        raise DataError(f"{path}: data: expected an array of uint8")
    if data.ndim != 2 or data.shape[1] != 3 * SIDE * SIDE or not len(data):
        raise DataError(f"{path}: data: expected shape (n, {3 * SIDE * SIDE}), not {data.shape}")
    images = np.asarray(data).reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return Batch(path, images, content)


def read_names(path: Path, key: str) -> tuple[str, ...]:
    """The class names under `key` of a file of facts, `batches.meta` or `meta`."""
    names = _read_dictionary(path).get(key)
    if not isinstance(names, list) or not names:
        raise DataError(f"{path}: {key}: expected a list of names")
    texts = tuple(_text(name) for name in names)
    if "" in texts or len(set(texts)) < len(texts):
        raise DataError(f"{path}: {key}: expected unique names, received {texts[:20]}")
    return texts


def _read_dictionary(path: Path) -> dict[str, object]:
    size = path.stat().st_size
    if size > _MAX_BYTES:
        raise DataError(f"{path} has {size:,} bytes: no file of CIFAR is that large")
    with path.open("rb") as file:
        content = load_pickle(file, where=str(path))
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a dictionary, received {type(content).__name__}")
    return {_text(key): value for key, value in content.items()}


def _text(value: object) -> str:
    """A text of the file; Python 2 wrote texts as what are bytes now."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)

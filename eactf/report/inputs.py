"""This module digests the files a run reads, so that a change of their contents is noticed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from eactf.recipe import Recipe

__all__ = ["inputs_digest"]

_WHOLE = 2**30
_BLOCK = 2**20
_BLOCKS = 256


def inputs_digest(recipe: Recipe) -> bytes:
    """A digest of the data, label files and weights that `recipe` names: 32 bytes.

    A file counts by its contents; one beyond a gigabyte by its size, its time of change and 256
    blocks of it; a folder by the names, sizes and times of the files in it. What is not there
    counts as such: training tells of it.
    """
    digest = hashlib.sha256()
    for name in (recipe.data.path, recipe.noise.path, recipe.model.weights):
        digest.update(b"-" if name is None else _contents(Path(name)))
    return digest.digest()


def _contents(path: Path) -> bytes:
    if path.is_dir():
        return hashlib.sha256("\n".join(_listing(path)).encode()).digest()
    if not path.is_file():
        return b"missing"
    status = path.stat()
    return _file_digest(path, status.st_size, status.st_mtime_ns)


def _listing(folder: Path) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            status = path.lstat()
            yield f"{path.relative_to(folder)}\t{status.st_size}\t{status.st_mtime_ns}"


# The cells of a table share their files: each is read once.
@lru_cache(maxsize=64)
def _file_digest(path: Path, size: int, changed: int) -> bytes:
    with path.open("rb") as file:
        if size <= _WHOLE:
            return hashlib.file_digest(file, "sha256").digest()
        digest = hashlib.sha256(f"{size} {changed}".encode())
        for number in range(_BLOCKS):
            file.seek(number * (size - _BLOCK) // (_BLOCKS - 1))
            digest.update(file.read(_BLOCK))
        return digest.digest()

"""Finding the image files that a manifest names as people write them.

Backslashes, another case, a suffix left out, a composed or decomposed accent, a prefix of another
machine: the file meant is found where it can be told for certain, and what differs is told.
"""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eactf.errors import DataError
from eactf.intake.decode import IMAGE_SUFFIXES
from eactf.suggestions import command_line

__all__ = ["Located", "locate"]

_NEARLY_ALL = 0.9
_MOST_FOLDERS = 50  # beside the root that are looked into for a root that fits better


@dataclass(frozen=True)
class Located:
    """The names of the files meant, relative to the root with `/` (absolute where outside it).

    `missing` are the rows whose file is not there; `respelled` the rows whose file is named a
    little differently than the manifest says. `prefix` was taken off all paths ("" if nothing).
    """

    names: list[str]
    missing: list[int]
    respelled: list[int]
    prefix: str = ""


def locate(manifest: Path, texts: Sequence[str], root: Path) -> Located:
    """The file that each path in `manifest` names; `DataError` where nearly all are not there."""
    folders = _Folders(root)
    located = _locate(texts, folders, "")
    if len(located.missing) <= _NEARLY_ALL * len(texts):
        return located
    missing = [_clean(texts[row]) for row in located.missing]
    found = _better_root(missing, root)
    if found and found[0] == root:
        again = _locate(texts, folders, found[1])
        if len(again.missing) <= _NEARLY_ALL * len(texts):
            return again
    what = f"{manifest}: {len(missing)} of {len(texts)} images are not there"
    raise _nearly_all_missing(what, missing[0], root, found)


def _locate(texts: Sequence[str], folders: _Folders, prefix: str) -> Located:
    located = Located([], [], [], prefix)
    for row, text in enumerate(texts):
        # A backslash is a separator unless there is a file named with one.
        plain = _clean(text).removeprefix(prefix)
        literal = text if "\\" in text and not prefix and folders.find(text) == text else plain
        written, name = folders.relative(literal), folders.find(literal)
        if name is None:
            located.missing.append(row)
        elif name != written:
            located.respelled.append(row)
        located.names.append(written if name is None else name)
    return located


class _Folders:
    """The folders below a root, each read once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._absolute = root.absolute().as_posix().rstrip("/") + "/"
        self._known: dict[str, _Folder] = {}

    def find(self, name: str) -> str | None:
        """The file that is meant by `name`; None where there is none or it could be several."""
        parent, base = posixpath.split(self.relative(name))
        folder = self._folder(parent)
        if not folder.there:
            parent = self._respelled(parent)
            folder = self._folder(parent)
        found = folder.match(base)
        return None if found is None else posixpath.join(parent, found)

    def relative(self, name: str) -> str:
        """`name` without the root, where it begins with it."""
        return name.removeprefix(self._absolute)

    def _folder(self, path: str) -> _Folder:
        if path not in self._known:
            self._known[path] = _Folder.read(self._root / path)
        return self._known[path]

    def _respelled(self, path: str) -> str:
        """The folder meant by `path`, part by part from the root."""
        at = ""
        for part in path.split("/"):
            at = posixpath.join(at, self._folder(at).match(part) or part) if part else at
        return at


@dataclass
class _Folder:
    """The names in a folder, also by their spelling without case and by their stem."""

    there: bool
    names: frozenset[str]
    folded: dict[str, list[str]] = field(default_factory=dict)
    stems: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> _Folder:
        try:
            return cls(True, frozenset(os.listdir(path)))
        except (OSError, ValueError):
            return cls(False, frozenset())

    def match(self, name: str) -> str | None:
        if name in self.names or name == "..":
            return name
        if self.names and not self.folded:
            self._index()
        found = self.folded.get(_fold(name), [])
        if not found and not name.lower().endswith(tuple(IMAGE_SUFFIXES)):
            found = self.stems.get(_fold(name), [])
        return found[0] if len(found) == 1 else None

    def _index(self) -> None:
        for name in self.names:
            self.folded.setdefault(_fold(name), []).append(name)
            stem, suffix = os.path.splitext(name)
            if suffix.lower() in IMAGE_SUFFIXES:
                self.stems.setdefault(_fold(stem), []).append(name)


def _clean(text: str) -> str:
    """A path with `/` between its parts and without parts that say nothing."""
    text = text.replace("\\", "/")
    start = "/" if text.startswith("/") else ""
    return start + "/".join(part for part in text.split("/") if part not in ("", "."))


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _better_root(missing: Sequence[str], root: Path) -> tuple[Path, str] | None:
    """A root and a prefix to take off, by which a few of the missing files are found."""
    few = missing[:: max(1, len(missing) // 5)][:5]
    parts = few[0].split("/")
    for base in _bases(root):
        for dropped in range(len(parts)):
            prefix = "/".join(parts[:dropped]) + "/" if dropped else ""
            if not prefix and base == root:
                continue
            if all(n.startswith(prefix) and _there(base, n[len(prefix) :]) for n in few):
                return base, prefix
    return None


def _bases(root: Path) -> Iterator[Path]:
    yield root
    here = root.absolute()
    try:
        inside = sorted(entry for entry in here.iterdir() if entry.is_dir())
    except OSError:
        inside = []
    yield from inside[:_MOST_FOLDERS]
    yield from list(here.parents)[:3]


def _there(base: Path, name: str) -> bool:
    return any((base / f"{name}{suffix}").is_file() for suffix in ("", *IMAGE_SUFFIXES))


def _nearly_all_missing(
    what: str, first: str, root: Path, found: tuple[Path, str] | None
) -> DataError:
    what += f", the first of them {root / first}"
    if re.match(r"(https?|ftp|s3|gs):/", first):
        return DataError(what, hint="nothing is downloaded: fetch the images first")
    if found:
        return DataError(what, hint=f"they are found with {command_line('--root', found[0])}")
    return DataError(what, hint="say which folder the paths start from: --root FOLDER")

"""`Folders` finds the file that a name means, as people write it, and reads each folder once."""

from __future__ import annotations

import os
import posixpath
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from eactf.intake.decode import IMAGE_SUFFIXES

__all__ = ["Folders", "clean", "fold"]


class Folders:
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
        found = self.folded.get(fold(name), [])
        if not found and not name.lower().endswith(tuple(IMAGE_SUFFIXES)):
            found = self.stems.get(fold(name), [])
        return found[0] if len(found) == 1 else None

    def _index(self) -> None:
        for name in self.names:
            self.folded.setdefault(fold(name), []).append(name)
            stem, suffix = os.path.splitext(name)
            if suffix.lower() in IMAGE_SUFFIXES:
                self.stems.setdefault(fold(stem), []).append(name)


def clean(text: str) -> str:
    """A path with `/` between its parts and without parts that say nothing."""
    text = text.replace("\\", "/")
    start = "/" if text.startswith("/") else ""
    return start + "/".join(part for part in text.split("/") if part not in ("", "."))


def fold(name: str) -> str:
    """What a name has in common with its spellings in another case or form of its accents."""
    return unicodedata.normalize("NFC", name).casefold()

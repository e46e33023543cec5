"""`Walk` goes through a user's folder, finds its images and notes what is left out and why.

Links are followed, those to folders too, for data sets are linked more often than copied. Each
folder is read once, however many links lead to it, so that a link which leads back up makes no
loop; where a folder is met by its own name and by a link, its own name counts.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import category

from eactf.intake.image_kinds import IMAGE_SUFFIXES, PREFIX, kind_of

__all__ = ["LeftOut", "Walk", "printable"]

_SYSTEM = frozenset(
    {"thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "__pycache__", "lost+found"}
)
_TABLES = (".csv", ".tsv")


@dataclass
class LeftOut:
    """What a walk passed over, as paths relative to its root.

    `links` are links to folders that were not to be followed, `repeated` folders that had been read
    already by another name, `closed` folders that cannot be opened.
    """

    hidden: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def manifests(self) -> list[str]:
        """Files directly in the root that may say labels."""
        return [name for name in self.other if "/" not in name and name.lower().endswith(_TABLES)]


@dataclass(frozen=True)
class Walk:
    """Walking through the folder `root`; paths are relative to it, with `/` on every platform.

    What is passed over gathers in `left_out`, the links to folders that were followed in
    `followed`.
    """

    root: Path
    follow_links: bool = True
    left_out: LeftOut = field(default_factory=LeftOut)
    followed: list[str] = field(default_factory=list)
    _read: set[tuple[int, int]] = field(default_factory=set)

    def inside(self, folder: str) -> tuple[list[str], list[str]]:
        """The folders and the image files directly in `folder` ("" for the root), sorted.

        A file counts as an image by its suffix, whatever it holds, or else by its first bytes: what
        it truly is shows when it is opened. A folder that was read already has nothing in it.
        """
        folders, images = [], []
        for entry in self._entries(folder):
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.name.startswith(".") or entry.name.lower() in _SYSTEM:
                self.left_out.hidden.append(path)
            elif entry.is_dir(follow_symlinks=False) or (self.follow_links and _is_folder(entry)):
                folders.append(path)
            elif _is_folder(entry):
                self.left_out.links.append(path)
            elif _is_image(entry):
                images.append(path)
            else:
                self.left_out.other.append(path)
        return folders, images

    def images_below(self, folders: Sequence[str]) -> dict[str, list[str]]:
        """All image files in each of `folders` and in the folders in it, at any depth.

        Links to folders come after everything else, so that a folder has its own name.
        """
        found: dict[str, list[str]] = {folder: [] for folder in folders}
        linked = deque[tuple[str, str]]()
        for start in folders:
            if self.is_link(start):
                linked.append((start, start))
            else:
                found[start] += self._images_in(start, start, linked)
        while linked:
            start, folder = linked.popleft()
            found[start] += self._images_in(start, folder, linked)
        return found

    def is_link(self, path: str) -> bool:
        """Whether a path that the walk met is a link."""
        return os.path.islink(self.root / path)

    def _images_in(self, start: str, folder: str, linked: deque[tuple[str, str]]) -> Iterator[str]:
        """The images in and below `folder`; the links met on the way are put into `linked`."""
        waiting = [folder]
        while waiting:
            folders, images = self.inside(waiting.pop())
            yield from images
            linked += [(start, path) for path in folders if self.is_link(path)]
            waiting += [path for path in reversed(folders) if not self.is_link(path)]

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            found = os.stat(self.root / folder)
            if (found.st_dev, found.st_ino) in self._read:
                self.left_out.repeated.append(folder)
                return []
            with os.scandir(self.root / folder) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            self.left_out.closed.append(folder or ".")
            return []
        self._read.add((found.st_dev, found.st_ino))
        if folder and self.is_link(folder):
            self.followed.append(folder)
        return inside


def printable(name: str) -> str:
    """A file name as text of one line: control characters and bytes that are no UTF-8 spelled out.

    >>> printable("one\\ntwo")
    'one\\\\ntwo'
    """
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        char.encode("unicode_escape").decode() if category(char) == "Cc" else char for char in text
    )


def _is_image(entry: os.DirEntry[str]) -> bool:
    if os.path.splitext(entry.name)[1].lower() in IMAGE_SUFFIXES:
        return True
    try:
        if not entry.is_file():  # a pipe would never come to an end
            return False
        with open(entry.path, "rb") as file:
            return kind_of(file.read(PREFIX), entry.name) is not None
    except OSError:
        return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False

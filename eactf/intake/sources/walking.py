"""Going through a folder of the user's: what is an image, what is left out and why.

Links to files are followed, links to folders are not: a link that leads back up would list
images twice or for ever, and one that leads out would list what the user did not name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
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
    """What a walk passed over, as paths relative to its root."""

    hidden: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)

    def manifests(self) -> list[str]:
        """Files directly in the root that may say labels."""
        return [name for name in self.other if "/" not in name and name.lower().endswith(_TABLES)]


@dataclass(frozen=True)
class Walk:
    """Walking through the folder `root`; paths are relative to it, with `/` on every platform.

    What is passed over gathers in `left_out`.
    """

    root: Path
    left_out: LeftOut = field(default_factory=LeftOut)

    def inside(self, folder: str) -> tuple[list[str], list[str]]:
        """The folders and the image files directly in `folder` ("" for the root), sorted.

        A file counts as an image by its suffix, whatever it holds, or else by its first bytes: what
        it truly is shows when it is opened.
        """
        folders, images = [], []
        for entry in self._entries(folder):
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.name.startswith(".") or entry.name.lower() in _SYSTEM:
                self.left_out.hidden.append(path)
            elif entry.is_dir(follow_symlinks=False):
                folders.append(path)
            elif _is_folder(entry):
                self.left_out.links.append(path)
            elif _is_image(entry):
                images.append(path)
            else:
                self.left_out.other.append(path)
        return folders, images

    def images_below(self, folder: str) -> Iterator[str]:
        """All image files in `folder` and in the folders in it, at any depth."""
        waiting = [folder]
        while waiting:
            folders, images = self.inside(waiting.pop())
            yield from images
            waiting += reversed(folders)

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.root / folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError:
            self.left_out.closed.append(folder or ".")
            return []


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

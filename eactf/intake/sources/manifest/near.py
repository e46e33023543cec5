"""`Near` finds images that a table names by an id, a bare name or a path from another folder."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eactf.intake.decode import IMAGE_SUFFIXES
from eactf.intake.sources.manifest.file_names import Folders, clean, fold
from eactf.intake.sources.splits import split_named

__all__ = ["Near", "Place", "spread"]

_DEEPEST = 3
_MOST_FOLDERS = 200
_FEW = 12  # names that are looked for before all of them are
_ENOUGH = 0.9
# Folders beside the one that holds the table are looked into only where their name says that they
# hold images: what else lies there is none of the table's business.
_BESIDE = (
    "images", "image", "imgs", "img", "faces", "pictures", "photos", "jpegimages", "data",
    "train", "val", "validation", "test",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A folder in which the names are found once `prefix` is taken off them.

    `folder` is relative to the root ("" for the root itself), or begins with `../`.
    """

    folder: str
    prefix: str = ""


class Near:
    """The folders near a table: the root that its paths start from, those below, a few beside."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: list[str] | None = None
        self._read: dict[str, Folders] = {}
        self._by_name: dict[str, list[str]] | None = None

    def inside(self, folder: str) -> Folders:
        """The `Folders` that find names in a folder near the root; made once for each."""
        if folder not in self._read:
            self._read[folder] = Folders(self.root / folder)
        return self._read[folder]

    def tell_files(self, texts: Sequence[str]) -> bool:
        """Whether a few of the texts name image files, all of them in one of the folders or so."""
        few = [clean(text) for text in spread(texts, _FEW)]
        return bool(few) and (bool(self.places(few)) or self.scattered(few) is not None)

    def places(self, names: Sequence[str], split: int | None = None) -> list[Place]:
        """The folders in which nearly all of the names are files; those that hold all, if any do.

        Of several, those that are named for `split` are given alone. Names are looked for whole
        first, and then with more and more of their leading folders taken off.
        """
        few = spread(names, _FEW)
        for dropped in range(few[0].count("/") + 1 if few else 0):
            prefix = "/".join(few[0].split("/")[:dropped]) + "/" if dropped else ""
            if not all(name.startswith(prefix) for name in few):
                continue
            folders = [f for f in self.folders() if self._share(f, few, prefix) >= _ENOUGH]
            shares = {folder: self._share(folder, names, prefix) for folder in folders}
            best = max(shares.values(), default=0.0)
            if best >= _ENOUGH:
                fit = [f for f, share in shares.items() if share == best]
                return [Place(folder, prefix) for folder in _of_split(fit, split)]
        return []

    def scattered(self, names: Sequence[str]) -> list[str | None] | None:
        """The file of each name where they lie in several folders; None where they do not.

        Only bare names are looked for, and only those that one file alone has.
        """
        if any("/" in name for name in names):
            return None
        known = self._files_by_name()
        found: list[str | None] = []
        for name in names:
            files = known.get(fold(name), [])
            found.append(files[0] if len(files) == 1 else None)
        missing = found.count(None)
        return found if names and missing <= (1 - _ENOUGH) * len(names) else None

    def folders(self) -> list[str]:
        """The folders that are looked into, the root first, then those nearest to it."""
        if self._folders is None:
            self._folders = ["", *self._below(), *self._beside()]
        return self._folders

    def _share(self, folder: str, names: Sequence[str], prefix: str) -> float:
        inside, root = self.inside(folder), self.root / folder
        count = 0
        for name in names:
            file = inside.find(name.removeprefix(prefix))
            # That it is no folder is looked up for a few only: they stand for the others.
            count += file is not None and (len(names) > _FEW or os.path.isfile(root / file))
        return count / max(1, len(names))

    def _below(self) -> Iterator[str]:
        level, count = [""], 0
        for _ in range(_DEEPEST):
            level = [inner for folder in level for inner in self._folders_in(folder)]
            for folder in level:
                count += 1
                if count > _MOST_FOLDERS:
                    return
                yield folder

    def _folders_in(self, folder: str) -> list[str]:
        try:
            with os.scandir(self.root / folder) as entries:
                names = [e.name for e in entries if not e.name.startswith(".") and e.is_dir()]
        except OSError:
            return []
        return [posixpath.join(folder, name) for name in sorted(names) if name != "__MACOSX"]

    def _beside(self) -> Iterator[str]:
        parent, own = self.root.absolute().parent, self.root.absolute().name
        try:
            names = sorted(entry.name for entry in parent.iterdir() if entry.is_dir())
        except OSError:
            return
        yield from (f"../{name}" for name in names if name.lower() in _BESIDE and name != own)

    def _files_by_name(self) -> dict[str, list[str]]:
        """The image files below the root by their names, and by their names without suffix."""
        if self._by_name is None:
            self._by_name = {}
            for folder in self.folders():
                if not folder.startswith(".."):
                    self._file(folder)
        return self._by_name

    def _file(self, folder: str) -> None:
        assert self._by_name is not None
        try:
            names = sorted(os.listdir(self.root / folder))
        except OSError:
            return
        for name in names:
            stem, suffix = os.path.splitext(name)
            if suffix.lower() in IMAGE_SUFFIXES:
                for key in {fold(name), fold(stem)}:
                    self._by_name.setdefault(key, []).append(posixpath.join(folder, name))


def spread(texts: Sequence[str], most: int) -> list[str]:
    """At most so many of the texts, from all parts of the sequence."""
    return list(texts[:: max(1, len(texts) // most)][:most])


def _of_split(folders: list[str], split: int | None) -> list[str]:
    if len(folders) < 2 or split is None:
        return folders
    own = [f for f in folders if split in {split_named(part) for part in f.split("/")}]
    return own or folders

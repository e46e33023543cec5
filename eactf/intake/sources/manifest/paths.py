"""`locate` finds the image files that a manifest names, spelled as people spell them.

A name may have backslashes, another case, no suffix, an accent in another form or the prefix of
another machine, or be an id whose file lies in a folder near the table. The file meant is found
where it is certain, and the user is told what differs.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eactf.errors import DataError
from eactf.intake.sources.manifest.file_names import Folders, clean
from eactf.intake.sources.manifest.near import Near, Place, spread
from eactf.suggestions import command_line

__all__ = ["Located", "locate"]

_NEARLY_ALL = 0.9


@dataclass(frozen=True)
class Located:
    """The names of the files meant, relative to the root with `/` (absolute where outside it).

    `missing` are the rows whose file is not there; `respelled` the rows whose file is named a
    little differently than the manifest says, `suffixed` those where only a suffix was left out.
    `prefix` was taken off all paths ("" if nothing). `folders` are those in which the files lie
    where the paths do not say so themselves.
    """

    names: list[str]
    missing: list[int]
    respelled: list[int]
    suffixed: list[int]
    prefix: str = ""
    folders: tuple[str, ...] = ()

    @classmethod
    def joined(cls, parts: Sequence[Located], rows: Sequence[Sequence[int]]) -> Located:
        """Join `parts` into one; `rows` says for each part which rows of the whole are its own."""
        names = [""] * sum(map(len, rows))
        pairs = list(zip(parts, rows, strict=True))
        for part, places in pairs:
            for place, name in zip(places, part.names, strict=True):
                names[place] = name
        prefixes = dict.fromkeys(part.prefix for part in parts if part.prefix)
        return cls(
            names,
            missing=sorted(places[row] for part, places in pairs for row in part.missing),
            respelled=sorted(places[row] for part, places in pairs for row in part.respelled),
            suffixed=sorted(places[row] for part, places in pairs for row in part.suffixed),
            prefix=", ".join(prefixes),
            folders=tuple(dict.fromkeys(folder for part in parts for folder in part.folders)),
        )

    def suffix(self) -> str:
        """The commonest suffix that was left out, "" where none was."""
        found = Counter(posixpath.splitext(self.names[row])[1] for row in self.suffixed)
        return found.most_common(1)[0][0] if found else ""


def locate(
    manifest: Path,
    texts: Sequence[str],
    near: Near,
    *,
    split: int | None = None,
) -> Located:
    """The file that each path in `manifest` names.

    Where nearly all are not there they are looked for in the folders `near` the root, first in
    those named for `split`. Raises `DataError` where they are not found, or in several folders.
    """
    root = near.root
    located = _locate(texts, near.inside(""), Place(""))
    if len(located.missing) <= _NEARLY_ALL * len(texts):
        return located
    missing = [clean(texts[row]) for row in located.missing]
    places = near.places(missing, split)
    what = f"{manifest}: {len(missing)} of {len(texts)} images are not there"
    if len(places) == 1:
        return _locate(texts, near.inside(places[0].folder), places[0])
    if places:
        raise _ambiguous(manifest, missing[0], root, places)
    scattered = near.scattered([clean(text) for text in texts])
    if scattered is not None:
        return _scattered(texts, scattered)
    raise _nearly_all_missing(what, missing, root)


def _locate(texts: Sequence[str], folders: Folders, place: Place) -> Located:
    located = Located([], [], [], [], place.prefix, (place.folder,) if place.folder else ())
    for row, text in enumerate(texts):
        # A backslash is a separator unless there is a file named with one.
        plain = clean(text).removeprefix(place.prefix)
        literal = (
            text if "\\" in text and not place.prefix and folders.find(text) == text else plain
        )
        written, name = folders.relative(literal), folders.find(literal)
        _note(located, row, written, name)
        located.names.append(posixpath.join(place.folder, written if name is None else name))
    return located


def _scattered(texts: Sequence[str], files: Sequence[str | None]) -> Located:
    folders = dict.fromkeys(posixpath.dirname(file) for file in files if file is not None)
    located = Located([], [], [], [], "", tuple(folders))
    for row, (text, file) in enumerate(zip(texts, files, strict=True)):
        _note(located, row, clean(text), None if file is None else posixpath.basename(file))
        located.names.append(clean(text) if file is None else file)
    return located


def _note(located: Located, row: int, written: str, name: str | None) -> None:
    """Note whether the file is missing, or how its name differs from what is written."""
    if name is None:
        located.missing.append(row)
    elif name != written:
        only_suffix = posixpath.splitext(name)[0] == written
        (located.suffixed if only_suffix else located.respelled).append(row)


def _ambiguous(manifest: Path, first: str, root: Path, places: Sequence[Place]) -> DataError:
    found = [f"{place.folder or '.'}/" for place in places]
    shown = " and in ".join(found[:3]) + (", ..." if len(found) > 3 else "")
    return DataError(
        f"{manifest}: the images that it names, such as {first}, are in {shown}; which are meant"
        " cannot be told",
        hint="choose with --root: "
        + ", or ".join(command_line("--root", root / place.folder) for place in places[:3]),
    )


def _above(missing: Sequence[str], root: Path) -> Path | None:
    """The folder above the root from which a few of the missing files are found."""
    few = spread(missing, 5)
    for base in list(root.absolute().parents)[:3]:
        folders = Folders(base)
        if all((found := folders.find(n)) and (base / found).is_file() for n in few):
            return base
    return None


def _nearly_all_missing(what: str, missing: Sequence[str], root: Path) -> DataError:
    what += f", the first of them {root / missing[0]}"
    if re.match(r"(https?|ftp|s3|gs):/", missing[0]):
        return DataError(what, hint="nothing is downloaded: fetch the images first")
    if above := _above(missing, root):
        return DataError(what, hint=f"they are found with {command_line('--root', above)}")
    return DataError(what, hint="say which folder the paths start from: --root FOLDER")

"""`find_images` gathers the image files among paths that a user names, without any label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eactf.errors import UsageError
from eactf.intake.sources.walking import LeftOut, Walk, printable
from eactf.wording import counted, enumerated

__all__ = ["FoundImages", "find_images"]


@dataclass(frozen=True)
class FoundImages:
    """The image files `paths`, and sentences that say what was left out of the folders."""

    paths: tuple[Path, ...]
    left_out: tuple[str, ...]


def find_images(paths: Sequence[Path]) -> FoundImages:
    """The image files among `paths`; folders are walked through as `walking` says.

    Files stand in the order of their names in a folder. A file that is named outright is taken
    whatever it is called. Raises `UsageError` for a path that is not there and for folders without
    a single image.
    """
    found: list[Path] = []
    told: list[str] = []
    for path in paths:
        if path.is_dir():
            walk = Walk(path)
            inside = sorted(path / image for image in walk.images_below([""])[""])
            if not inside:
                raise UsageError(f"there is no image in {path}")
            found += inside
            told += _left_out(path, walk.left_out)
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"there is no file {path}")
    return FoundImages(tuple(found), tuple(told))


def _left_out(folder: Path, left_out: LeftOut) -> list[str]:
    told = [
        f"{folder}: left out {counted(len(names), singular, plural)}: "
        + enumerated(map(printable, names), most=4)
        for names, singular, plural in (
            (left_out.hidden, "hidden file or folder", "hidden files and folders"),
            (left_out.repeated, "folder met again by a link", "folders met again by links"),
            (left_out.closed, "folder that cannot be opened", "folders that cannot be opened"),
        )
        if names
    ]
    if left_out.other:
        others = counted(len(left_out.other), "file that is no image", "files that are no images")
        told.append(f"{folder}: left out {others}")
    return told

"""`read_layout` finds the split folders, class folders and loose images of an image folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eactf.errors import DataError
from eactf.intake.image_kinds import is_unread_name
from eactf.intake.sources.spellings import tidy
from eactf.intake.sources.splits import split_named
from eactf.intake.sources.walking import LeftOut, Walk, printable
from eactf.packed.records import SPLITS
from eactf.wording import counted

__all__ = ["ClassFolder", "Layout", "read_layout"]

_EXPECTED = "expected train/<class>/, and validation/ and test/ beside train/, or <class>/ alone"


@dataclass(frozen=True)
class ClassFolder:
    """A class in a split: the folder, the class as the folder names it, the images in and below.

    Paths are relative to the root of the layout.
    """

    path: str
    split: int
    name: str
    images: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """What was found in a folder.

    `splits` maps the split folders to indices of `SPLITS`; it is empty where the class folders lie
    straight in the root, which is all training data then. `loose` are images beside the class
    folders, `ignored` folders beside the split folders, `followed` links to folders.
    """

    root: Path
    splits: dict[str, int]
    folders: tuple[ClassFolder, ...]
    loose: tuple[str, ...]
    ignored: tuple[str, ...]
    left_out: LeftOut
    followed: tuple[str, ...] = ()


def read_layout(root: Path, *, follow_links: bool = True) -> Layout:
    """Walk through `root`; `DataError` where no class folder with an image is found."""
    walk = Walk(root, follow_links)
    top, loose = walk.inside("")
    splits = _split_folders(walk, top)
    children = {"": top}
    if splits:
        children = {}
        for parent in sorted(splits, key=walk.is_link):  # own names go before links
            children[parent], beside = walk.inside(parent)
            loose += beside
    images = walk.images_below([child for inside in children.values() for child in inside])
    folders = []
    for parent in splits or [""]:
        for child in children[parent]:
            if child in walk.left_out.repeated:
                continue  # a link to another class folder is no class
            name = printable(tidy(child.split("/")[-1])) or repr(child)
            folders.append(ClassFolder(child, splits.get(parent, 0), name, tuple(images[child])))
    ignored = tuple(folder for folder in top if splits and folder not in splits)
    layout = Layout(
        root, splits, tuple(folders), tuple(loose), ignored, walk.left_out, tuple(walk.followed)
    )
    _check_holds_images(layout)
    return layout


def _split_folders(walk: Walk, top: list[str]) -> dict[str, int]:
    """Those of the folders in the root that are splits; empty where the root holds classes.

    A folder `test` beside class folders may be either, so it is refused.
    """
    splits = {folder: split for folder in top if (split := split_named(folder)) is not None}
    if len(splits) == len(top) or SPLITS.index("train") in splits.values():
        return splits
    if splits:
        odd = next(iter(splits))
        others = ", ".join(repr(folder) for folder in top if folder not in splits)
        raise DataError(
            f"{walk.root}: is the folder {odd!r} a split or a class? Beside it lie {others[:120]}",
            hint=f"move the class folders of the training images into {walk.root / 'train'},"
            f" or give {odd!r} another name",
        )
    return {}


def _check_holds_images(layout: Layout) -> None:
    if any(not is_unread_name(image) for folder in layout.folders for image in folder.images):
        return
    raise DataError(f"{layout.root}: {_problem(layout)}", hint=_next_step(layout))


def _problem(layout: Layout) -> str:
    if layout.loose:
        count = counted(len(layout.loose), "image")
        return f"{count}, but no class folders; {_EXPECTED}"
    if unread := _unread(layout):
        return f"no image of a kind that can be read, but for example {unread[0]}"
    return f"no images in class folders; {_EXPECTED}"


def _next_step(layout: Layout) -> str:
    """The likeliest way on: a manifest in the folder, a link, a conversion."""
    left_out = layout.left_out
    if manifests := left_out.manifests():
        return f"does {manifests[0]} say the labels? Pass it: {layout.root / manifests[0]}"
    if left_out.closed:
        return f"{left_out.closed[0]} cannot be opened; allow reading it"
    if left_out.links:
        return f"{left_out.links[0]} is a link to a folder: leave --no-links out, or copy it here"
    if _unread(layout):
        return "convert them to PNG or JPEG"
    return "sort the images into one folder a class, or list them in a CSV file: path,label"


def _unread(layout: Layout) -> list[str]:
    return [image for folder in layout.folders for image in folder.images if is_unread_name(image)]

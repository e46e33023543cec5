"""This module reports doubts about an image folder's layout, such as missing classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from eactf.intake.findings import Finding, Severity
from eactf.intake.sources.layout import Layout
from eactf.intake.sources.spellings import natural_order
from eactf.intake.sources.splits import split_named
from eactf.intake.sources.walking import printable
from eactf.packed.records import SPLITS
from eactf.wording import counted

__all__ = ["folder_findings"]


def folder_findings(layout: Layout, class_of: Mapping[str, str]) -> tuple[Finding, ...]:
    """All findings of a layout; `class_of` gives the class of a folder's name."""
    return (
        *_missing_classes(layout, class_of),
        *_empty_folders(layout),
        *_doubled_splits(layout),
        *_splits_inside_classes(layout),
        *_left_out(layout),
    )


def _missing_classes(layout: Layout, class_of: Mapping[str, str]) -> Iterator[Finding]:
    present: dict[int, set[str]] = {split: set() for split in layout.splits.values()}
    for folder in layout.folders:
        if layout.splits:
            present[folder.split].add(class_of[folder.name])
    classes = set(class_of.values())
    for split, here in sorted(present.items()):
        if missing := natural_order(classes - here):
            train = SPLITS[split] == "train"
            shown = ", ".join(map(repr, missing))
            what = f"the {SPLITS[split]} split has no folder for {shown}"
            yield Finding(
                "class-folder-missing",
                Severity.ERROR if train else Severity.WARNING,
                what + (": a class without training images is not learned" if train else ""),
                "add the folder with its images, or check how it is spelled",
                tuple(missing),
            )


def _empty_folders(layout: Layout) -> Iterator[Finding]:
    empty = [folder.path for folder in layout.folders if not folder.images]
    if empty:
        yield _finding(
            "empty-class-folder",
            Severity.WARNING,
            f"{_count(empty, 'class folder')} without an image",
            "add images, or remove the folder if it is no class",
            empty,
        )


def _doubled_splits(layout: Layout) -> Iterator[Finding]:
    for split, times in Counter(layout.splits.values()).items():
        folders = [folder for folder, index in layout.splits.items() if index == split]
        if times > 1:
            yield _finding(
                "split-in-two-folders",
                Severity.WARNING,
                f"{', '.join(folders)} all count as the {SPLITS[split]} split",
                "join them, or move away those that are not meant",
                folders,
            )


def _splits_inside_classes(layout: Layout) -> Iterator[Finding]:
    """`<class>/train`, `<class>/test`: folders inside a class are no splits, which would leak."""
    inside = {
        f"{folder.path}/{sub}"
        for folder in layout.folders
        for image in folder.images
        if (sub := _first_folder(image[len(folder.path) + 1 :])) and split_named(sub) is not None
    }
    if inside:
        yield _finding(
            "splits-inside-classes",
            Severity.ERROR,
            "folders inside class folders are named as splits; their images are not told apart",
            "put the splits outside: train/<class>/ and test/<class>/",
            sorted(inside),
        )


def _left_out(layout: Layout) -> Iterator[Finding]:
    left_out = layout.left_out
    manifests = left_out.manifests()
    passed = [name for name in left_out.other if name not in manifests] + left_out.hidden
    for code, severity, what, fix, files in (
        (
            "loose-images",
            Severity.WARNING,
            f"{_count(layout.loose, 'image')} beside the class folders, without a class",
            "move them into class folders",
            layout.loose,
        ),
        (
            "folders-not-read",
            Severity.WARNING,
            f"{_count(layout.ignored, 'folder')} beside the split folders, not read",
            "move what is needed into the split folders",
            layout.ignored,
        ),
        (
            "link-to-folder",
            Severity.WARNING,
            f"{_count(left_out.links, 'link')} to folders, not followed",
            "leave --no-links out, or copy what they lead to into the folder",
            left_out.links,
        ),
        (
            "links-followed",
            Severity.NOTE,
            f"{_count(layout.followed, 'link')} to folders, followed",
            "nothing to do; to leave them out pass --no-links",
            layout.followed,
        ),
        (
            "folder-met-again",
            Severity.WARNING,
            f"{_count(left_out.repeated, 'folder')} met again by a link and not read a second time",
            "remove the link, or what it leads to, where the other of the two is meant",
            left_out.repeated,
        ),
        (
            "folder-closed",
            Severity.ERROR,
            f"{_count(left_out.closed, 'folder')} that cannot be opened",
            "allow reading them",
            left_out.closed,
        ),
        (
            "manifest-beside",
            Severity.NOTE,
            f"not read: {', '.join(manifests)} beside the class folders",
            f"to use its labels pass {layout.root / next(iter(manifests), '')}",
            manifests,
        ),
        (
            "no-images",
            Severity.NOTE,
            f"left out: {_count(passed, 'file')}, hidden or no images",
            "nothing to do",
            passed,
        ),
    ):
        if files:
            yield _finding(code, severity, what, fix, files)


def _finding(code: str, severity: Severity, what: str, fix: str, files: Sequence[str]) -> Finding:
    return Finding(code, severity, what, fix, tuple(map(printable, files)))


def _count(things: Sequence[str], name: str) -> str:
    return counted(len(things), name)


def _first_folder(path: str) -> str:
    first, slash, _ = path.partition("/")
    return first if slash else ""

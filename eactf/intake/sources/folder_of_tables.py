"""This module lists a folder whose labels are in tables, such as `train.csv` beside `images/`.

Which of the two a folder is, class folders or images with tables beside them, is told thus. Folders
`train/<class>/...` are class folders whatever lies beside them. Else tables that are named for two
splits or more say the labels. Else it is class folders, where there are two classes or more; where
there are not, a single table that can be read says the labels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from eactf.errors import DataError
from eactf.intake.findings import Finding, Severity
from eactf.intake.listing import Listing
from eactf.intake.readers.fer2013 import list_fer2013
from eactf.intake.readers.fer2013_csv import is_pixel_table
from eactf.intake.sources.layout import Layout
from eactf.intake.sources.manifest.joined import split_tables_in
from eactf.intake.sources.manifests import list_manifest, list_split_tables
from eactf.intake.sources.options import SourceOptions
from eactf.intake.sources.walking import Walk, printable

__all__ = ["list_by_tables"]

_TABLES = (".csv", ".tsv", ".txt")
_MOST = 20
"""How many tables are tried one by one; those after them are not."""


def list_by_tables(path: Path, layout: Layout | None, options: SourceOptions) -> Listing | None:
    """The images that tables in the folder name; None where the class folders are to be read.

    `layout` is None where there are no two class folders. Raises `DataError` where the tables of
    the splits are there and cannot be read.
    """
    if layout is not None and layout.splits:
        return None
    tables = split_tables_in(path)
    if tables and is_pixel_table(tables[0]):
        options.refuse("FER2013's table of pixels")
        listing = replace(list_fer2013(tables[0]), source=path)
        return _told(listing, path, [tables[0].name], options)
    if tables:
        listing = list_split_tables(path, tables, options)
        return _told(listing, path, [table.name for table in tables], options)
    if layout is not None:
        return None
    readable = [found for table in _tables_in(path) if (found := _try(table, options)) is not None]
    if len(readable) != 1:
        return None
    listing = readable[0]
    name = listing.source.name
    read = Finding(
        "labels-from-table",
        Severity.NOTE,
        f"the labels are read from {name}: the folder has no class folders",
        "nothing to do",
        (name,),
    )
    listing = replace(listing, findings=(read, *listing.findings))
    return _told(replace(listing, source=path), path, [name], options)


def _tables_in(folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    found = [entry for entry in entries if entry.suffix.lower() in _TABLES and entry.is_file()]
    return [entry for entry in found if not entry.name.startswith(".")][:_MOST]


def _try(table: Path, options: SourceOptions) -> Listing | None:
    try:
        return list_manifest(table, options)
    except DataError:
        return None  # notes, a list of classes, a table of something else


def _told(listing: Listing, folder: Path, read: list[str], options: SourceOptions) -> Listing:
    """The listing with findings of what lies in the folder and is not in the tables."""
    walk = Walk(folder, not options.no_links)
    return replace(listing, findings=(*listing.findings, *_left_out(listing, read, walk)))


def _left_out(listing: Listing, read: list[str], walk: Walk) -> Iterator[Finding]:
    named = set(listing.names.tolist())
    unnamed = [image for image in walk.images_below([""])[""] if image not in named]
    others = [name for name in walk.left_out.manifests() if name not in read]
    if unnamed:
        count = "1 image" if len(unnamed) == 1 else f"{len(unnamed):,} images"
        yield Finding(
            "images-not-named",
            Severity.WARNING,
            f"{count} in the folder that no row of {', '.join(read)} names, left out",
            "add rows for them, if they are wanted",
            tuple(map(printable, unnamed)),
        )
    if others:
        yield Finding(
            "manifest-beside",
            Severity.NOTE,
            f"not read: {', '.join(others)} beside {', '.join(read)}",
            f"to use its labels pass {walk.root / others[0]}",
            tuple(others),
        )

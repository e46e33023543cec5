"""`list_folder` lists image folders: `train/<class>/...` and other splits, or `<class>/...` alone.

A class is named as its folder is; folders inside it belong to it. Hidden files and files that are
no images are left out and told. `walking` says which links are followed.

A folder may instead hold tables that say the labels, one for each split (`train.csv`, `test.csv`)
or a single one, beside the folders with the images; `folder_of_tables` tells such folders.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.intake.decode import FileImages
from eactf.intake.listing import Listing
from eactf.intake.sources.folder_findings import folder_findings
from eactf.intake.sources.folder_of_tables import list_by_tables
from eactf.intake.sources.layout import Layout, read_layout
from eactf.intake.sources.options import SourceOptions
from eactf.intake.sources.spellings import natural_order, settle_spellings
from eactf.intake.sources.walking import printable

__all__ = ["list_folder"]


def list_folder(path: Path, options: SourceOptions) -> Listing:
    """List the images of a folder in the order of their names (by code points).

    Classes stand in natural order, 2 before 10. Without split folders all is training data.
    Raises `DataError` where no class folder holds an image, or where there is only one class and
    `options` ask for two, and no table in the folder says the labels either.
    """
    layout: Layout | None = None
    try:
        layout = read_layout(path, follow_links=not options.no_links)
        problem = _too_few_classes(layout)
    except DataError as found:
        problem = found
    by_tables = list_by_tables(path, None if problem else layout, options)
    if by_tables is not None:
        return by_tables
    if layout is None or (problem is not None and options.fewest_classes > 1):
        raise problem or DataError(f"{path} holds no images")
    replace(options, no_links=False).refuse("an image folder")
    return _list_layout(layout, options)


def _list_layout(layout: Layout, options: SourceOptions) -> Listing:
    path = layout.root
    counts = Counter({folder.name: 0 for folder in layout.folders})
    for folder in layout.folders:
        counts[folder.name] += len(folder.images)
    class_of, findings = settle_spellings(counts, merge=options.merge_spellings)
    class_names = natural_order(set(class_of.values()))
    index = {name: class_names.index(class_of[name]) for name in counts}
    rows = sorted(
        (image, folder.split, index[folder.name])
        for folder in layout.folders
        for image in folder.images
    )
    names, splits, given = zip(*rows, strict=True)
    return Listing(
        source=path,
        kind="folder",
        class_names=tuple(class_names),
        names=np.array([printable(name) for name in names]),
        splits=np.array(splits, np.uint8),
        given=np.array(given, np.int64),
        images=FileImages(path, names),
        findings=(*findings, *folder_findings(layout, class_of)),
        notes={"splits": _split_note(layout)},
    )


def _too_few_classes(layout: Layout) -> DataError | None:
    if len({folder.name for folder in layout.folders}) > 1:
        return None
    (folder, *_) = layout.folders
    if manifests := layout.left_out.manifests():
        hint = f"does {manifests[0]} say the labels? Pass it: {layout.root / manifests[0]}"
    else:
        hint = f"if the class folders lie in it, pass {layout.root / folder.path}"
    return DataError(
        f"{layout.root}: only one class folder, {folder.path!r}; training needs two classes",
        hint=hint,
    )


def _split_note(layout: Layout) -> str:
    if layout.splits:
        return "by the folders " + ", ".join(map(printable, layout.splits))
    return "no split folders: all images are training images"

"""Image folders: `train/<class>/...` with further splits beside it, or `<class>/...` alone.

A class is named as its folder is; folders inside it belong to it. Hidden files and files that are
no images are left out and told. `walking` says which links are followed.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.intake.decode import FileImages
from eactf.intake.listing import Listing
from eactf.intake.sources.folder_findings import folder_findings
from eactf.intake.sources.layout import Layout, read_layout
from eactf.intake.sources.options import SourceOptions
from eactf.intake.sources.spellings import natural_order, settle_spellings
from eactf.intake.sources.walking import printable

__all__ = ["list_folder"]


def list_folder(path: Path, options: SourceOptions) -> Listing:
    """List the images of a folder in the order of their names (by code points).

    Classes stand in natural order, 2 before 10. Without split folders all is training data.
    Raises `DataError` where no class folder holds an image, or where there is only one class and
    `options` ask for two.
    """
    options.refuse("an image folder")
    layout = read_layout(path)
    counts = Counter({folder.name: 0 for folder in layout.folders})
    for folder in layout.folders:
        counts[folder.name] += len(folder.images)
    class_of, findings = settle_spellings(counts, merge=options.merge_spellings)
    class_names = natural_order(set(class_of.values()))
    if len(class_names) < options.fewest_classes:
        raise _too_few_classes(layout)
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


def _too_few_classes(layout: Layout) -> DataError:
    (folder, *_) = layout.folders
    return DataError(
        f"{layout.root}: only one class folder, {folder.path!r}; training needs two classes",
        hint=f"if the class folders lie in it, pass {layout.root / folder.path}",
    )


def _split_note(layout: Layout) -> str:
    if layout.splits:
        return "by the folders " + ", ".join(map(printable, layout.splits))
    return "no split folders: all images are training images"

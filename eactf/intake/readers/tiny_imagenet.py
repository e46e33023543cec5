"""This module lists Tiny-ImageNet from `tiny-imagenet-200` (Le and Yang, Stanford CS 231N, 2015).

Training images lie in `train/<wnid>/images`, validation images all in `val/images` with their
classes in `val/val_annotations.txt`; a wnid is WordNet's number of a class, `words.txt` names it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.foreign import reason_of
from eactf.intake.image_files import IMAGE_SUFFIXES, FileImages
from eactf.intake.listing import Listing
from eactf.intake.readers.card import Card, check_counts
from eactf.intake.readers.folders import first_of

__all__ = ["CARD", "DATASETS", "list_tiny_imagenet"]

CARD = Card(
    name="tiny-imagenet",
    title="Tiny-ImageNet",
    classes=(),
    class_total=200,
    counts={"train": 100_000, "test": 10_000},
    class_counts={"train": (500,) * 200, "test": (50,) * 200},
    needs="free download",
    get="tiny-imagenet-200.zip from Stanford's course CS 231N (cs231n.stanford.edu), unpacked",
    layout=(
        "train/<wnid>/images/<wnid>_0.JPEG, ...",
        "val/images/val_0.JPEG, ... and val/val_annotations.txt",
        "words.txt, and wnids.txt with the 200 classes",
    ),
    licence="as ImageNet: non-commercial research and education; it has no licence text of its own",
    terms="non-commercial",
    quirks=(
        "200 classes of 500 training images; 64 x 64, colour, some of the JPEG files grey",
        "the published test images have no labels and are left out: papers report on the validation"
        " images, which are the test split here",
        "classes are in the order of their wnids, and are named by the first word of words.txt",
        "the boxes around objects are not used",
    ),
    citation="Le and Yang, Tiny ImageNet visual recognition challenge, Stanford CS 231N, 2015",
    unverified=("file names are from code that reads the data set, not from a copy",),
)


def list_tiny_imagenet(folder: Path) -> Listing:
    """List Tiny-ImageNet: its training split, and its validation images as the test split.

    Raises `DataError` with file and line for what does not fit.
    """
    annotations = first_of(
        CARD, folder, ["val/val_annotations.txt", "tiny-imagenet-200/val/val_annotations.txt"]
    )
    root = annotations.parents[1]
    wnids = sorted(entry.name for entry in (root / "train").iterdir() if entry.is_dir())
    if not wnids:
        raise DataError(f"{root / 'train'} has no folder of a class", hint=CARD.layout[0])
    index = {wnid: number for number, wnid in enumerate(wnids)}
    train = [(path, index[wnid]) for wnid in wnids for path in _training_images(root, wnid)]
    test = [(path, index[wnid]) for path, wnid in _annotated(annotations, index)]
    names = [path for path, _ in (*train, *test)]
    splits = np.repeat(np.array([0, 2], np.uint8), [len(train), len(test)])
    given = np.array([label for _, label in (*train, *test)], np.int64)
    class_names = _class_names(root / "words.txt", wnids)
    return Listing(
        source=folder,
        kind=CARD.name,
        class_names=class_names,
        names=np.array(names),
        splits=splits,
        given=given,
        images=FileImages(root, names),
        ids=np.arange(len(names)),
        findings=check_counts(CARD, class_names, splits, given),
        notes={"dataset": CARD.title, "licence": CARD.licence, "wnids": wnids},
    )


def _training_images(root: Path, wnid: str) -> list[str]:
    folder = root / "train" / wnid / "images"
    if not folder.is_dir():
        raise DataError(f"{folder} is missing", hint=CARD.layout[0])
    files = [f.name for f in folder.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES]
    return [f"train/{wnid}/images/{name}" for name in sorted(files, key=lambda n: (len(n), n))]


def _annotated(path: Path, index: dict[str, int]) -> Iterable[tuple[str, str]]:
    for number, cells in _table(path, "the image, its class and a box, separated by tabs"):
        if cells[1] not in index:
            raise DataError(f"{path}, line {number}: there is no class {cells[1][:40]!r} in train")
        yield f"val/images/{cells[0]}", cells[1]


def _class_names(path: Path, wnids: list[str]) -> tuple[str, ...]:
    """The classes' first words; with the wnid where two classes share a word or have none."""
    if not path.is_file():
        return tuple(wnids)
    words = {c[0]: c[1].split(",")[0].strip() for _, c in _table(path, "a wnid, a tab and words")}
    names = [words.get(wnid, "") for wnid in wnids]
    counts = Counter(names)
    return tuple(
        name if name and counts[name] == 1 else f"{name} {wnid}".strip()
        for name, wnid in zip(names, wnids, strict=True)
    )


def _table(path: Path, expected: str) -> Iterable[tuple[int, list[str]]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not a text file: {reason_of(error)}") from error
    for number, line in enumerate(lines, start=1):
        cells = line.split("\t")
        if line.strip():
            if len(cells) < 2 or not cells[0] or "/" in cells[0]:
                raise DataError(
                    f"{path}, line {number}: expected {expected}, received {line[:60]!r}"
                )
            yield number, [cell.strip() for cell in cells]


DATASETS = {"tiny-imagenet": (CARD, list_tiny_imagenet)}

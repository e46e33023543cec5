"""This module lists the part of AffectNet that was labelled by hand (Mollahosseini et al., 2017).

The paper is by Mollahosseini, Hasani and Mahoor, in IEEE Transactions on Affective Computing.
AffectNet was given out in two forms. The first has lists, `training.csv` and `validation.csv`, of
whole photographs with a box around the face; the second, folders `train_set` and `val_set` of
cropped faces, `images/12.jpg`, whose label is alone in `annotations/12_exp.npy`.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.intake.findings import Finding, Severity
from eactf.intake.image_files import FileImages
from eactf.intake.listing import Images, Listing
from eactf.intake.readers.affectnet_files import Row, read_annotations, read_list
from eactf.intake.readers.card import Card, Option, check_counts
from eactf.intake.readers.cropped import CroppedImages
from eactf.intake.readers.folders import first_of, refuse_all_missing
from eactf.packed.values import AFFECT

__all__ = ["CARD", "DATASETS", "list_affectnet"]

_CLASSES = (
    *("neutral", "happiness", "sadness", "surprise"),
    *("fear", "disgust", "anger", "contempt"),
)
_NO_CLASS = {8: "none", 9: "uncertain", 10: "no face"}

CARD = Card(
    name="affectnet",
    title="AffectNet, manually labelled",
    classes=_CLASSES,
    class_total=8,
    counts={"train": 287_651, "test": 4_000},
    class_counts={
        "train": (74_874, 134_415, 25_459, 14_090, 6_378, 3_803, 24_882, 3_750),
        "test": (500,) * 8,
    },
    needs="signed request",
    get="a professor or lab manager asks the authors (mohammadmahoor.com/affectnet) by a signed"
    " licence agreement. Never hosted and never fetched by eactf",
    layout=(
        "first form: Manually_Annotated_file_lists/training.csv and validation.csv, and"
        " Manually_Annotated_Images/",
        "second form: train_set/ and val_set/, each with images/ and annotations/",
    ),
    licence="research only, under the signed agreement; no redistribution",
    terms="research only",
    quirks=(
        "labels 0 to 7 in the order above; 8 none, 9 uncertain and 10 no face are left out",
        "valence and arousal are read too; -2 is none, which makes no image be left out",
        "no test split was published: papers report on the validation images, which are the test"
        " split here",
        "the second form has 3,999 test images, and numbers its classes alike",
        "the first form's photographs are cropped to the face box; --crop no leaves them whole",
        "one labeller an image: agreement of two is about 60 % (the authors' paper)",
        "classes are very unequal in training and equal in the test split",
        "papers count 286,564 to 287,651 training images, and 283,901 with 7 classes",
    ),
    options=(
        Option("classes", "7 leaves out contempt.", "8", ("8", "7")),
        Option("crop", "Crop to the face box, in the first form.", "yes", ("yes", "no")),
    ),
    citation="Mollahosseini, Hasani and Mahoor, AffectNet: a database for facial expression,"
    " valence, and arousal computing in the wild, IEEE Transactions on Affective Computing, 2017",
    unverified=(
        "the second form's _val.npy and _aro.npy are read where they are there",
        "layout and counts a class are from code that reads the data set, not from a copy; the"
        " training counts sum to the number of images in the second form",
    ),
)

_LISTS = ("Manually_Annotated_file_lists", "Manually_Annotated", ".")
_IMAGES = ("Manually_Annotated_Images", "Manually_Annotated/Manually_Annotated_Images")


def list_affectnet(folder: Path, *, classes: str = "8", crop: str = "yes") -> Listing:
    """List AffectNet with 8 or 7 classes, from either form.

    `valence` and `arousal` are the listing's values, each read with its image's label. Raises
    `DataError` with file and line for what does not fit.
    """
    second = (folder / "train_set").is_dir() or (folder / "val_set").is_dir()
    root, listed = _second_form(folder) if second else _first_form(folder)
    class_names = _CLASSES[: int(classes)]
    rows = [row for row in _once(listed) if row.label < len(class_names)]
    if not rows:
        raise DataError(f"{folder} has no image of one of the {len(class_names)} classes")
    names = [row.path for row in rows]
    refuse_all_missing(CARD, root, names)
    splits = np.array([row.split for row in rows], np.uint8)
    given = np.array([row.label for row in rows])
    files: Images = FileImages(root, names)
    if not second and crop == "yes":
        files = CroppedImages(files, [row.box for row in rows])
    counts = _expected(len(class_names), second)
    return Listing(
        source=folder,
        kind=CARD.name,
        class_names=class_names,
        names=np.array(names),
        splits=splits,
        given=given,
        images=files,
        ids=np.arange(len(rows)),
        values=_values(rows),
        findings=(
            *check_counts(CARD, class_names, splits, given, counts=counts),
            *_left_out(listed, len(class_names)),
        ),
        notes={"dataset": CARD.title, "licence": CARD.licence, "crop": not second and crop},
    )


def _first_form(folder: Path) -> tuple[Path, list[Row]]:
    root = first_of(CARD, folder, _IMAGES)
    first_of(CARD, folder, [f"{place}/training.csv" for place in _LISTS])
    return root, [
        row
        for name, split in (("training.csv", 0), ("validation.csv", 2))
        for place in _LISTS
        if (folder / place / name).is_file()
        for row in read_list(folder / place / name, split)
    ]


def _second_form(folder: Path) -> tuple[Path, list[Row]]:
    return folder, [
        row
        for name, split in (("train_set", 0), ("val_set", 2))
        for row in read_annotations(folder, name, split)
    ]


def _once(rows: list[Row]) -> list[Row]:
    """The rows without repetitions of a file; the first one counts."""
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row.path, row)
    return list(first.values())


def _expected(classes: int, second: bool) -> dict[str, int]:
    return {
        split: sum(CARD.class_counts[split][:classes]) - (second and split == "test")
        for split in CARD.counts
    }


def _values(rows: list[Row]) -> dict[str, np.ndarray]:
    """Valence and arousal; none of either that no image has."""
    found = {name: np.array([getattr(row, name) for row in rows], np.float32) for name in AFFECT}
    return {name: values for name, values in found.items() if not np.isnan(values).all()}


def _left_out(rows: list[Row], classes: int) -> tuple[Finding, ...]:
    names = {**dict(enumerate(_CLASSES)), **_NO_CLASS}
    counts = Counter(names[row.label] for row in rows if row.label >= classes)
    repeated = len(rows) - len({row.path for row in rows})
    counts |= Counter({"listed again": repeated} if repeated else {})
    if not counts:
        return ()
    shown = ", ".join(f"{name} {count:,}" for name, count in counts.items())
    return (Finding("left-out", Severity.NOTE, f"left out: {shown}", "nothing to do"),)


DATASETS = {"affectnet": (CARD, list_affectnet)}

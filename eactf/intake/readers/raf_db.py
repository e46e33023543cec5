"""This module lists the basic expressions of RAF-DB (Li, Deng and Du, CVPR 2017).

The paper is "Reliable crowdsourcing and deep locality-preserving learning for expression
recognition in the wild". `list_patition_label.txt` (spelled so by its authors) has a line for each
image, `train_00001.jpg 5`, with labels from 1; the image of that line is
`aligned/train_00001_aligned.jpg`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.intake.image_files import FileImages
from eactf.intake.listing import Listing
from eactf.intake.readers.card import Card, Option, check_counts
from eactf.intake.readers.folders import first_of, refuse_all_missing
from eactf.intake.readers.joined_machine import People, join_machine
from eactf.intake.readers.machine_labels import NUMBERINGS
from eactf.noise.files import RAF_CLASSES, NoiseFile, read_noise_file, stem
from eactf.packed.records import SPLITS

__all__ = ["CARD", "DATASETS", "list_raf_db"]

CARD = Card(
    name="raf-db",
    title="RAF-DB, basic expressions",
    classes=RAF_CLASSES,
    class_total=7,
    counts={"train": 12_271, "test": 3_068},
    class_counts={
        "train": (1_290, 281, 717, 4_772, 1_982, 705, 2_524),
        "test": (329, 74, 160, 1_185, 478, 162, 680),
    },
    needs="signed request",
    get="ask the authors (whdeng.cn/RAF, Beijing University of Posts and Telecommunications) by the"
    " form on their page; the part named basic is needed. Never hosted and never fetched by eactf",
    layout=(
        "EmoLabel/list_patition_label.txt",
        "Image/aligned/train_00001_aligned.jpg, ...: 100 x 100, colour",
        "the folder may be the one above these (basic) or the one above that",
    ),
    licence="non-commercial research only; no copying beyond the own site, no redistribution",
    terms="research only",
    quirks=(
        "labels start at 1: surprise, fear, disgust, happiness, sadness, anger, neutral",
        "there is no validation split",
        "noise files (one line an image, name and label) have the training images only; the test"
        " labels always come from list_patition_label.txt",
        "labels of a network are a further label set, machine, and values, clipped to -1 to 1;"
        " images it did not see have none",
    ),
    options=(
        Option("noise-file", "Labels to train on instead, such as the EAC authors' noise01.txt."),
        Option("noise-base", "The label of the first class in the noise file.", "1", ("1", "0")),
        Option("images", "Which images.", "aligned", ("aligned", "original")),
        Option("machine-labels", "What a network said: rows name,label[,valence,arousal]."),
        Option("machine-values", "The same network's rows name,valence,arousal, in another file."),
        Option(
            "machine-numbers",
            "How the network's classes are numbered: 1 to 7, or 0 to 6 in AffectNet's order.",
            NUMBERINGS[0],
            NUMBERINGS,
        ),
    ),
    citation="Li, Deng and Du, Reliable crowdsourcing and deep locality-preserving learning for"
    " expression recognition in the wild, CVPR 2017",
    unverified=("file names and sizes are from code that reads the data set, not from a copy",),
)

_LABELS = ("list_patition_label.txt", "list_partition_label.txt")
_PLACES = (".", "EmoLabel", "basic", "basic/EmoLabel")
_PREFIXES = {"train": 0, "test": 2}


def list_raf_db(
    folder: Path,
    *,
    noise_file: str = "",
    noise_base: str = "1",
    images: str = "aligned",
    machine_labels: str = "",
    machine_values: str = "",
    machine_numbers: str = "raf-db",
) -> Listing:
    """List RAF-DB's basic expressions; with a noise file its labels are given, the true ones clean.

    What a network said (`join_machine`) becomes the label set `machine` and the values
    `valence` and `arousal`. Raises `DataError` with file and line for what does not fit.
    """
    label_path = first_of(
        CARD, folder, [f"{place}/{name}" for place in _PLACES for name in _LABELS]
    )
    image_folder = first_of(
        CARD, folder, [f"{place}/{images}" for place in (".", "Image", "basic/Image", "basic")]
    )
    labels = read_noise_file(label_path)
    splits = _splits(label_path, labels)
    files = [_file(name, images) for name in labels.names.tolist()]
    refuse_all_missing(CARD, image_folder, files)
    given = labels.labels
    if noise_file:
        noisy = read_noise_file(noise_file, base=int(noise_base), base_option="--noise-base 0")
        given = _with_noise(Path(noise_file), noisy, labels, splits)
    people = People(
        RAF_CLASSES,
        tuple(stem(name) for name in labels.names.tolist()),
        labels.labels,
        splits == SPLITS.index("train"),
    )
    machine = join_machine(people, machine_labels, machine_values, machine_numbers)
    return Listing(
        source=folder,
        kind=CARD.name,
        class_names=RAF_CLASSES,
        names=np.array(files),
        splits=splits,
        given=given,
        images=FileImages(image_folder, files),
        ids=np.arange(len(files)),
        clean=labels.labels if noise_file else None,
        labels=machine.labels,
        values=machine.values,
        findings=(*check_counts(CARD, RAF_CLASSES, splits, labels.labels), *machine.findings),
        notes={
            "dataset": CARD.title,
            "licence": CARD.licence,
            "noise_file": noise_file,
            **machine.notes,
        },
    )


def _splits(path: Path, labels: NoiseFile) -> np.ndarray:
    prefixes = [stem(name).partition("_")[0] for name in labels.names.tolist()]
    for name, prefix in zip(labels.names.tolist(), prefixes, strict=True):
        if prefix not in _PREFIXES:
            raise DataError(f"{path}: expected names train_... and test_..., received {name!r}")
    labels.by_stem(path)  # refuses images that are listed with two labels
    if len({stem(name) for name in labels.names.tolist()}) < len(labels.names):
        raise DataError(f"{path} lists an image twice", hint="use the file as published")
    return np.array([_PREFIXES[prefix] for prefix in prefixes], np.uint8)


def _file(name: str, images: str) -> str:
    return f"{stem(name)}_aligned.jpg" if images == "aligned" else f"{stem(name)}.jpg"


def _with_noise(path: Path, noisy: NoiseFile, labels: NoiseFile, splits: np.ndarray) -> np.ndarray:
    """The noise file's labels for the training images, the true ones for the others."""
    found = noisy.by_stem(path)
    stems = [stem(name) for name in labels.names.tolist()]
    train = splits == SPLITS.index("train")
    missing = [name for name, is_train in zip(stems, train, strict=True) if is_train]
    missing = [name for name in missing if name not in found]
    if missing:
        raise DataError(
            f"{path} has no label for {len(missing):,} training images, the first is {missing[0]}",
            hint="a noise file has a line for every training image",
        )
    unknown = set(found) - set(stems)
    if unknown:
        raise DataError(f"{path} labels {min(unknown)}, which RAF-DB does not have")
    given = np.array([found.get(name, -1) for name in stems])
    return np.where(train, given, labels.labels)


DATASETS = {"raf-db": (CARD, list_raf_db)}

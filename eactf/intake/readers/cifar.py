"""This module lists CIFAR-10 and CIFAR-100 from their "python version" (Krizhevsky, 2009).

Each file is a pickle of a dictionary: `data` (n, 3072) uint8, red, then green, then blue, and lists
of labels and file names. Pickles can run code; here they are read by `safe_pickle`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eactf.intake.listing import ArrayImages, Listing
from eactf.intake.readers.card import Card, Option, check_counts
from eactf.intake.readers.cifar_files import Batch, read_batch, read_names
from eactf.intake.readers.folders import first_of
from eactf.intake.sources.joined_images import JoinedImages

__all__ = ["CARD_10", "CARD_100", "DATASETS", "Form", "list_cifar", "list_cifar_100"]

_PAGE = "the CIFAR page of Alex Krizhevsky, University of Toronto (cs.toronto.edu/~kriz/cifar.html)"
_CITATION = "Krizhevsky, Learning multiple layers of features from tiny images, 2009"
_LICENCE = "no licence text; its page asks for the citation"
_QUIRKS = (
    "32 x 32, colour; there is no validation split",
    "the files are pickles: nothing but dictionaries, lists, texts, numbers and arrays is read"
    " from them, a file that asks for more is refused",
    "image order is that of the python version; other versions have another order",
)
CARD_10 = Card(
    name="cifar-10",
    title="CIFAR-10",
    classes=(
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
    class_total=10,
    counts={"train": 50_000, "test": 10_000},
    class_counts={"train": (5_000,) * 10, "test": (1_000,) * 10},
    needs="free download",
    get=f"cifar-10-python.tar.gz from {_PAGE}, unpacked",
    layout=("cifar-10-batches-py/data_batch_1 to data_batch_5, test_batch, batches.meta",),
    licence=_LICENCE,
    terms="none stated",
    citation=_CITATION,
    quirks=_QUIRKS,
)

CARD_100 = Card(
    name="cifar-100",
    title="CIFAR-100",
    classes=(),
    class_total=100,
    counts={"train": 50_000, "test": 10_000},
    class_counts={"train": (500,) * 100, "test": (100,) * 100},
    needs="free download",
    get=f"cifar-100-python.tar.gz from {_PAGE}, unpacked",
    layout=("cifar-100-python/train, test, meta",),
    licence=_LICENCE,
    terms="none stated",
    citation=_CITATION,
    quirks=_QUIRKS,
    options=(Option("labels", "The 100 classes, or their 20 groups.", "fine", ("fine", "coarse")),),
)


@dataclass(frozen=True)
class Form:
    """How one of the two data sets is laid out: its folder, its files, its keys."""

    card: Card
    folder: str
    train: tuple[str, ...]
    test: str
    meta: str
    labels: str
    names: str


FORM_10 = Form(
    CARD_10,
    "cifar-10-batches-py",
    tuple(f"data_batch_{number}" for number in range(1, 6)),
    "test_batch",
    "batches.meta",
    "labels",
    "label_names",
)
FORM_100 = Form(
    CARD_100, "cifar-100-python", ("train",), "test", "meta", "fine_labels", "fine_label_names"
)


def list_cifar(folder: Path, form: Form = FORM_10) -> Listing:
    """List CIFAR-10, or another data set of its form.

    The published file names are kept as the column `filename`. Raises `UnsafeFileError` for a
    pickle that asks for more than data, `DataError` where a file is not as published.
    """
    batches = _read(folder, form)
    class_names = read_names(batches[0].path.parent / form.meta, form.names)
    given = np.concatenate([batch.labels(form.labels, len(class_names)) for batch in batches])
    splits = np.concatenate(
        [np.full(len(b), 2 if b.path.name == form.test else 0, np.uint8) for b in batches]
    )
    return Listing(
        source=folder,
        kind=form.card.name,
        class_names=class_names,
        names=np.array([f"{b.path.name}[{row}]" for b in batches for row in range(len(b))]),
        splits=splits,
        given=given,
        images=JoinedImages([ArrayImages(batch.images) for batch in batches]),
        ids=np.arange(len(given)),
        columns={"filename": np.array([name for batch in batches for name in batch.filenames])},
        findings=check_counts(form.card, class_names, splits, given),
        notes={"dataset": form.card.title, "licence": form.card.licence},
    )


def list_cifar_100(folder: Path, *, labels: str = "fine") -> Listing:
    """List CIFAR-100 with its fine or its coarse labels."""
    if labels == "fine":
        return list_cifar(folder, FORM_100)
    card = replace(CARD_100, class_counts={"train": (2_500,) * 20, "test": (500,) * 20})
    form = replace(FORM_100, card=card, labels="coarse_labels", names="coarse_label_names")
    return list_cifar(folder, form)


def _read(folder: Path, form: Form) -> list[Batch]:
    place = first_of(form.card, folder, [f"{form.folder}/{form.meta}", form.meta]).parent
    for name in (*form.train, form.test):
        first_of(form.card, place, [name])
    return [read_batch(place / name) for name in (*form.train, form.test)]


DATASETS = {"cifar-10": (CARD_10, list_cifar), "cifar-100": (CARD_100, list_cifar_100)}

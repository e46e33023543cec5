"""This module lists CIFAR-10N and CIFAR-100N: CIFAR's images as people labelled them.

People on Mechanical Turk gave the labels (Wei et al., "Learning with noisy labels revisited", ICLR
2022). They lie in one file of PyTorch's or NumPy's, such as `CIFAR-10_human.pt`, which holds a
dictionary of arrays; the images are CIFAR's own.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.intake.listing import Listing
from eactf.intake.readers.card import Card, Option
from eactf.intake.readers.cifar import CARD_10, CARD_100, FORM_10, FORM_100, Form, list_cifar
from eactf.intake.readers.folders import first_of
from eactf.intake.readers.label_dictionary import read_label_dictionary

__all__ = ["CARD_10N", "CARD_100N", "DATASETS", "list_cifar_10n", "list_cifar_100n"]

_KEYS = {
    "aggre": ("aggre_label",),
    "random1": ("random_label1",),
    "random2": ("random_label2",),
    "random3": ("random_label3",),
    "worst": ("worse_label", "worst_label"),
    "noisy": ("noisy_label", "noise_label"),
}
"""The label sets, and the keys they have in the files."""

_CLEAN = ("clean_label",)
_FILE = Option("labels-file", "The file of labels, if it does not lie beside CIFAR's files.")
_QUIRKS = (
    "the file's own clean labels must be CIFAR's: that shows that the order is the same. The files"
    " named _ordered.npy are in the order of TensorFlow Datasets and are refused",
    "the label chosen is to train on, CIFAR's own is kept as the clean one; test labels are clean",
    ".pt and .npy files are pickles: only dictionaries, numbers and arrays are read from them",
)
_NEEDS = "CIFAR + labels"
_LICENCE = "labels CC BY-NC 4.0; images as CIFAR"
_CITATION = (
    "Wei et al., Learning with noisy labels revisited: a study using real-world human annotations,"
    " ICLR 2022"
)
_GET = "{0}_human.pt (or .npy) from github.com/UCSC-REAL/cifar-10-100n, folder data, put beside {1}"
_UNVERIFIED = ("the files' inner form is from the code that its authors publish, not from a copy",)

CARD_10N = Card(
    name="cifar-10n",
    title="CIFAR-10N: CIFAR-10 with human labels",
    classes=CARD_10.classes,
    class_total=10,
    counts=CARD_10.counts,
    get=_GET.format("CIFAR-10", "the files of CIFAR-10"),
    layout=(*CARD_10.layout, "CIFAR-10_human.pt, .npy or .npz, there or one folder above"),
    quirks=(
        "published shares of wrong labels: aggre 9.03 %, random1 17.23 %, random2 18.12 %, random3"
        " 17.64 %, worst 40.21 %",
        *_QUIRKS,
    ),
    options=(
        Option(
            "label",
            "Which labels to train on; all are kept as label sets.",
            "worst",
            ("aggre", "random1", "random2", "random3", "worst"),
        ),
        _FILE,
    ),
    unverified=_UNVERIFIED,
    needs=_NEEDS,
    licence=_LICENCE,
    terms="labels CC BY-NC",
    citation=_CITATION,
)

CARD_100N = Card(
    name="cifar-100n",
    title="CIFAR-100N: CIFAR-100 with human labels",
    classes=(),
    class_total=100,
    counts=CARD_100.counts,
    get=_GET.format("CIFAR-100", "the files of CIFAR-100"),
    layout=(*CARD_100.layout, "CIFAR-100_human.pt, .npy or .npz, there or one folder above"),
    quirks=("published share of wrong labels: 40.20 %", *_QUIRKS),
    options=(_FILE,),
    unverified=_UNVERIFIED,
    needs=_NEEDS,
    licence=_LICENCE,
    terms="labels CC BY-NC",
    citation=_CITATION,
)


def list_cifar_10n(folder: Path, *, label: str = "worst", labels_file: str = "") -> Listing:
    """List CIFAR-10 with one of the human label sets to train on."""
    return _list(folder, CARD_10N, FORM_10, label, labels_file)


def list_cifar_100n(folder: Path, *, labels_file: str = "") -> Listing:
    """List CIFAR-100 with the human labels to train on."""
    return _list(folder, CARD_100N, FORM_100, "noisy", labels_file)


def _list(folder: Path, card: Card, form: Form, label: str, labels_file: str) -> Listing:
    listing = list_cifar(folder, form)
    path = Path(labels_file) if labels_file else _find(folder, card, form)
    if not path.is_file():
        raise UsageError(f"there is no file {path}", hint="check --labels-file")
    found = read_label_dictionary(path)
    train = listing.splits == 0
    clean = listing.given[train]
    _check_order(path, found, clean)
    sets = {
        name: _spread(path, found[key], train, len(listing.class_names))
        for name, keys in _KEYS.items()
        for key in keys
        if key in found
    }
    if label not in sets:
        raise DataError(
            f"{path} has no labels {_KEYS[label][0]}, but {', '.join(found)}",
            hint=f"expected the file of {card.title}",
        )
    chosen = sets[label]
    return replace(
        listing,
        kind=card.name,
        given=np.where(train, chosen, listing.given),
        clean=listing.given,
        labels=sets,
        notes={
            "dataset": card.title,
            "licence": card.licence,
            "label": label,
            "wrong": round(float((chosen[train] != clean).mean()), 4),
        },
    )


def _find(folder: Path, card: Card, form: Form) -> Path:
    stem = form.card.title + "_human"
    names = [f"{stem}{suffix}" for suffix in (".pt", ".npz", ".npy")]
    places = (".", form.folder, "data", "..")
    return first_of(card, folder, [f"{place}/{name}" for place in places for name in names])


def _check_order(path: Path, found: dict[str, np.ndarray], clean: np.ndarray) -> None:
    own = next((found[key] for key in _CLEAN if key in found), None)
    if own is None:
        raise DataError(f"{path} has no clean_label, by which its order is checked")
    if own.shape != clean.shape or (own != clean).any():
        differ = f"{(own != clean).sum():,}" if own.shape == clean.shape else "all"
        raise DataError(
            f"{path}: {differ} of its {len(own):,} clean labels are not those of CIFAR's"
            f" {len(clean):,} training images",
            hint="use the file for the python version (CIFAR-10_human.pt), not an ordered one",
        )


def _spread(path: Path, labels: np.ndarray, train: np.ndarray, classes: int) -> np.ndarray:
    """The training images' labels in an array of all rows, with -1 in the other rows."""
    if labels.shape != (int(train.sum()),) or labels.min() < 0 or labels.max() >= classes:
        raise DataError(f"{path}: expected {train.sum():,} labels of 0 to {classes - 1}")
    rows = np.full(len(train), -1)
    rows[train] = labels
    return rows


DATASETS = {"cifar-10n": (CARD_10N, list_cifar_10n), "cifar-100n": (CARD_100N, list_cifar_100n)}

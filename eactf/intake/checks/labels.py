"""These checks find missing and wrong labels, classes with too few images and missing splits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from eactf.intake.checks.evidence import TRAIN, Evidence, Finder, counted, enumerated, percent
from eactf.intake.findings import Finding, Severity
from eactf.intake.two_classes import one_class_fix, only_class
from eactf.packed.records import SPLITS

__all__ = ["FINDERS"]

TINY = 20
"""Training images under which a class is hardly learned."""

TINY_TO_JUDGE = 10
"""Test or validation images under which a class's recall says little."""

UNEQUAL = 10
"""The largest class over the smallest from which accuracy hides what becomes of small ones."""

_SAID_ALREADY = frozenset(
    {
        "class-means-no-label",
        "contradicting-labels",
        "missing-label",
        "no-label-by-votes",
        "unknown-label",
        "votes-without-label",
    }
)
"""Findings by which a door has said already, and better, which samples have no label."""


def unlabelled(data: Evidence) -> Iterator[Finding]:
    """Samples without a label, where the door that read them did not say so."""
    without = data.listing.given < 0
    if not without.any() or without.all():
        return
    if _SAID_ALREADY.intersection(finding.code for finding in data.listing.findings):
        return
    yield Finding(
        "no-label",
        Severity.WARNING,
        f"{counted(int(without.sum()), 'image')} without a label that is known",
        "label them; packing leaves them out",
        data.names(without),
    )


def one_class(data: Evidence) -> Iterator[Finding]:
    """All samples of one class, or no sample with a label at all."""
    found = only_class(data.listing.class_names, data.listing.given[data.usable])
    if found is not None:
        yield Finding("one-class", Severity.ERROR, found, one_class_fix(data.listing.kind))


def no_training_images(data: Evidence) -> Iterator[Finding]:
    """Classes that have no training image."""
    train = data.counts(TRAIN)
    if not train.any():
        return  # the check of the splits says so
    others = np.sum([data.counts(split) for split in range(len(SPLITS)) if split != TRAIN], axis=0)
    told = {
        file.rsplit("/", 1)[-1]
        for finding in data.listing.findings
        if finding.code in ("class-folder-missing", "empty-class-folder")
        for file in finding.files
    }
    empty = [
        (name, int(other))
        for name, count, other in zip(data.listing.class_names, train, others, strict=True)
        if not count and name not in told
    ]
    if empty:
        shown = enumerated(repr(name) for name, _ in empty)
        yield Finding(
            "class-without-training-images",
            Severity.ERROR if any(other for _, other in empty) else Severity.WARNING,
            f"no training image of {counted(len(empty), 'class', 'classes')}: {shown}",
            "add images, or take the class out",
        )


def tiny_classes(data: Evidence) -> Iterator[Finding]:
    """Classes of hardly any images, in each split that there is."""
    for split, split_name in enumerate(SPLITS):
        limit = TINY if split == TRAIN else TINY_TO_JUDGE
        counts = data.counts(split)
        tiny = np.argsort(counts, kind="stable")
        tiny = tiny[(counts[tiny] > 0) & (counts[tiny] < limit)]
        if not len(tiny):
            continue
        what = "training" if split == TRAIN else split_name
        shown = enumerated(f"{data.listing.class_names[index]} {counts[index]}" for index in tiny)
        classes = counted(len(tiny), "class", "classes")
        yield Finding(
            "tiny-class" if split == TRAIN else f"tiny-class-in-{split_name}",
            Severity.WARNING if split == TRAIN else Severity.NOTE,
            f"{classes} of fewer than {limit} {what} images: {shown}",
            "bring more images; so few are hardly learned"
            if split == TRAIN
            else "bring more images; the recall of so few says little",
        )


def imbalance(data: Evidence) -> Iterator[Finding]:
    """Training classes of very different sizes."""
    counts = data.counts(TRAIN)
    filled = counts[counts > 0]
    if len(filled) < 2 or filled.max() < UNEQUAL * filled.min():
        return
    most, least = int(counts.argmax()), int(np.where(counts > 0, counts, counts.max() + 1).argmin())
    names = data.listing.class_names
    yield Finding(
        "imbalance",
        Severity.WARNING,
        f"{names[most]} has {counts[most] / counts[least]:,.0f} times as many training images as"
        f" {names[least]} ({counts[most]:,} and {counts[least]:,})",
        "judge by the mean recall of the classes beside accuracy, which the large ones decide",
    )


def splits(data: Evidence) -> Iterator[Finding]:
    """Splits that are not there."""
    here = {SPLITS[index] for index in np.unique(data.listing.splits[data.usable])}
    if not here:
        return  # other findings say that nothing can be used
    if "train" not in here:
        yield Finding(
            "no-training-split",
            Severity.WARNING,
            f"no training images, only {' and '.join(sorted(here))}: good for evaluating alone",
            "name the folder, or the split in the manifest, train",
        )
    elif "test" not in here:
        yield Finding(
            "no-test-split",
            Severity.WARNING,
            "no test images to judge the result by",
            "set images aside as test, of other persons than those in train",
        )
    if "train" in here and "validation" not in here:
        yield Finding(
            "no-validation-split",
            Severity.NOTE,
            "no validation images",
            "nothing to do: a share of the training images can be held out"
            " (data.validation_fraction in a recipe)",
        )


def wrong_labels(data: Evidence) -> Iterator[Finding]:
    """How many labels are wrong, where the true ones are known."""
    clean = data.listing.clean
    if clean is None:
        return
    known = data.usable & (clean >= 0)
    wrong = known & (clean != data.listing.given)
    if wrong.any():
        share = percent(int(wrong.sum()), int(known.sum()))
        yield Finding(
            "wrong-labels",
            Severity.WARNING,
            f"{int(wrong.sum()):,} of {int(known.sum()):,} labels ({share}) are not the true ones",
            "train with a method for noisy labels; the true ones are kept to judge it",
            data.names(wrong),
        )


FINDERS: tuple[Finder, ...] = (
    one_class,
    unlabelled,
    no_training_images,
    tiny_classes,
    imbalance,
    splits,
    wrong_labels,
)

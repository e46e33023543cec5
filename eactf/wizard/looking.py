"""This module looks at the user's data and gathers what the questions and the plan need of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.intake.duplicates import Duplicates, find_duplicates
from eactf.intake.findings import Finding
from eactf.intake.fingerprint import Fingerprint, take_fingerprint
from eactf.intake.listing import Listing
from eactf.intake.scan import Scan, scan
from eactf.intake.sources import SourceOptions, open_source
from eactf.intake.sources.missing import NOTE
from eactf.intake.two_classes import one_class_fix
from eactf.progress import counting, waiting
from eactf.suggestions import command_line
from eactf.wizard.holding_out import usable_training_rows

__all__ = [
    "UserData",
    "join_spellings",
    "keep_as_classes",
    "look_at",
    "missing_labels",
    "refuse_hopeless",
    "spellings",
]

_SPELLINGS = "class-in-two-spellings"


@dataclass(frozen=True)
class UserData:
    """The user's data as it was found at `path` with `options`."""

    path: Path
    options: SourceOptions
    listing: Listing
    scan: Scan
    duplicates: Duplicates
    fingerprint: Fingerprint

    @property
    def packed(self) -> bool:
        """Whether the data is a packed file already."""
        return self.listing.kind == "packed"

    @property
    def check_command(self) -> str:
        """The command that tells everything that was found, as a shell takes it."""
        return command_line("eactf", "data", "check", self.path, *self.options.flags())

    @property
    def has_copies(self) -> bool:
        """Whether any image is a copy of another, or nearly one."""
        return bool((self.duplicates.near != np.arange(len(self.listing))).any())


def look_at(path: Path, options: SourceOptions) -> UserData:
    """List and decode everything at `path`, with a bar on a terminal."""
    with waiting("reading the labels"):
        listing = open_source(path, options)
    with counting("looking at the images") as progress:
        scanned = scan(listing, progress=progress)
    with waiting("looking for copies"):
        duplicates = find_duplicates(scanned)
    fingerprint = take_fingerprint(listing, scanned, duplicates)
    return UserData(path, options, listing, scanned, duplicates, fingerprint)


def refuse_hopeless(data: UserData, max_bad: float) -> None:
    """Raise `DataError` for what no recipe can mend: too many bad images, nothing to tell apart."""
    fingerprint, command = data.fingerprint, data.check_command
    bad, labelled = sum(fingerprint.bad.values()), fingerprint.images - fingerprint.unlabelled
    if bad > max_bad * labelled:
        enough = math.ceil(1000 * bad / labelled) / 1000
        raise DataError(
            f"{bad:,} of {labelled:,} images cannot be used, more than {max_bad:.1%}",
            hint=f"see which: {command}\n  to go on without them: --max-bad {enough:g}",
        )
    if not fingerprint.splits.get("train"):
        raise DataError(f"{data.path} has no labelled image to train on", hint=f"see: {command}")
    classes = fingerprint.class_counts["train"].values()
    if sum(count > 0 for count in classes) < 2:
        raise DataError(
            f"all training images of {data.path} are of one class; two are the least",
            hint=f"{one_class_fix(data.listing.kind)}; see: {command}",
        )
    if not fingerprint.splits.get("validation") and not _has_two_of_a_class(data):
        raise DataError(
            f"{data.path} has no validation split and no class with two different images, so that"
            " none can be held out",
            hint="add images, or a validation split",
        )


def _has_two_of_a_class(data: UserData) -> bool:
    rows = usable_training_rows(data.listing, data.scan)
    pairs = np.column_stack([data.listing.given[rows], data.scan.digest[rows, 0].view(np.int64)])
    _, counts = np.unique(np.unique(pairs, axis=0)[:, 0], return_counts=True)
    return bool((counts > 1).any())


def spellings(data: UserData) -> list[Finding]:
    """The classes that are there in several spellings and not joined yet."""
    if data.options.merge_spellings:
        return []
    return [finding for finding in data.listing.findings if finding.code == _SPELLINGS]


def join_spellings(data: UserData) -> UserData:
    """The same data with every class under one spelling; no image is decoded again."""
    return _read_again(data, replace(data.options, merge_spellings=True))


def missing_labels(data: UserData) -> dict[str, int]:
    """The labels taken for missing ones unasked, such as NA or -1, and how often each occurs."""
    said = data.listing.notes.get(NOTE) if data.options.missing is None else None
    return {str(text): int(count) for text, count in said.items()} if isinstance(said, dict) else {}


def keep_as_classes(data: UserData) -> UserData:
    """The same data with no label taken for a missing one; no image is decoded again."""
    return _read_again(data, replace(data.options, missing=()))


def _read_again(data: UserData, options: SourceOptions) -> UserData:
    listing = open_source(data.path, options)
    fingerprint = take_fingerprint(listing, data.scan, data.duplicates)
    return replace(data, options=options, listing=listing, fingerprint=fingerprint)

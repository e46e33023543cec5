"""This module reads votes from an array `(n, columns)`, whose columns `vote_columns` names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.intake.findings import Finding, Severity
from eactf.intake.sources.array_labels import read_texts
from eactf.intake.sources.array_names import split_word
from eactf.intake.sources.array_roles import SplitArrays
from eactf.intake.sources.options import SourceOptions
from eactf.intake.sources.spellings import tidy
from eactf.intake.sources.stored_array import StoredArray
from eactf.intake.votes import VoteResult, decide_votes
from eactf.suggestions import command_line

__all__ = ["Votes", "for_no_class", "read_votes", "set_labels_aside", "undecided", "votes_decide"]

_MAX_VOTES = 255


@dataclass(frozen=True)
class Votes:
    """The votes of all rows, `(n, columns)` uint8 or float32; zeros where a split has none."""

    counts: np.ndarray
    columns: tuple[str, ...]

    def decide(self, classes: Sequence[str], rule: str) -> VoteResult:
        """The labels by the votes; columns that are none of `classes` count against them."""
        others = [column for column in self.columns if column not in classes]
        order = [self.columns.index(column) for column in (*classes, *others)]
        return decide_votes(self.counts[:, order], rule, classes=classes, others=others)

    def classes(self, options: SourceOptions, names: Sequence[str]) -> tuple[str, ...]:
        """The columns that are classes: those the user named, else those of the class `names`.

        All of them where the file names no classes.
        """
        missing = [column for column in options.votes if column not in self.columns]
        if missing:
            raise UsageError(
                f"--votes: there is no column {missing[0]!r} in vote_columns",
                hint=f"choose from: {', '.join(self.columns)}",
            )
        chosen = options.votes or tuple(name for name in names if name in self.columns)
        return chosen or self.columns


def votes_decide(path: Path, parts: Sequence[SplitArrays], options: SourceOptions) -> bool:
    """Whether the labels are to be made of the votes: the user says so, or there are no others."""
    wished = bool(options.votes) or options.vote_rule != "argmax"
    has_votes = any(part.votes is not None for part in parts)
    if wished and options.label is None and not has_votes:
        flag = "--votes" if options.votes else "--vote-rule"
        raise UsageError(
            f"{flag}: {path} has no array of votes", hint="expected votes beside the images"
        )
    return has_votes and options.label is None and (wished or all(p.label is None for p in parts))


def set_labels_aside(parts: Sequence[SplitArrays]) -> list[SplitArrays]:
    """The splits without a label; the array that was it is one of the other arrays."""
    return [
        part
        if part.label is None
        else replace(
            part,
            label=None,
            others={**part.others, split_word(part.label.name)[1]: part.label},
        )
        for part in parts
    ]


def read_votes(
    path: Path, parts: Sequence[SplitArrays], shared: Mapping[str, StoredArray]
) -> Votes | None:
    """The votes of a file; None where it has none. `DataError` where they do not fit together."""
    stored = [part.votes for part in parts]
    present = [array for array in stored if array is not None]
    if not present:
        return None
    names = shared.get("vote_columns", shared.get("class_names"))
    columns = tuple(tidy(text) for text in read_texts(names)) if names is not None else ()
    for array in present:
        if array.dtype.kind not in "iuf" or array.shape[1:] != (len(columns),):
            raise DataError(
                f"{path}: {array.name}: expected numbers in {len(columns)} columns, as"
                f" vote_columns names them, received shape {array.shape}",
                hint="save the columns' names as vote_columns",
            )
    if len(set(columns)) < len(columns):
        raise DataError(f"{path}: vote_columns: expected unique names, received {list(columns)}")
    counts = [
        np.zeros((len(part), len(columns)), np.uint8) if array is None else array.read()
        for part, array in zip(parts, stored, strict=True)
    ]
    return Votes(_as_counts(path, np.concatenate(counts)), columns)


def undecided(result: VoteResult, names: np.ndarray) -> tuple[Finding, ...]:
    """The finding for the images that the votes give no label."""
    if result.keep.all():
        return ()
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in result.dropped.items())
    return (
        Finding(
            "no-label-by-votes",
            Severity.NOTE,
            f"{(~result.keep).sum():,} images get no label by their votes: {reasons}",
            "packing leaves them out; another --vote-rule keeps others",
            tuple(names[~result.keep].tolist()),
        ),
    )


def for_no_class(
    votes: Votes, classes: Sequence[str], given: np.ndarray, names: np.ndarray
) -> tuple[Finding, ...]:
    """The finding for images that have a label although most votes are for no class."""
    if not set(classes) < set(votes.columns):
        return ()
    result = votes.decide(classes, "argmax")
    doubtful = ~result.keep & (given >= 0) & votes.counts.any(axis=1)
    if not doubtful.any():
        return ()
    others = ", ".join(column for column in votes.columns if column not in classes)
    option = command_line("--votes", ",".join(classes))
    return (
        Finding(
            "votes-for-no-class",
            Severity.WARNING,
            f"{doubtful.sum():,} labelled images have most votes for no class ({others})",
            f"to label by the votes and leave these out: {option}",
            tuple(names[doubtful].tolist()),
        ),
    )


def _as_counts(path: Path, votes: np.ndarray) -> np.ndarray:
    if not (np.isfinite(votes) & (votes >= 0)).all():
        raise DataError(f"{path}: votes: expected finite numbers >= 0")
    whole = votes.dtype.kind in "iu" and votes.max(initial=0) <= _MAX_VOTES
    return votes.astype(np.uint8 if whole else np.float32)

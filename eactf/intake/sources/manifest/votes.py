"""This module reads columns that count annotators' votes and makes labels of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.intake.findings import Finding, Severity
from eactf.intake.sources.manifest.cells import Cells
from eactf.intake.sources.manifest.columns import Roles
from eactf.intake.sources.missing import is_missing
from eactf.intake.sources.spellings import same_spelling
from eactf.intake.votes import VoteResult, decide_votes

__all__ = ["Votes", "class_columns", "decide", "read_votes", "votes_among", "votes_findings"]

_OTHERS = frozenset({"unknown", "nf", "notaface", "noface", "unsure", "notsure"})
"""Columns, as `same_spelling` has them, that count votes for no class."""


@dataclass(frozen=True)
class Votes:
    """`counts` `(n, columns)`: uint8 where whole numbers up to 255 do, else float32."""

    columns: tuple[str, ...]
    counts: np.ndarray


def read_votes(path: Path, cells: Cells, roles: Roles, positions: Sequence[int]) -> Votes:
    """The votes in the columns at `positions`; an empty cell is no vote.

    Raises `DataError` with line and column for a cell that is no number >= 0.
    """
    counts = np.zeros((len(cells.lines), len(positions)))
    for column, position in enumerate(positions):
        for row, text in enumerate(cells.columns[position]):
            count = _count(text)
            if count is None:
                raise DataError(
                    f"{path}, line {cells.lines[row]}, {roles.names[position]}: expected a number"
                    f" of votes >= 0, received {text[:40]!r}"
                )
            counts[row, column] = count
    whole = not counts.size or ((counts % 1 == 0).all() and counts.max() <= 255)
    names = tuple(roles.names[position] for position in positions)
    return Votes(names, counts.astype(np.uint8 if whole else np.float32))


def votes_among(cells: Cells, roles: Roles, class_names: Sequence[str]) -> tuple[int, ...]:
    """The columns that count votes without being named: one for each class, named as it is.

    Columns for no class (`unknown`, `NF`) go with them. All cells have to be numbers >= 0.
    """
    by_name = {roles.names[position]: position for position in roles.others}
    if not all(name in by_name for name in class_names):
        return ()
    found = [
        position
        for name, position in by_name.items()
        if (name in class_names or same_spelling(name) in _OTHERS) and position in cells.columns
    ]
    numbers = all(
        _count(text) is not None for position in found for text in set(cells.columns[position])
    )
    return tuple(found) if numbers else ()


def class_columns(names: Sequence[str]) -> tuple[str, ...]:
    """Those of the vote columns that stand for classes."""
    return tuple(name for name in names if same_spelling(name) not in _OTHERS)


def decide(votes: Votes, rule: str) -> VoteResult:
    """The labels by `rule`, as indices into `class_columns(votes.columns)`."""
    classes = class_columns(votes.columns)
    others = tuple(name for name in votes.columns if name not in classes)
    order = [votes.columns.index(name) for name in (*classes, *others)]
    return decide_votes(votes.counts[:, order], rule, classes=classes, others=others)


def votes_findings(path: Path, cells: Cells, result: VoteResult, rule: str) -> Iterator[Finding]:
    """What the rule left without a label."""
    rows = np.flatnonzero(~result.keep)
    if len(rows):
        reasons = ", ".join(f"{reason} {count}" for reason, count in result.dropped.items())
        yield Finding(
            "votes-without-label",
            Severity.WARNING,
            f"{path.name}: the vote rule {rule} gives {len(rows)} of {len(result.keep)} rows no"
            f" label ({reasons}); they are left out",
            "choose another rule with --vote-rule, if they are wanted",
            tuple(f"line {cells.lines[row]}" for row in rows),
        )


def _count(text: str) -> float | None:
    """A number >= 0, with a decimal comma too; 0 for an empty cell, None for anything else."""
    if is_missing(text):
        return 0.0
    try:
        count = float(text.replace(",", "."))
    except ValueError:
        return None
    return count if isfinite(count) and count >= 0 else None

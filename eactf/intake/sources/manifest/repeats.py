"""`settle_repeats` keeps one row of each image that a manifest names more than once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.intake.findings import Finding, Severity

__all__ = ["Repeats", "settle_repeats"]


@dataclass(frozen=True)
class Repeats:
    """The rows to keep, one an image, in their order; `given` is the label of each of them."""

    rows: np.ndarray
    given: np.ndarray
    findings: tuple[Finding, ...]


def settle_repeats(
    path: Path, lines: Sequence[int], names: Sequence[str], given: np.ndarray, splits: np.ndarray
) -> Repeats:
    """Keep one row of each image.

    An image with two labels gets none (-1), for either would be a guess. One in two splits stays
    in the later one only, so that no image is tested that was trained on.
    """
    by_name: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        by_name.setdefault(name, []).append(row)
    repeated = {name: rows for name, rows in by_name.items() if len(rows) > 1}
    labels, kept = given.copy(), np.ones(len(names), bool)
    same: list[str] = []
    contradicting: list[str] = []
    straddling: list[str] = []
    for name, rows in repeated.items():
        classes = {int(given[row]) for row in rows} - {-1}
        row = max(rows, key=lambda row: (splits[row], -row))
        kept[rows], kept[row] = False, True
        labels[row] = next(iter(classes)) if len(classes) == 1 else -1
        told = f"{name} (lines {', '.join(str(lines[row]) for row in rows[:5])})"
        (contradicting if len(classes) > 1 else same).append(told)
        if len(set(splits[rows].tolist())) > 1:
            straddling.append(told)
    chosen = np.flatnonzero(kept)
    findings = _findings(path, same, contradicting, straddling, len(by_name))
    return Repeats(chosen, labels[chosen], tuple(findings))


def _findings(
    path: Path,
    same: Sequence[str],
    contradicting: Sequence[str],
    straddling: Sequence[str],
    images: int,
) -> Iterator[Finding]:
    if contradicting:
        votes = "if annotators disagree, write one row an image with a column of votes a class"
        yield Finding(
            "contradicting-labels",
            Severity.ERROR,
            f"{path.name}: {len(contradicting)} of {images} images named with several labels, which"
            " makes them unlabelled",
            votes if len(contradicting) > images / 2 else "keep the row with the right label",
            tuple(contradicting),
        )
    if straddling:
        yield Finding(
            "named-in-two-splits",
            Severity.ERROR,
            f"{path.name}: {len(straddling)} of {images} images named in several splits, kept in"
            " the last of these only",
            "name each image in one split",
            tuple(straddling),
        )
    if same:
        yield Finding(
            "named-twice",
            Severity.WARNING,
            f"{path.name}: {len(same)} of {images} images named more than once, kept once",
            "remove the rows that repeat",
            tuple(same),
        )

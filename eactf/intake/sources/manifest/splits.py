"""Which split each row of a manifest belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.intake.findings import Finding, Severity
from eactf.intake.sources.splits import split_named
from eactf.packed.records import SPLITS

__all__ = ["RowSplits", "splits_by_column", "splits_by_path"]


@dataclass(frozen=True)
class RowSplits:
    """The split of each row, `(n,)` uint8, indices into `SPLITS`; `note` says how it was told."""

    splits: np.ndarray
    note: str
    findings: tuple[Finding, ...] = ()


def splits_by_column(
    path: Path, name: str, lines: Sequence[int], cells: Sequence[str]
) -> RowSplits:
    """The splits that the column `name` says; `DataError` for a cell that names none."""
    index = {cell: split_named(cell) for cell in set(cells)}
    unknown = {cell for cell, split in index.items() if split is None}
    if unknown:
        line, cell = next(
            (line, cell) for line, cell in zip(lines, cells, strict=True) if cell in unknown
        )
        rows = sum(cell in unknown for cell in cells)
        raise DataError(
            f"{path}, line {line}, {name}: expected train, validation or test, received {cell!r}"
            f" ({rows} of {len(cells)} rows name no split)",
            hint="correct the cells, or name another column: --split-column NAME",
        )
    splits = np.array([index[cell] for cell in cells], np.uint8)
    return RowSplits(splits, f"by the column {name}")


def splits_by_path(path: Path, names: Sequence[str]) -> RowSplits:
    """The splits of a manifest without such a column: all rows are training data.

    Where each path has a folder that is named as a split is, and these are training and others,
    the folders say it: else images set apart for testing would be trained on.
    """
    found = [_split_in(name) for name in names]
    if None not in found and len(set(found)) > 1 and SPLITS.index("train") in found:
        note = "by the folders train, validation, test in the paths: there is no split column"
        return RowSplits(np.array(found, np.uint8), note)
    note = "no split column: all rows are training images"
    findings = (*_named_otherwise(path, Counter(found)), *_neighbours(path))
    return RowSplits(np.zeros(len(names), np.uint8), note, findings)


def _split_in(name: str) -> int | None:
    folders = name.split("/")[:-1]
    return next((split for part in folders if (split := split_named(part)) is not None), None)


def _named_otherwise(path: Path, found: Counter[int | None]) -> Iterator[Finding]:
    """A doubt where the file's name or its paths say that this is no training data."""
    by_name = {split for part in path.stem.replace("-", "_").split("_") if (split := _other(part))}
    by_path = {split for split in found if split}
    if by_name or by_path:
        said = SPLITS[min(by_name or by_path)]
        where = "its name says" if by_name else f"the paths of {found[min(by_path)]} rows say"
        yield Finding(
            "taken-as-training",
            Severity.WARNING,
            f"{path.name}: all rows are taken as training images, though {where} {said}",
            "add a column split (train, validation, test)",
            (path.name,),
        )


def _other(name: str) -> int | None:
    return split_named(name) or None  # 0 is train: no doubt


def _neighbours(path: Path) -> Iterator[Finding]:
    """A hint at `labels_test.csv` beside `labels_train.csv`: a manifest is read alone."""
    own = next((part for part in path.stem.split("_") if split_named(part) is not None), None)
    if own is None:
        return
    others = [
        entry.name
        for entry in sorted(path.parent.glob(f"*{path.suffix}"))
        if entry.name != path.name and _differs_in_split(entry.stem, path.stem)
    ]
    if others:
        yield Finding(
            "manifest-beside",
            Severity.NOTE,
            f"{path.name} is read alone; {', '.join(others)} beside it holds another split",
            "to use both, join them in one manifest with a column split",
            tuple(others),
        )


def _differs_in_split(one: str, other: str) -> bool:
    pairs = list(zip(one.split("_"), other.split("_"), strict=False))
    differing = [pair for pair in pairs if pair[0] != pair[1]]
    same_length = one.count("_") == other.count("_")
    return (
        same_length
        and len(differing) == 1
        and all(split_named(part) is not None for part in differing[0])
    )

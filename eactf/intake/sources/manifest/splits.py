"""These functions tell which split each row of a manifest belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.intake.findings import Finding, Severity
from eactf.intake.sources.manifest.joined import JoinedTable, Line
from eactf.intake.sources.splits import split_in_stem, split_named
from eactf.packed.records import SPLITS

__all__ = ["RowSplits", "splits_by_column", "splits_by_file", "splits_by_path"]

_TABLES = (".csv", ".tsv", ".txt")


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


def splits_by_file(table: JoinedTable, lines: Sequence[int]) -> RowSplits:
    """The splits of rows from several tables, each of which holds one split as its name says."""
    splits = np.array([line.split for line in lines if isinstance(line, Line)], np.uint8)
    named = [f"{part.path.name} as {SPLITS[split]}" for split, part in table.parts]
    findings = [
        Finding(
            "one-table-a-split",
            Severity.NOTE,
            f"read {', '.join(named)}",
            "nothing to do; to read one of them alone pass it by its name",
            tuple(part.path.name for _, part in table.parts),
        )
    ]
    for file, columns in table.lacking().items():
        findings.append(
            Finding(
                "column-in-some-tables",
                Severity.NOTE,
                f"{file} has no {', '.join(columns)}, which other tables have",
                "nothing to do where that is meant; images without a label are left out",
                (file,),
            )
        )
    return RowSplits(splits, f"one table a split: {', '.join(named)}", tuple(findings))


def splits_by_path(path: Path, names: Sequence[str]) -> RowSplits:
    """The splits of a manifest without such a column.

    Where each path has a folder that is named as a split is, and these are training and others,
    the folders say it: else images set apart for testing would be trained on. Else the name of the
    manifest says it (`test.csv`, `faces_val.csv`); where it does not, all rows are training data.
    """
    found = [_split_in(name) for name in names]
    if None not in found and len(set(found)) > 1 and SPLITS.index("train") in found:
        note = "by the folders train, validation, test in the paths: there is no split column"
        return RowSplits(np.array(found, np.uint8), note)
    by_name = split_in_stem(path.stem)
    if by_name is not None:
        split = by_name[0]
        note = f"no split column: all rows are {SPLITS[split]} images, as the name {path.name} says"
        return RowSplits(np.full(len(names), split, np.uint8), note, tuple(_siblings(path)))
    note = "no split column: all rows are training images"
    findings = tuple(_named_otherwise(path, Counter(found)))
    return RowSplits(np.zeros(len(names), np.uint8), note, findings)


def _split_in(name: str) -> int | None:
    folders = name.split("/")[:-1]
    return next((split for part in folders if (split := split_named(part)) is not None), None)


def _named_otherwise(path: Path, found: Counter[int | None]) -> Iterator[Finding]:
    """A doubt where some paths say that this is no training data."""
    others = {split for split in found if split}  # 0 is train: no doubt
    if others:
        rows = sum(found[split] for split in others)
        yield Finding(
            "taken-as-training",
            Severity.WARNING,
            f"{path.name}: all rows are taken as training images, though the paths of {rows} rows"
            f" say {SPLITS[min(others)]}",
            "add a column split (train, validation, test)",
            (path.name,),
        )


def _siblings(path: Path) -> Iterator[Finding]:
    """A hint at `labels_test.csv` beside `labels_train.csv`: a manifest is read alone."""
    own = split_in_stem(path.stem)
    others = [
        entry.name
        for entry in sorted(path.parent.iterdir())
        if entry.suffix.lower() in _TABLES
        and (other := split_in_stem(entry.stem)) is not None
        and own is not None
        and other[0] != own[0]
        and other[1].lower() == own[1].lower()
    ]
    if others:
        yield Finding(
            "manifest-beside",
            Severity.NOTE,
            f"{path.name} is read alone; {', '.join(others)} beside it"
            f" {'holds another split' if len(others) == 1 else 'hold other splits'}",
            f"to use all of them pass the folder: {path.parent}",
            tuple(others),
        )

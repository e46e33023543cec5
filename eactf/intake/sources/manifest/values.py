"""`read_values` reads a manifest's continuous targets, such as valence and arousal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.intake.findings import Finding, Severity
from eactf.intake.sources.continuous import Numbers, affect_name, numbers_of_texts
from eactf.intake.sources.manifest.cells import Cells
from eactf.intake.sources.manifest.columns import Roles

__all__ = ["Values", "read_values"]


@dataclass(frozen=True)
class Values:
    """The continuous targets by name, and the columns that they came from, by position."""

    values: Mapping[str, np.ndarray]
    positions: tuple[int, ...]
    findings: tuple[Finding, ...]


def read_values(path: Path, cells: Cells, roles: Roles) -> Values:
    """The columns that the user names, and those called valence and arousal.

    A column that is only told by its name and holds something else than numbers stays text, with a
    warning. Raises `DataError` where a column that the user names does.
    """
    values: dict[str, np.ndarray] = {}
    positions, findings = [], []
    for i in (*roles.values, *roles.others):
        own = roles.names[i]
        name = affect_name(own)
        if i not in cells.columns or (name is None and i not in roles.values):
            continue
        name = own if name is None or name in values else name
        numbers = numbers_of_texts(name, cells.columns[i])
        if numbers.wrong and i in roles.values:
            raise _no_numbers(path, own, cells, cells.columns[i], numbers)
        if numbers.wrong or name in values:
            findings.append(_kept_as_text(path, own, cells, cells.columns[i], numbers))
            continue
        values[name] = numbers.values
        positions.append(i)
        findings += numbers.marked_finding(path.name, own)
    return Values(values, tuple(positions), tuple(findings))


def _lines(cells: Cells, numbers: Numbers) -> tuple[str, ...]:
    return tuple(f"line {cells.lines[row]}" for row in numbers.wrong)


def _no_numbers(
    path: Path, name: str, cells: Cells, texts: Sequence[str], numbers: Numbers
) -> DataError:
    first = numbers.wrong[0]
    more = f"; {len(numbers.wrong) - 1:,} more like it" if len(numbers.wrong) > 1 else ""
    return DataError(
        f"{path}, line {cells.lines[first]}, column {name}: expected a number, or nothing where"
        f" there is none, received {texts[first][:40]!r}{more}",
        hint=f"mend the cells; or leave {name} out of --values, and it is kept as text",
    )


def _kept_as_text(
    path: Path, name: str, cells: Cells, texts: Sequence[str], numbers: Numbers
) -> Finding:
    if not numbers.wrong:
        what = f"the column {name} is kept as text: another one is taken for it"
        return Finding("value-twice", Severity.NOTE, f"{path.name}: {what}", "nothing to do")
    shown = f"{len(numbers.wrong):,} of its cells, such as {texts[numbers.wrong[0]][:40]!r}"
    return Finding(
        "value-not-a-number",
        Severity.WARNING,
        f"{path.name}: the column {name} is kept as text, for no numbers are {shown}",
        "mend these cells to have it as a continuous target",
        _lines(cells, numbers),
    )

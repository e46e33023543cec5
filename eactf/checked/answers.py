"""A person's answers about labels, in a table that a spreadsheet can fill in."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.files import write_text
from eactf.foreign import reason_of
from eactf.intake.sources.manifest.tables import open_table
from eactf.wording import enumerated

__all__ = ["HEADER", "RIGHT", "UNSURE", "WRONG", "AnswerTable", "read_answer", "wrongness"]

HEADER = ("number", "image", "given", "answer", "id", "name")

RIGHT, WRONG, UNSURE = "right", "wrong", "unsure"

_WORDS = {
    **dict.fromkeys(("right", "yes", "y", "r", "ok"), RIGHT),
    **dict.fromkeys(("wrong", "no", "n", "w"), WRONG),
    **dict.fromkeys(("unsure", "?", "u"), UNSURE),
}

_MOST_TOLD = 20


def read_answer(text: str, class_names: Sequence[str]) -> str:
    """An answer in its own words: right, wrong, unsure or the name of a class; `ValueError` else.

    The name of a class goes before a short word: where a class is called `no`, `no` is that class.

    >>> read_answer("Y", ["cat", "dog"]), read_answer("Dog", ["cat", "dog"])
    ('right', 'dog')
    """
    text = text.strip()
    if text in class_names:
        return text
    near = [name for name in class_names if name.casefold() == text.casefold()]
    if len(near) == 1:
        return near[0]
    if (word := _WORDS.get(text.casefold())) is None:
        raise ValueError(f"expected right, wrong, unsure or a class ({enumerated(class_names)})")
    return word


def wrongness(answer: str, given: str) -> float:
    """1 where the answer says that the label is wrong, 0 right, 0.5 where it cannot tell."""
    if answer == given:
        return 0.0
    return {RIGHT: 0.0, UNSURE: 0.5}.get(answer, 1.0)


@dataclass(frozen=True)
class AnswerTable:
    """The table of checks: `rows` by their number, from 1; each a cell by the names of `header`.

    Columns that the person added are kept.
    """

    path: Path
    header: tuple[str, ...]
    rows: Mapping[int, Mapping[str, str]]

    @classmethod
    def read(cls, path: Path) -> AnswerTable:
        """Read a table, whatever delimiter a spreadsheet gave it.

        Raises `DataError` with every line that is not a row of it.
        """
        if not path.is_file():
            raise DataError(f"{path} is not there", hint="it holds the answers: put it back")
        table = open_table(path, has_header=True)
        header = table.header or ()
        if missing := [name for name in ("number", "answer") if name not in header]:
            raise DataError(f"{path}, line 1: no column {enumerated(missing)}", hint=_header_hint())
        rows: dict[int, Mapping[str, str]] = {}
        problems = []
        with closing(table.rows()) as lines:
            for line, cells in lines:
                row = dict(zip(header, cells, strict=True))
                text = row["number"]
                number = int(text) if text.isdecimal() else 0
                if number < 1:
                    problems.append(f"line {line}: number {text!r}, expected 1, 2, ...")
                elif number in rows:
                    problems.append(f"line {line}: number {number} a second time")
                else:
                    rows[number] = row
        _refuse(path, problems)
        return cls(path, header, rows)

    def answers(self, given: Sequence[str], class_names: Sequence[str]) -> list[str]:
        """The answer to each of the `given` labels in order; empty where there is none yet.

        Raises `DataError` with every row whose answer is none, or that is not about its label.
        """
        problems, found = [], [""] * len(given)
        for number, row in sorted(self.rows.items()):
            if number > len(given):
                problems.append(f"number {number}: only {len(given)} labels were drawn")
                continue
            if row.get("given", given[number - 1]) != given[number - 1]:
                problems.append(
                    f"number {number}: given {row['given']!r}, but it was {given[number - 1]!r};"
                    " write the right class into the column answer"
                )
            try:
                text = row["answer"]
                found[number - 1] = read_answer(text, class_names) if text else ""
            except ValueError as error:
                problems.append(f"number {number}: answer {row['answer']!r}, {reason_of(error)}")
        _refuse(self.path, problems)
        return found

    def with_rows(self, rows: Mapping[int, Mapping[str, str]]) -> AnswerTable:
        """The table with these cells put in, in rows that are there or new ones."""
        merged = {number: dict(row) for number, row in self.rows.items()}
        for number, cells in rows.items():
            merged[number] = {**merged.get(number, {"number": str(number)}), **cells}
        return AnswerTable(self.path, self.header, merged)

    def write(self) -> None:
        """Write it as CSV, whole or not at all; a mark lets Excel know that it is UTF-8."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.header, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for _, row in sorted(self.rows.items()))
        write_text(self.path, "\ufeff" + text.getvalue())


def wrongness_of(answers: Sequence[str], given: Sequence[str]) -> np.ndarray:
    """How wrong each label is, up to the first that has no answer yet."""
    told = []
    for answer, label in zip(answers, given, strict=True):
        if not answer:
            break
        told.append(wrongness(answer, label))
    return np.array(told)


def _refuse(path: Path, problems: Sequence[str]) -> None:
    if not problems:
        return
    more = len(problems) - _MOST_TOLD
    shown = [*problems[:_MOST_TOLD], *([f"and {more} more"] if more > 0 else [])]
    raise DataError(f"{path} cannot be read:\n  " + "\n  ".join(shown), hint="mend the table")


def _header_hint() -> str:
    return f"expected the header {','.join(HEADER)}"

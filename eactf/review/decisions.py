"""What a person decided on single labels, and the file of it, `decisions.csv`.

Any CSV file does that says which sample is meant (`id`, or `filepath`) and what is to become of it
(`decision`): a file of suspects that was filled in with a spreadsheet, or what the review page
saved.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from eactf.errors import DataError, UsageError
from eactf.files import write_text
from eactf.foreign import reason_of
from eactf.suggestions import did_you_mean
from eactf.wording import counted

__all__ = ["COLUMNS", "Choice", "Decision", "read_decisions", "write_decisions"]

COLUMNS = ("id", "filepath", "given_label", "decision", "label")

_MOST_TOLD = 10
_FORM = "a CSV file with the columns decision (keep, relabel or drop), id or filepath, and label"


class Choice(StrEnum):
    """What is to become of a sample: its label stays, gets another class, or the sample goes."""

    KEEP = "keep"
    RELABEL = "relabel"
    DROP = "drop"


@dataclass(frozen=True)
class Decision:
    """One person's word on one label.

    `id` is the sample's, None where the file has none; `filepath` its path or name, "" where the
    file has none. `given` is the class as it stood when the decision was made, "" where the file
    does not say. `label` is the new class of a `RELABEL`, "" otherwise. `line` is that of the file.
    """

    choice: Choice
    id: int | None = None
    filepath: str = ""
    given: str = ""
    label: str = ""
    line: int = 0

    @property
    def key(self) -> str:
        """What names the sample in messages and tells decisions apart."""
        return self.filepath if self.id is None else f"id {self.id}"


def read_decisions(path: Path, class_names: Sequence[str]) -> list[Decision]:
    """The decisions in a file; rows without one are passed over.

    A relabel without a `label` takes the row's `predicted_label`. Raises `UsageError` where there
    is no file, `DataError` that names every line that does not fit, the first ten of many.
    """
    decisions: list[Decision] = []
    problems: list[str] = []
    for line, row in _rows(path):
        word = (row.get("decision") or "").strip().lower()
        if not word:
            continue
        found = _read(row, word, line, class_names)
        if isinstance(found, str):
            problems.append(f"line {line}: {found}")
        else:
            decisions.append(found)
    problems += _contradictions(decisions)
    if problems:
        told = problems[:_MOST_TOLD]
        more = len(problems) - len(told)
        told += [f"and {more:,} more"] * bool(more)
        raise DataError(
            f"{path}: {counted(len(problems), 'decision does', 'decisions do')} not fit:\n  "
            + "\n  ".join(told),
            hint="mend these lines; nothing has been changed",
        )
    return list({decision.key: decision for decision in decisions}.values())


def write_decisions(path: Path, decisions: Sequence[Decision]) -> None:
    """Write decisions as CSV, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in decisions:
        number = "" if one.id is None else one.id
        writer.writerow([number, one.filepath, one.given, one.choice.value, one.label])
    write_text(path, text.getvalue())


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The rows of the file with their lines; `DataError` where it is no such table."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}", hint="eactf audit RUN --review makes one")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or ()
            if "decision" not in columns or not {"id", "filepath"} & set(columns):
                found = ", ".join(columns)[:80] or "nothing"
                raise DataError(f"{path}, line 1: expected {_FORM}; received the columns {found}")
            for row in reader:
                yield reader.line_num, {k: v for k, v in row.items() if isinstance(k, str)}
    except (UnicodeDecodeError, csv.Error) as fault:
        raise DataError(f"{path} cannot be read: {reason_of(fault)}", hint=_FORM) from fault


def _read(
    row: Mapping[str, str], word: str, line: int, class_names: Sequence[str]
) -> Decision | str:
    """A row's decision, or what is wrong with it."""
    choices = [choice.value for choice in Choice]
    if word not in choices:
        return f"expected keep, relabel or drop; received {word[:40]!r} " + _in_brackets(
            did_you_mean(word, choices)
        )
    number, name = ((row.get(column) or "").strip() for column in ("id", "filepath"))
    if number and not (number.isascii() and number.isdigit()):
        return f"expected a whole number as id; received {number[:40]!r}"
    if not number and not name:
        return "it names no sample: id and filepath are empty"
    label = (row.get("label") or "").strip() if word == Choice.RELABEL else ""
    if word == Choice.RELABEL:
        label = label or (row.get("predicted_label") or "").strip()
        if label not in class_names:
            known = _in_brackets(did_you_mean(label, class_names)) if label else ""
            return f"expected a class of the data as label; received {label[:40]!r} {known}".strip()
    given = (row.get("given_label") or "").strip()
    return Decision(Choice(word), int(number) if number else None, name, given, label, line)


def _in_brackets(text: str) -> str:
    return f"({text})" if text else ""


def _contradictions(decisions: Sequence[Decision]) -> Iterator[str]:
    first: dict[str, Decision] = {}
    for one in decisions:
        before = first.setdefault(one.key, one)
        if (before.choice, before.label) != (one.choice, one.label):
            yield f"line {one.line}: {one.key} is decided otherwise in line {before.line}"

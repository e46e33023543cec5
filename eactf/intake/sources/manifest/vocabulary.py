"""A vocabulary finds the classes in labels written as text and gives each label its class index."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.intake.findings import Finding, Severity
from eactf.intake.sources.missing import Missing, choose_missing, is_missing, kept_findings
from eactf.intake.sources.spellings import natural_order, same_spelling, settle_spellings, tidy
from eactf.suggestions import command_line

__all__ = ["Vocabulary", "build_vocabulary"]

_DOUBTFUL = frozenset({"unknown", "none", "undefined", "uncertain", "nf", "not a face"})
_NUMBER = re.compile(r"[+-]?\d{1,9}(?:\.\d*)?", re.ASCII)
_FEW = 20  # labelled samples, up to which every one may be a class of its own


@dataclass(frozen=True)
class Vocabulary:
    """The classes of a manifest and how its labels spell them.

    `index` gives the class of every label as it is written, -1 where it says that there is none,
    which `missing` knows. `numeric` says whether the labels are whole numbers.
    """

    class_names: tuple[str, ...]
    index: Mapping[str, int]
    numeric: bool
    missing: Missing
    findings: tuple[Finding, ...]

    def indices(self, texts: Sequence[str]) -> np.ndarray:
        """The class of each label, `(n,)` int64; all of them must be known."""
        return np.fromiter((self.index[text] for text in texts), np.int64, len(texts))

    def translate(self, texts: Sequence[str]) -> np.ndarray | None:
        """The class of each text of another column; None where one of them is no class.

        A class may be spelled otherwise here, where that leaves no doubt.
        """
        alike: dict[str, set[int]] = {}
        for position, name in enumerate(self.class_names):
            alike.setdefault(same_spelling(name), set()).add(position)
        found: dict[str, int] = {}
        for text in set(texts):
            spelled = alike.get(same_spelling(text), set())
            if text in self.index:
                found[text] = self.index[text]
            elif text in self.missing or is_missing(text):
                found[text] = -1
            elif len(spelled) == 1:
                (found[text],) = spelled
            else:
                return None
        if max(found.values(), default=-1) < 0:
            return None
        return np.fromiter((found[text] for text in texts), np.int64, len(texts))


def build_vocabulary(
    path: Path,
    lines: Sequence[int],
    columns: Mapping[str, Sequence[str]],
    *,
    merge: bool,
    missing: Sequence[str] | None = None,
    fixed: Sequence[str] = (),
    chosen: bool = False,
) -> Vocabulary:
    """The classes in the label columns: `fixed` ones first, then in natural order.

    `lines` are the lines of the cells in the manifest `path`. `missing` are the labels that the
    user says are none, None where `choose_missing` is to decide. Raises `DataError` for numbers
    that are not whole, for words in one column and numbers in another, and, unless the user has
    `chosen` the column, for a class a sample.
    """
    counts = Counter(text for cells in columns.values() for text in cells)
    none = choose_missing((*counts, *fixed), missing)
    words = [text for text in counts if text not in none]
    numeric = bool(words) and not fixed and all(map(_NUMBER.fullmatch, words))
    if numeric:
        _check_whole(path, lines, columns)
    elif not fixed:
        _check_same_kind(path, columns, none)
    read = _number if numeric else tidy
    name_of = {text: read(text) for text in words}
    total = Counter(dict.fromkeys(fixed, 0))
    for text, name in name_of.items():
        total[name] += counts[text]
    class_of, findings = settle_spellings(total, merge=merge and not fixed)
    new = set(class_of.values()) - set(fixed)
    names = (*fixed, *(sorted(new, key=int) if numeric else natural_order(new)))
    if not chosen:
        _check_repeats(path, names, sum(total.values()), columns, numeric=numeric)
    if not names:
        column = ", ".join(columns)
        raise DataError(
            f"{path}: no cell of {column} is a label", hint="name another column: --label NAME"
        )
    position = {name: index for index, name in enumerate(names)}
    index = {text: position[class_of[name]] for text, name in name_of.items()}
    index = dict.fromkeys(counts, -1) | index
    doubts = (*kept_findings(path.name, none, counts), *_doubts(path, total, none))
    return Vocabulary(names, index, numeric, none, (*findings, *doubts))


def _number(text: str) -> str:
    """A whole number as a class name, however it is written."""
    return str(int(text.split(".")[0]))


def _check_whole(path: Path, lines: Sequence[int], columns: Mapping[str, Sequence[str]]) -> None:
    for name, cells in columns.items():
        for line, cell in zip(lines, cells, strict=True):
            if "." in cell and cell.split(".")[1].strip("0"):
                raise DataError(
                    f"{path}, line {line}, {name}: expected a class, received {cell}",
                    hint="labels are names or whole numbers; name another column: --label NAME",
                )


def _check_same_kind(path: Path, columns: Mapping[str, Sequence[str]], missing: Missing) -> None:
    """Refuse columns of which one names classes and the other numbers them."""
    labels = {
        name: {text for text in cells if text not in missing} for name, cells in columns.items()
    }
    numbered = {name: all(map(_NUMBER.fullmatch, texts)) for name, texts in labels.items() if texts}
    if len(set(numbered.values())) > 1:
        words = next(name for name, is_number in numbered.items() if not is_number)
        numbers = next(name for name, is_number in numbered.items() if is_number)
        raise DataError(
            f"{path}: {words} has words and {numbers} has numbers; which is which cannot be told",
            hint="write both as words, or both as numbers",
        )


def _check_repeats(
    path: Path,
    names: Sequence[str],
    labelled: int,
    columns: Mapping[str, Sequence[str]],
    *,
    numeric: bool,
) -> None:
    """Refuse a column of texts or numbers that hardly repeat: names and measures are no classes.

    Numbers without a gap from 0 or 1 on are classes, unless each occurs once: they count rows then.
    """
    if labelled <= _FEW or len(names) <= labelled / 2:
        return
    numbers = [int(name) for name in names] if numeric else []
    without_gap = numbers and numbers[-1] - numbers[0] == len(numbers) - 1
    if without_gap and numbers[0] in (0, 1) and len(names) < labelled:
        return
    column = next(iter(columns))
    raise DataError(
        f"{path}: {column} has {len(names)} different values in {labelled} cells;"
        f" these look like no classes: {', '.join(names[:3])} ...",
        hint="name another column: --label NAME; if they are classes, say so:"
        f" {command_line('--label', column)}",
    )


def _doubts(path: Path, counts: Mapping[str, int], missing: Missing) -> Iterator[Finding]:
    numbers = [name for name in counts if _NUMBER.fullmatch(name)]
    if 0 < len(numbers) < len(counts):
        shown = natural_order(numbers)
        yield Finding(
            "words-and-numbers",
            Severity.WARNING,
            f"{path.name}: some labels are words and some are numbers: {', '.join(shown)[:80]}",
            "write all as words, or all as numbers",
            tuple(shown),
        )
    for name in counts:
        if name.lower() in _DOUBTFUL and counts[name]:
            yield Finding(
                "class-means-no-label",
                Severity.WARNING,
                f"{path.name}: {name!r} ({counts[name]} times) counts as a class like any other",
                f"if it says that there is no label: {missing.option(name)}",
                (name,),
            )

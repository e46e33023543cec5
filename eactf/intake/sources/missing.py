"""This module decides which labels mean that there is none, such as an empty cell, `-1` or `NA`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from eactf.intake.findings import Finding, Severity
from eactf.suggestions import command_line

__all__ = [
    "MISSING_WORDS",
    "NOTE",
    "Missing",
    "choose_missing",
    "is_missing",
    "kept_findings",
    "missing_finding",
    "missing_note",
]

NOTE = "labels_taken_as_missing"
"""The note of a listing that says which labels stood for none, and how often each occurred."""

_MOST_NOTED = 20

MISSING_WORDS = (
    *("nan", "null", "na", "n/a", "<na>", "#n/a", "?", "-"),
    *("unlabeled", "unlabelled", "no label"),
)
"""What counts as no label, in any case, beside an empty cell and a negative whole number."""

_WORDS = frozenset(MISSING_WORDS)
_WHOLE = re.compile(r"[+-]?\d{1,9}(?:\.0*)?", re.ASCII)
_PAIRS = (frozenset({"-1", "1"}), frozenset({"+", "-"}))
"""Two labels that are two classes, although one of them is also used as the mark of no label."""


@dataclass(frozen=True)
class Missing:
    """The labels of a data set that stand for no label.

    `texts` are they, as they are written. `kept` are those that usually stand for none and count as
    classes here, because there would be fewer than two classes without them.
    """

    texts: frozenset[str]
    kept: tuple[str, ...] = ()

    def __contains__(self, text: object) -> bool:
        return text in self.texts or text == ""

    def option(self, *more: str) -> str:
        """The option by which these labels and `more` of them stand for no label.

        >>> Missing(frozenset({"NA"})).option("no face")
        "--missing 'NA,no face'"
        """
        return command_line("--missing", ",".join((*sorted(self.texts), *more)))


def choose_missing(texts: Iterable[str], wanted: Sequence[str] | None = None) -> Missing:
    """Decide which of the labels `texts` stand for no label.

    `wanted` are those that the user names, in any case; an empty sequence names none. Where it is
    None, `MISSING_WORDS` and negative whole numbers do, unless that would leave fewer than two
    classes: -1 and 1, or + and -, are two classes. An empty text is never a class.

    >>> sorted(choose_missing(["happy", "sad", "NA", "-1"]).texts)
    ['-1', 'NA']
    >>> choose_missing(["-1", "1"]).texts, choose_missing(["a", "b", "NA"], ()).texts
    (frozenset(), frozenset())
    """
    present = {text for text in texts if text}
    if wanted is not None:
        named = {_plain(word) for word in wanted}
        return Missing(frozenset(text for text in present if _plain(text) in named))
    marks = {text for text in present if is_missing(text) or _is_negative(text)}
    classes = {_plain(text) for text in present - marks}
    if len(classes) >= 2:
        return Missing(frozenset(marks))
    for pair in _PAIRS:
        kept = {text for text in marks if _plain(text) in pair}
        if classes | {_plain(text) for text in kept} == pair:
            return Missing(frozenset(marks - kept))
    if len(classes | {_plain(text) for text in marks}) >= 2:
        return Missing(frozenset(), tuple(sorted(marks)))
    return Missing(frozenset(marks))


def is_missing(text: str) -> bool:
    """Whether a cell of any column says that there is no value.

    >>> is_missing("N/A"), is_missing(""), is_missing("-1")
    (True, True, False)
    """
    return not text or text.lower() in _WORDS


def kept_findings(where: str, missing: Missing, counts: Mapping[str, int]) -> tuple[Finding, ...]:
    """A doubt where labels that usually mean none are classes, each `counts` times."""
    if not missing.kept:
        return ()
    shown = ", ".join(f"{text!r} ({_often(counts.get(text, 0))})" for text in missing.kept[:5])
    return (
        Finding(
            "class-means-no-label",
            Severity.WARNING,
            f"{where}: {shown} counts as a class: without it there would be fewer than two classes",
            f"if it says that there is no label: {missing.option(*missing.kept)}",
            missing.kept,
        ),
    )


def missing_finding(what: str, said: Mapping[str, int], places: tuple[str, ...]) -> Finding:
    """The finding for samples without a label.

    `what` says how many, `said` is what stands there in place of a label, and how often.
    """
    shown = ", ".join(
        f"{repr(text) if text else 'nothing'} {_often(count)}"
        for text, count in sorted(said.items())[:5]
    )
    keep = " or, where they are classes, keep them: --missing ''" if any(said) else ""
    return Finding(
        "missing-label",
        Severity.WARNING,
        f"{what}{f' (it says {shown})' if said else ''}; they are left out",
        f"fill in the labels, or remove them;{keep}".rstrip(";"),
        places,
    )


def missing_note(said: Mapping[str, int]) -> dict[str, object]:
    """The `NOTE` of a listing about the words in `said`; empty cells are not worth a note."""
    words = {text: said[text] for text in sorted(said)[:_MOST_NOTED] if text}
    return {NOTE: words} if words else {}


def _often(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _is_negative(text: str) -> bool:
    return _WHOLE.fullmatch(text) is not None and int(text.split(".")[0]) < 0


def _plain(text: str) -> str:
    """A label for comparing: numbers however they are written (`1.0`, `+1`), words in any case."""
    return str(int(text.split(".")[0])) if _WHOLE.fullmatch(text) else text.lower()

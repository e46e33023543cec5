"""This module brings spellings of one class together, such as "Happy", "happy " and "HAPPY"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from eactf.intake.findings import Finding, Severity

__all__ = ["natural_order", "same_spelling", "settle_spellings", "tidy"]

_CODE = "class-in-two-spellings"

_NUMBER = re.compile(r"[+-]?\d{1,99}(\.0*)?")
# Between two digits a separator counts: 1_1 is not 11.
_SEPARATORS = re.compile(r"(?<!\d)[\s_-]+|[\s_-]+(?!\d)")


def tidy(name: str) -> str:
    """A class name without the blanks around it, in Unicode's composed form.

    File systems differ in the form they give back, so that equal names would not compare equal.
    """
    return unicodedata.normalize("NFC", name).strip("\ufeff \t\r\n\xa0").strip()


def same_spelling(name: str) -> str:
    """What all spellings of a class have in common; for comparing, not for showing.

    >>> same_spelling("Happy Face"), same_spelling("happy_face "), same_spelling("03")
    ('happyface', 'happyface', '3')
    """
    text = tidy(unicodedata.normalize("NFKC", name))
    if _NUMBER.fullmatch(text):
        return str(int(text.split(".")[0]))
    return _SEPARATORS.sub("", text).casefold() or text


def natural_order(names: Iterable[str]) -> list[str]:
    """Names in the order a person gives them: 2 before 10, capitals where their letter is.

    >>> natural_order(["class 10", "Class 2", "anger"])
    ['anger', 'Class 2', 'class 10']
    """
    return sorted(names, key=_natural)


def settle_spellings(
    counts: Mapping[str, int], *, merge: bool
) -> tuple[dict[str, str], tuple[Finding, ...]]:
    """Each spelling's class name, and a finding for each class that has several.

    `counts` says how often a spelling occurs. With `merge` the most frequent one, the first in
    natural order of several, stands for all; without, every spelling stays a class of its own.
    """
    groups: dict[str, list[str]] = {}
    for name in natural_order(counts):
        groups.setdefault(same_spelling(name), []).append(name)
    class_of = {name: name for name in counts}
    findings = []
    for spellings in groups.values():
        if len(spellings) > 1:
            chosen = max(spellings, key=lambda name: counts[name])
            if merge:
                class_of |= dict.fromkeys(spellings, chosen)
            findings.append(_finding(spellings, counts, chosen, merge))
    return class_of, tuple(findings)


def _natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [_part(part) for part in parts], name


def _part(part: str) -> tuple[int, int, str]:
    """A number by its length and digits, which orders numbers of any length; else the text."""
    digits = part.lstrip("0")
    return (0, len(digits), digits) if part[0] in "0123456789" else (1, 0, part.casefold())


def _finding(spellings: list[str], counts: Mapping[str, int], chosen: str, merged: bool) -> Finding:
    shown = ", ".join(f"{name!r} ({counts[name]})" for name in spellings)
    if merged:
        what = f"one class in {len(spellings)} spellings, joined as {chosen!r}: {shown}"
        return Finding(_CODE, Severity.NOTE, what, "nothing to do", tuple(spellings))
    return Finding(
        _CODE,
        Severity.ERROR,
        f"one class in {len(spellings)} spellings counts as {len(spellings)} classes: {shown}",
        f"pass --merge-spellings to join them as {chosen!r}, or rename them",
        tuple(spellings),
    )

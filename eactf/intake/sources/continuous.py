"""These functions read continuous targets, such as valence and arousal, from texts and numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eactf.intake.findings import Finding, Severity
from eactf.intake.sources.missing import is_missing
from eactf.packed.values import AFFECT, is_affect

__all__ = ["Numbers", "affect_name", "number", "numbers_of_array", "numbers_of_texts"]

_NUMBER = re.compile(r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_LARGEST = float(np.finfo(np.float32).max)
_AFFECTNETS_NONE = -2.0


@dataclass(frozen=True)
class Numbers:
    """A continuous target as it was read.

    `values` is `(n,)` float32, NaN where there is none. `wrong` are the rows that hold no number
    that can be kept, NaN in `values`; `marked` counts those of -2 that stood for none.
    """

    values: np.ndarray
    wrong: tuple[int, ...] = ()
    marked: int = 0

    def marked_finding(self, where: str, name: str) -> tuple[Finding, ...]:
        """A note where -2 was taken for a mark, `where` being the file."""
        if not self.marked:
            return ()
        return (
            Finding(
                "value-mark",
                Severity.NOTE,
                f"{where}: {name} is -2 {self.marked:,} times, which is AffectNet's mark for none"
                " and taken as missing",
                "nothing to do",
            ),
        )


def affect_name(name: str) -> str | None:
    """`valence` or `arousal` where a column or array is named so, else None.

    >>> affect_name("Valence "), affect_name("valence_std")
    ('valence', None)
    """
    plain = name.strip().casefold()
    return plain if plain in AFFECT else None


def number(text: str) -> float | None:
    """A text as a number, with a decimal comma too; NaN where it says that there is none.

    None for what is no number, and for one that float32 cannot hold.

    >>> number("-0,5"), number("NA"), number("high"), number("1e99")
    (-0.5, nan, None, None)
    """
    if is_missing(text):
        return float("nan")
    if _NUMBER.fullmatch(text) is None:
        return None
    value = float(text.replace(",", "."))
    return value if abs(value) <= _LARGEST else None


def numbers_of_texts(name: str, texts: Sequence[str]) -> Numbers:
    """The target `name` of a column of texts; `-2` is missing in one of `AFFECT`."""
    found = {text: number(text) for text in set(texts)}
    wrong = tuple(row for row, text in enumerate(texts) if found[text] is None)
    values = [found[text] for text in texts]
    return _numbers(name, np.array([np.nan if v is None else v for v in values]), wrong)


def numbers_of_array(name: str, array: np.ndarray) -> Numbers:
    """The target `name` of an array `(n,)` of numbers; `-2` is missing in one of `AFFECT`."""
    values = array.astype(np.float64)
    held = np.isnan(values) | (np.abs(values) <= _LARGEST)
    wrong = tuple(np.flatnonzero(~held).tolist())
    return _numbers(name, np.where(held, values, np.nan), wrong)


def _numbers(name: str, values: np.ndarray, wrong: tuple[int, ...]) -> Numbers:
    marks = (values == _AFFECTNETS_NONE) & is_affect(name)
    return Numbers(
        np.where(marks, np.nan, values).astype(np.float32), wrong=wrong, marked=int(marks.sum())
    )

"""This module tells columns of true labels from columns that say whether a label is right."""

from __future__ import annotations

import re
from collections.abc import Collection

from eactf.errors import DataError
from eactf.suggestions import command_line

__all__ = ["FLAG_NAMES", "CleanOrFlagError", "is_flag", "refuse_flags", "says_yes_or_no"]

FLAG_NAMES = (
    "correct",
    "is_clean",
    "is_correct",
    "label_correct",
    "is_label_correct",
    "clean_flag",
)
"""Names of columns and arrays that say of each label whether it is right."""

_FLAG_WORDS = ("clean", "correct", "true", "is_", "has_")

_YES_AND_NO = (
    *({"0", "1"}, {"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"}),
    *({"right", "wrong"}, {"correct", "incorrect"}, {"clean", "noisy"}, {"correct", "wrong"}),
)
_WHOLE = re.compile(r"[+-]?\d{1,9}(?:\.0*)?", re.ASCII)


class CleanOrFlagError(DataError):
    """A column or array `name` may hold true labels, or say of each label whether it is right.

    Where it `may_be_true` is off, numbers stand beside words: it holds no true labels for certain.
    """

    def __init__(
        self,
        where: str,
        name: str,
        values: Collection[str],
        classes: int,
        *,
        may_be_true: bool = True,
    ) -> None:
        self.name, self.values, self.classes = name, tuple(sorted(values)), classes
        found = f"{where}: {name!r} has only the values {', '.join(self.values)} beside {classes}"
        if may_be_true:
            what = f"{found} classes: are they the true labels, or do they say if one is right?"
            hint = (
                f"the true labels: {command_line('--clean', name)}; whether a label is right, kept"
                " as a column: --clean ''"
            )
        else:
            what = f"{found} classes of another kind: these are not the true labels"
            hint = "to keep it as a column, whatever it says: --clean ''"
        super().__init__(what, hint=hint)


def refuse_flags(
    where: str, name: str, values: Collection[str], labels: Collection[str], *, classes: int
) -> None:
    """Raise `CleanOrFlagError` where nobody said that `name` holds true labels and it may not.

    `values` and `labels` are the different texts, missing ones left out, of the column and of the
    label, which has so many `classes`. It may not where it has two values at most that say yes and
    no, beside more classes; or two that are no labels at all.
    """
    found, known = {_plain(text) for text in values}, {_plain(text) for text in labels}
    if not found or len(found) > 2 or classes < 2:
        return
    flags = says_yes_or_no(values) and (classes > 2 or name.lower() in FLAG_NAMES)
    if flags or not found & known:
        alike = _all_numbers(values) == _all_numbers(labels)
        raise CleanOrFlagError(where, name, values, classes, may_be_true=alike)


def says_yes_or_no(values: Collection[str]) -> bool:
    """Whether texts are a yes and a no: 0 and 1, true and false, ...

    >>> says_yes_or_no({"True", "False"}), says_yes_or_no({"1.0"}), says_yes_or_no({"0", "2"})
    (True, True, False)
    """
    found = {_plain(text) for text in values}
    return any(found <= pair for pair in _YES_AND_NO)


def is_flag(name: str, values: Collection[str], *, classes: int) -> bool:
    """Whether a further column says of each row whether something holds, and is no set of labels.

    >>> is_flag("is_clean", {"0", "1"}, classes=7), is_flag("crowd_label", {"0", "1"}, classes=7)
    (True, False)
    """
    speaks = any(word in name.lower() for word in _FLAG_WORDS)
    return speaks and classes > 2 and says_yes_or_no(values)


def _all_numbers(texts: Collection[str]) -> bool:
    return all(map(_WHOLE.fullmatch, texts))


def _plain(text: str) -> str:
    return str(int(text.split(".")[0])) if _WHOLE.fullmatch(text) else text.strip().lower()

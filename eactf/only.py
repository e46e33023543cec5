"""Marks on settings: what has a meaning only beside a choice, and what is not taken over."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

__all__ = ["Anew", "Only"]


class Only:
    """Marks a setting that has a meaning only while its sibling `key` holds one of `choices`.

    A choice may be a shell pattern: `Only("backbone", "resnet*")`.
    """

    def __init__(self, key: str, *choices: str) -> None:
        self.key = key
        self.choices = choices

    def serves(self, chosen: object) -> bool:
        """True if the marked setting has a meaning while the sibling is `chosen`."""
        return any(fnmatchcase(str(chosen), choice) for choice in self.choices)

    @staticmethod
    def among(marks: Iterable[object]) -> Only | None:
        """The mark among others, None where a setting always has a meaning."""
        return next((mark for mark in marks if isinstance(mark, Only)), None)


class Anew:
    """Marks a method's setting that begins at its default where the method is chosen over a file.

    The file's key of that name was set for another method, to which it means something else, or in
    which it is not an addition as here. So is it where another method is chosen over a file that
    sets the key for this one.
    """

    @staticmethod
    def among(marks: Iterable[object]) -> bool:
        """Whether the mark is among others."""
        return any(isinstance(mark, Anew) for mark in marks)

"""A mark on settings that have a meaning only beside some choices of another one."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

__all__ = ["Only"]


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

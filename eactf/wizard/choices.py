"""A choice is a value of the plan with the reason for it and with who or what chose it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

__all__ = ["Choice", "Origin"]


class Origin(StrEnum):
    """Where a value comes from, as the recipe says it."""

    YOU = "you"
    DATA = "from the data"
    MACHINE = "from this machine"
    MEASURED = "measured"
    DEFAULT = "default"


Value = TypeVar("Value", covariant=True)


@dataclass(frozen=True)
class Choice(Generic[Value]):
    """A value with its origin and the reason in a few words; a default may need none."""

    value: Value
    origin: Origin
    reason: str = ""

    @property
    def because(self) -> str:
        """Origin and reason on one line: `from the data: 48x48, all alike`."""
        return f"{self.origin}: {self.reason}" if self.reason else str(self.origin)

"""A finding is a fault or a doubt about a user's data: where it is, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "Severity"]


class Severity(StrEnum):
    """How much a finding matters: an error stops packing or spoils a result, a note is to know."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing found in a data set.

    `code` is a stable name for machines (`truncated`, `duplicates-across-splits`); `what` says it
    in a sentence; `fix` is the next step; `files` are the names of all the samples, folders or
    lines it concerns, in order.
    """

    code: str
    severity: Severity
    what: str
    fix: str
    files: tuple[str, ...] = ()

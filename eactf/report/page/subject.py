"""What a page is about: its runs, each with what could be found out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eactf.report.page.facts import RunFacts

if TYPE_CHECKING:
    from eactf.report.page.evidence import Evidence

__all__ = ["MOST_SIDE_BY_SIDE", "Subject", "View"]


MOST_SIDE_BY_SIDE = 8
"""More runs than that have no curves or matrices on a page: nobody could tell them apart."""


@dataclass(frozen=True)
class View:
    """A run as the page shows it, the `number`th from 0.

    `evidence` is None where its network or its images are gone, or where the page has too many runs
    to look into each; `why_not` then says so.
    """

    number: int
    facts: RunFacts
    evidence: Evidence | None = None
    why_not: str = ""

    @property
    def label(self) -> str:
        """What the page calls the run."""
        return self.facts.label

    @property
    def slug(self) -> str:
        """What the names of its files end in."""
        return self.facts.slug


@dataclass(frozen=True)
class Subject:
    """The runs of a page, and the folders of comparisons that it was given."""

    views: tuple[View, ...]
    comparisons: tuple[Path, ...] = ()

    @property
    def seen(self) -> list[tuple[View, Evidence]]:
        """The runs whose networks could be looked into."""
        return [(view, view.evidence) for view in self.views if view.evidence is not None]

    @property
    def drawn(self) -> tuple[View, ...]:
        """The runs that stand side by side in figures: all, or none of too many."""
        return self.views if len(self.views) <= MOST_SIDE_BY_SIDE else ()

    @property
    def finished(self) -> list[View]:
        """The runs that have a result, with all that a table tells of one."""
        return [view for view in self.views if _is_whole(view.facts.result)]


def _is_whole(result: Mapping[str, Any]) -> bool:
    """Whether a result has its recalls; those of old versions have not."""
    sections = ("last_epoch", "mean_of_last_epochs", "best_on_validation")
    counted = all("macro_recall" in result.get(section, ()) for section in sections)
    return counted and "recalls" in result["last_epoch"]

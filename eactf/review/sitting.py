"""A sitting: somebody decides on suspects one by one, and each decision is on the disk at once."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from typing import Any

from eactf.errors import UsageError
from eactf.review.audited import AuditFolder
from eactf.review.decisions import Choice, Decision, read_decisions, write_decisions
from eactf.review.thumbnails import Suspect, Suspects

__all__ = ["Sitting"]


class Sitting:
    """The suspects of an audit and what was decided on them so far, earlier sittings included.

    Safe to be called from several threads.
    """

    def __init__(self, folder: AuditFolder, suspects: Suspects) -> None:
        self.folder = folder
        self.suspects = suspects
        self._lock = threading.Lock()
        known = folder.decisions.is_file()
        made = read_decisions(folder.decisions, suspects.class_names) if known else []
        self._decisions = {self._key(one): one for one in made}

    @property
    def decided(self) -> int:
        """How many decisions there are."""
        return len(self._decisions)

    def page(self) -> dict[str, Any]:
        """All that the page shows, as JSON holds it."""
        with self._lock:
            rows = [self._shown(suspect) for suspect in self.suspects.suspects]
        return {"classes": list(self.suspects.class_names), "suspects": rows}

    def decide(self, number: int, word: str, label: str = "") -> dict[str, Any]:
        """Save a decision on a suspect, before it returns; the word `undecided` takes it back.

        Raises `UsageError` for what is no decision, `OSError` where it cannot be saved: then
        everything is as it was.
        """
        if not 0 <= number < len(self.suspects.suspects):
            raise UsageError(f"there is no suspect {number}")
        suspect = self.suspects.suspects[number]
        with self._lock:
            decisions = dict(self._decisions)
            if word == "undecided":
                decisions.pop(self._key_of(suspect), None)
            else:
                decisions[self._key_of(suspect)] = self._decision(suspect, word, label)
            write_decisions(self.folder.decisions, list(decisions.values()))
            self._decisions = decisions
            return {"decided": len(decisions), "suspect": self._shown(suspect)}

    def picture(self, number: int) -> bytes:
        """A PNG of a suspect; raises `UsageError` for none, `DataError` for a broken image."""
        if not 0 <= number < len(self.suspects.suspects):
            raise UsageError(f"there is no suspect {number}")
        return self.suspects.picture(self.suspects.suspects[number])

    def _decision(self, suspect: Suspect, word: str, label: str) -> Decision:
        if word not in list(Choice):
            raise UsageError(f"expected keep, relabel, drop or undecided; received {word[:40]!r}")
        choice = Choice(word)
        if choice is Choice.RELABEL and label not in self.suspects.class_names:
            raise UsageError(f"expected a class of the data; received {label[:40]!r}")
        return Decision(
            choice,
            int(suspect.id) if suspect.id else None,
            suspect.filepath,
            suspect.given,
            label if choice is Choice.RELABEL else "",
        )

    def _shown(self, suspect: Suspect) -> dict[str, Any]:
        found = self._decisions.get(self._key_of(suspect))
        return {
            "number": suspect.number,
            "name": suspect.filepath or f"id {suspect.id}",
            "given": suspect.given,
            "likely": suspect.likely,
            "figures": _plain(suspect.figures),
            "decision": None if found is None else found.choice.value,
            "label": "" if found is None else found.label,
        }

    def _key_of(self, suspect: Suspect) -> str:
        return f"id {suspect.id}" if suspect.id else suspect.filepath

    def _key(self, decision: Decision) -> str:
        return decision.key


def _plain(figures: Mapping[str, float]) -> dict[str, float | None]:
    """Figures as JSON knows them: it has no nan."""
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}

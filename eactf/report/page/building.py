"""The main path of a report: runs are read, looked into, drawn and written as a page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from eactf import console
from eactf.errors import EactfError, UsageError
from eactf.foreign import reason_of
from eactf.report.page.blocks import Section
from eactf.report.page.facts import RunFacts, read_facts
from eactf.report.page.output import Place
from eactf.report.page.rendering import render
from eactf.report.page.sections import SECTIONS
from eactf.report.page.subject import Subject, View
from eactf.training.run_list import folders_of_runs, is_run, read_plainly
from eactf.wording import counted

__all__ = ["MOST_BYTES", "Made", "make_report"]

MOST_BYTES = 10_000_000
"""A page is smaller than this, so that it can be sent and opened on a phone."""

MOST_SEEN = 6
"""Of more runs than that the networks are not looked into: the page would be too large to read."""


@dataclass(frozen=True)
class Made:
    """A report that was written: its page, the folder of its figures, sizes, what is missing."""

    page: Path
    figures: Path
    count: int
    size: int
    missing: tuple[str, ...]


def make_report(folders: Sequence[Path], place: Place, *, every: bool = False) -> Made:
    """Make the report of runs, and of comparisons, which are folders of runs.

    With `every` all images are looked at, however large the network is.

    Raises `UsageError` where a folder is neither; what a run lacks is told on the page.
    """
    facts = list(_all_facts(folders))
    seen = len(facts) <= MOST_SEEN
    views = tuple(_view(number, one, look=seen, every=every) for number, one in enumerate(facts))
    comparisons = tuple(folder for folder in folders if not is_run(folder))
    sections = draw(Subject(views, comparisons))
    html = render(_title(facts), sections, place.figures.name)
    place.write(html, sections)
    count = sum(1 for path in place.figures.glob("*.png"))
    missing = tuple(sentence for section in sections for sentence in section.missing)
    return Made(place.page, place.figures, count, place.page.stat().st_size, missing)


def draw(subject: Subject) -> list[Section]:
    """Every section that there is something to show in."""
    made = (make(subject) for make in SECTIONS)
    return [section for section in made if section is not None]


def _all_facts(folders: Sequence[Path]) -> Iterator[RunFacts]:
    slugs: set[str] = set()
    for folder, label in _named_runs(folders):
        yield read_facts(folder, label, _slug(label, slugs))


def _named_runs(folders: Sequence[Path]) -> list[tuple[Path, str]]:
    """The runs and what to call them: those of a comparison as it does."""
    found: list[tuple[Path, str]] = []
    for folder in folders:
        if is_run(folder):
            found.append((folder, folder.resolve().name))
            continue
        index = read_plainly(folder, "index.json")
        runs = folders_of_runs(folder) if folder.is_dir() else []
        if not runs:
            raise UsageError(
                f"{folder} is no folder of a run, or of a comparison",
                hint="list your runs: eactf runs",
            )
        for run in runs:
            found.append((run, _row_name(index.get(run.name)) or run.name))
    if len({folder.resolve() for folder, _ in found}) < len(found):
        raise UsageError("a run is named twice", hint="name each once")
    counts = Counter(label for _, label in found)
    return [(folder, label if counts[label] == 1 else str(folder)) for folder, label in found]


def _row_name(entry: object) -> str:
    """What a comparison's index calls a run; empty where it does not know it."""
    if not isinstance(entry, dict) or not entry.keys() >= {"row", "seed"}:
        return ""
    return f"{entry['row']}, seed {entry['seed']}"


def _slug(label: str, taken: set[str]) -> str:
    """A name for files, of plain characters, that no other run has."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", label).strip("-").lower()[:40] or "run"
    name, number = plain, 1
    while name in taken:
        number += 1
        name = f"{plain}-{number}"
    taken.add(name)
    return name


def _view(number: int, facts: RunFacts, *, look: bool, every: bool) -> View:
    if not look:
        why = f"Networks are not looked into where a page has more than {MOST_SEEN} runs."
        return View(number, facts, None, why)
    from eactf.report.page.evidence import find_evidence  # TensorFlow, once it is needed

    console.say(f"looking at {facts.folder}", markup=False)
    try:
        return View(number, facts, find_evidence(facts, every=every))
    except (EactfError, OSError) as reason:
        told = reason.message if isinstance(reason, EactfError) else reason_of(reason)
        why = f"There is nothing of single images to show: {told}."
        return View(number, facts, None, why)


def _title(facts: Sequence[RunFacts]) -> str:
    if len(facts) == 1:
        return f"Report: {facts[0].label}, {facts[0].method}"
    return f"Report on {counted(len(facts), 'run')}"

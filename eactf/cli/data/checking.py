"""`Checking` is the part of `eactf data noise` that has a person check labels."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eactf import console
from eactf.errors import DataError, Interrupted
from eactf.foreign import reason_of
from eactf.suggestions import command_line
from eactf.wording import counted, enumerated

if TYPE_CHECKING:
    import numpy as np

    from eactf.checked.folder import CheckFolder
    from eactf.noise.checked_rate import CheckedRate
    from eactf.packed.records import Samples
    from eactf.training.noise_audit import NoiseAudit

__all__ = ["Checking", "checked_headline"]

_STOP = "q"


def checked_headline(found: CheckedRate) -> tuple[str, ...]:
    """What a person's checks say, in words."""
    unsure = f", {found.unsure} could not be told" if found.unsure else ""
    return (
        f"\n[bold]about {found.rate:.0%} of the labels are wrong[/bold]"
        f" (between {found.low:.1%} and {found.high:.1%}),"
        f" by {counted(found.checked, 'check')}: {found.wrong} wrong{unsure}",
        "Labels in doubt were drawn more often, and each answer counts the less for it.",
    )


@dataclass
class Checking:
    """The checks of the labels that `words` choose: `wanted` of them, None for those there are."""

    path: Path
    wanted: int | None
    words: tuple[str, ...]
    folder: CheckFolder | None

    @classmethod
    def of(
        cls, data: Path, checked: int | None, checks: Path | None, words: tuple[str, ...]
    ) -> Checking | None:
        """The checks that the command line asks for; None for none."""
        if checked is None and checks is None:
            return None
        from eactf.checked.folder import CheckFolder, checks_name  # NumPy only where needed

        path = Path(checks_name(data)) if checks is None else checks
        if checked is None or CheckFolder.is_at(path):
            return cls(path, checked, words, CheckFolder.open(path))
        CheckFolder.refuse_taken(path)
        return cls(path, checked, words, None)

    def predictions(self, samples: Samples, class_names: tuple[str, ...]) -> np.ndarray | None:
        """What was predicted when the checks were begun; None where they were not.

        Raises `DataError` where they are about other labels.
        """
        if self.folder is None:
            return None
        store = self.folder.store
        if not store.is_of(samples.ids, samples.given, class_names):
            begun = " ".join(store.options) or "no options that choose samples"
            raise DataError(
                f"{self.path} is about other labels than these: {counted(len(store.ids), 'label')}"
                f" of {enumerated(store.class_names)}, begun with {begun};"
                f" these are {counted(len(samples), 'label')} of {enumerated(class_names)}",
                hint="give the same data and options, or another folder with --checks",
            )
        return store.probabilities.astype("float64")

    def run(self, samples: Samples, audit: NoiseAudit) -> CheckedRate | None:
        """Draw what is wanted, have the person at a terminal answer, and read the answers."""
        folder = self._begun(samples, audit)
        person = _at_terminal()
        # What is drawn next learns from the answers to what was drawn before.
        goes_on = not person or not folder.drawn or _ask(folder)
        if self.wanted is not None and goes_on:
            folder.grow(self.wanted, samples)
            if person:
                _ask(folder)
        return folder.rate()

    def show_open(self) -> None:
        """Say what is left to answer, and how."""
        folder = self.folder
        if folder is None:
            return
        answers = folder.answers()
        first = answers.index("") + 1 if "" in answers else 0
        left = answers.count("")
        console.emit("checks", folder=str(self.path), drawn=len(answers), unanswered=left)
        if not left:
            more = command_line("--checked", 2 * folder.drawn)
            console.say(f"\nall {folder.drawn} checks are answered; {more} narrows the interval")
            return
        console.say(
            f"\n{counted(left, 'label')} to check: look at {self.path / 'index.html'}, write right,"
            " wrong, the name of\nthe right class or unsure into the column answer of"
            f" {folder.table}, and give the command again.\nWhat is answered from the first one on"
            f" counts; the first without an answer is number {first}.",
            markup=False,
        )

    def _begun(self, samples: Samples, audit: NoiseAudit) -> CheckFolder:
        if self.folder is None:
            from eactf.checked.folder import CheckFolder
            from eactf.checked.store import CheckStore

            store = CheckStore(
                ids=samples.ids,
                given=samples.given,
                probabilities=audit.predictions.astype("float32"),
                class_names=audit.class_names,
                options=self.words,
            )
            self.folder = CheckFolder.make(self.path, store)
        return self.folder


def _at_terminal() -> bool:
    return console.is_terminal() and sys.stdin.isatty()


def _ask(folder: CheckFolder) -> bool:
    """Ask for the answers that are missing; each is on the disk before the next is asked for.

    Whether all are given then: the person may stop.
    """
    from eactf.checked.answers import read_answer
    from eactf.checked.pictures import picture_name

    answers, given, names = folder.answers(), folder.given, folder.store.class_names
    numbers = [number for number, answer in enumerate(answers, start=1) if not answer]
    if not numbers:
        return True
    console.say(
        f"\n{counted(len(numbers), 'label')} to check; all pictures: {folder.path / 'index.html'}"
        f"\ny right, n wrong, ? cannot tell, or the right class ({enumerated(names)}); {_STOP} to"
        " stop here",
        markup=False,
    )
    for number in numbers:
        picture = folder.path / picture_name(number)
        question = f"{number:>4} of {len(given)}  {picture}  {given[number - 1]}? "
        while True:
            try:
                text = console.ask(question)
            except KeyboardInterrupt:
                raise Interrupted(f"interrupted; the answers are kept in {folder.table}") from None
            if text == _STOP and _STOP not in names:
                return False
            try:
                folder.answer(number, read_answer(text, names))
                break
            except ValueError as expected:
                console.say(f"     {reason_of(expected)}", markup=False)
    return True

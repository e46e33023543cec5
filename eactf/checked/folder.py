"""`CheckFolder` holds the labels drawn for a check, their pictures and a person's answers.

```text
faces.checks/
  checks.csv    a line a label, with the answer; the person may fill it in
  index.html    all pictures in a grid
  images/       the pictures, by number
  drawn.npz     what was predicted and with which probabilities labels were drawn
```
"""

from __future__ import annotations

from pathlib import Path

from eactf.checked.answers import HEADER, AnswerTable, wrongness_of
from eactf.checked.pictures import picture_name, write_page, write_picture
from eactf.checked.store import CheckStore
from eactf.errors import UsageError
from eactf.noise.checked_rate import FEWEST_CHECKS, CheckedRate, checked_rate
from eactf.noise.draw_checks import check_folds, draw_checks
from eactf.noise.wrong_chance import WrongChance
from eactf.packed.records import Samples

__all__ = ["CheckFolder", "checks_name"]

_STORE, _TABLE = "drawn.npz", "checks.csv"


def checks_name(data: Path) -> str:
    """The folder of checks that is proposed for the data at a path: in the folder one is in.

    >>> checks_name(Path("data/faces.h5"))
    'faces.checks'
    """
    return f"{data.resolve().stem or 'data'}.checks"


class CheckFolder:
    """A folder of checks that is there.

    Every answer is on the disk before the next is asked for, and what a person wrote is only ever
    added to.
    """

    def __init__(self, path: Path, store: CheckStore) -> None:
        self.path, self.store = path, store
        self._model = WrongChance(store.probabilities, store.given)
        self._fold = check_folds(store.ids, store.seed)

    @classmethod
    def is_at(cls, path: Path) -> bool:
        """Whether there is one."""
        return (path / _STORE).is_file()

    @classmethod
    def open(cls, path: Path) -> CheckFolder:
        """Open one; `DataError` where its files are damaged, `UsageError` where it is none."""
        if not cls.is_at(path):
            raise UsageError(
                f"{path} is no folder of checks: it has no {_STORE}",
                hint="'eactf data noise PATH --checked 100' makes one",
            )
        return cls(path, CheckStore.read(path / _STORE))

    @classmethod
    def make(cls, path: Path, store: CheckStore) -> CheckFolder:
        """Begin one in a folder that is not there, or empty; `UsageError` for any other."""
        cls.refuse_taken(path)
        path.mkdir(exist_ok=True)
        store.write(path / _STORE)
        return cls(path, store)

    @staticmethod
    def refuse_taken(path: Path) -> None:
        """Raise `UsageError` where no folder can be begun at `path`."""
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise UsageError(
                f"{path} exists and is no folder of checks", hint="name another with --checks"
            )
        if not path.parent.is_dir():
            raise UsageError(f"the folder of {path} does not exist", hint="make it first")

    @property
    def table(self) -> Path:
        """The table of answers."""
        return self.path / _TABLE

    @property
    def drawn(self) -> int:
        """How many labels are drawn so far."""
        return len(self.store.rows)

    @property
    def given(self) -> list[str]:
        """The names of the drawn labels, in the order in which they are asked for."""
        return [self.store.class_names[label] for label in self.store.given[self.store.rows]]

    def answers(self) -> list[str]:
        """The answer to each drawn label, empty where there is none; `DataError` for a bad one."""
        return self._table().answers(self.given, self.store.class_names) if self.drawn else []

    def grow(self, count: int, samples: Samples) -> None:
        """Draw until `count` labels are drawn, or all, learning from the answers so far.

        `samples` are those that the store is about. Raises `UsageError` where fewer are asked for
        than were drawn, or the ones drawn before are not all answered.
        """
        count = min(count, len(self.store.ids))
        if count < self.drawn:
            raise UsageError(
                f"--checked {count}: {self.drawn} labels are drawn in {self.path} already",
                hint=f"--checked {self.drawn} goes on with them; a part of them answered from the"
                " first one on counts as well",
            )
        if count > self.drawn:
            self._draw(count - self.drawn)
        self._complete(samples)

    def _draw(self, count: int) -> None:
        wrong = wrongness_of(self.answers(), self.given)
        if len(wrong) < self.drawn:
            raise UsageError(
                f"{self.drawn - len(wrong)} of the {self.drawn} labels in {self.table} are not"
                f" answered, from number {len(wrong) + 1} on",
                hint=f"answer them first (--checked {self.drawn}): what is drawn next learns from"
                " them",
            )
        rows, store = self.store.rows, self.store
        chance = self._model.learned(rows, wrong)
        round_ = draw_checks(store.ids, store.given, chance, count, before=rows, seed=store.seed)
        self.store = store.and_round(round_)
        self.store.write(self.path / _STORE)

    def answer(self, number: int, answer: str) -> None:
        """Keep the answer to a label, by its number from 1; it is on the disk when this returns."""
        self._table().with_rows({number: {"answer": answer}}).write()

    def rate(self) -> CheckedRate | None:
        """What the answers say, up to the first that is missing; None of too few."""
        wrong = wrongness_of(self.answers(), self.given)
        if len(wrong) < min(FEWEST_CHECKS, len(self.store.ids)):
            return None
        answers, begun = [], 0
        for round_ in self.store.rounds:
            answers.append(wrong[begun : begun + len(round_.rows)])
            begun += len(round_.rows)
        return checked_rate(self._model, self._fold, self.store.rounds, answers)

    def _complete(self, samples: Samples) -> None:
        """Write the pictures and lines that are missing; answers stay as they are."""
        rows, given = self.store.rows, self.given
        (self.path / "images").mkdir(exist_ok=True)
        for number, row in enumerate(rows, start=1):
            picture = self.path / picture_name(number)
            if not picture.exists():
                write_picture(picture, samples.images[row])
        write_page(self.path, given)
        table = self._table() if self.table.exists() else AnswerTable(self.table, HEADER, {})
        missing = {
            number: {
                "image": picture_name(number),
                "given": given[number - 1],
                "id": str(self.store.ids[row]),
                "name": "" if samples.names is None else str(samples.names[row]),
            }
            for number, row in enumerate(rows, start=1)
            if number not in table.rows
        }
        if missing:
            table.with_rows(missing).write()

    def _table(self) -> AnswerTable:
        return AnswerTable.read(self.table)

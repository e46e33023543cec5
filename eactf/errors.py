"""This module holds the errors that users are told of without a traceback, and their exit codes.

::

    EactfError                 1
    |-- UsageError             2   a flag, an argument, a path that is not there
    |   `-- RecipeError        2   one or more problems in a recipe or in --set
    |-- DataError              3   the user's images, labels or packed file
    |-- TrainingError          4   training cannot go on (a loss that is not a number, ...)
    |-- UnsafeFileError        5   a file that would run code or is not what it claims
    `-- Interrupted          130   the user asked to stop; what was done is saved (SIGTERM 143,
                                   SIGHUP 129, the time of train.stop_after 75)

Every message says what is wrong, where, what was expected and received, and what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eactf.wording import counted

__all__ = [
    "DataError",
    "EactfError",
    "Interrupted",
    "Problem",
    "RecipeError",
    "TrainingError",
    "UnsafeFileError",
    "UsageError",
]


class EactfError(Exception):
    """A failure that is told to the user without a traceback.

    `message` is the sentence of what is wrong; `hint`, where there is one, is the next step.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n\n  {self.hint}"


class UsageError(EactfError):
    """The command line asks for something that cannot be done."""

    exit_code = 2


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a recipe.

    `key` is the dotted path (with ` = value` where a value is at fault), `kind` a few words
    ("unknown key", "out of range"), `where` the file and line or the flag, `advice` what was
    expected and what to write instead.
    """

    key: str
    kind: str
    where: str
    advice: str = ""


class RecipeError(UsageError):
    """A recipe has problems; all of them are listed at once."""

    def __init__(self, recipe: str, problems: Sequence[Problem], *, hint: str | None = None):
        self.recipe = recipe
        self.problems = tuple(problems)
        super().__init__(_format_problems(recipe, self.problems), hint=hint)


class DataError(EactfError):
    """The data cannot be used as it is."""

    exit_code = 3


class TrainingError(EactfError):
    """Training cannot go on."""

    exit_code = 4


class UnsafeFileError(EactfError):
    """A file was refused because opening it could run code or exhaust the machine."""

    exit_code = 5


class Interrupted(EactfError):  # noqa: N818 - nothing went wrong
    """The user, or a time that the user set, interrupted the work.

    `exit_code` is 130 unless it was something else than Ctrl-C. `at_once` says that nothing more
    is to be saved.
    """

    exit_code = 130

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        exit_code: int = 130,
        at_once: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code
        self.at_once = at_once


def _format_problems(recipe: str, problems: Sequence[Problem]) -> str:
    lines = [f"recipe '{recipe}' has {counted(len(problems), 'problem')}", ""]
    for number, problem in enumerate(problems, start=1):
        lines.append(f"{number:>3}. {problem.key:<32} {problem.kind:<16} ({problem.where})")
        lines += [f"     {line}" for line in problem.advice.splitlines()]
    return "\n".join(lines)

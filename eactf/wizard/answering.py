"""An `Answerer` gets each answer from a file, the defaults or the person at the terminal."""

from __future__ import annotations

import stat
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.markup import escape

from eactf import console
from eactf.errors import UsageError
from eactf.recipe.strict_yaml import MAX_BYTES, parse, write_scalar
from eactf.suggestions import did_you_mean
from eactf.wizard.choices import Origin
from eactf.wizard.questions import KEYS, Question
from eactf.wizard.writing import one_line
from eactf.wording import counted

__all__ = ["Answerer", "Written", "read_answers"]


@dataclass(frozen=True)
class Written:
    """An answer from a file: its text, and the place for messages."""

    text: str
    where: str


@dataclass
class Answerer:
    """Answers questions in turn, and keeps what was answered.

    What a file says comes first; then, with `defaults`, the question's own default; else the
    person at the terminal is asked, where there is one. What is wrong or missing is gathered, so
    that `finish` can tell all of it at once; from the first fault on nobody is asked any more.
    """

    written: Mapping[str, Written] = field(default_factory=dict)
    defaults: bool = False
    terminal: bool = False
    problems: list[str] = field(default_factory=list)
    missing: list[Question] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    asked: int = 0

    def ask(self, question: Question) -> Any:
        """The value of the answer; None where it is missing and the question has no default.

        Raises `KeyboardInterrupt` where the person wants to stop.
        """
        if question.key in self.written:
            return self._from_file(question, self.written[question.key])
        if self.defaults and question.default is not None:
            return self._default(question)
        if self.terminal and not self.problems:
            return self._from_person(question)
        self.missing.append(question)
        return self._default(question)

    def require(self, question: Question) -> None:
        """Make sure of a question that is asked later: its answer is there, right, or to be had."""
        if question.key not in self.written:
            if not (self.defaults or self.terminal):
                self.missing.append(question)
            return
        try:
            question.parse(self.written[question.key].text)
        except ValueError as expected:
            self._wrong(question, self.written[question.key], expected)

    def finish(self) -> None:
        """Raise `UsageError` with everything that is wrong or missing, if anything is."""
        if self.problems:
            lines = [f"{number:>3}. {text}" for number, text in enumerate(self.problems, start=1)]
            head = f"the answers have {counted(len(self.problems), 'problem')}"
            raise UsageError("\n".join([head, "", *lines]))
        if self.missing:
            raise UsageError(_missing(self.missing), hint=_how_to_answer(self.missing))

    def unused(self, *later: str) -> list[str]:
        """Keys of the file whose questions did not arise; `later` ones still may."""
        return [key for key in self.written if key not in self.given and key not in later]

    def _from_file(self, question: Question, written: Written) -> Any:
        try:
            return self._keep(question, written.text)
        except ValueError as expected:
            self._wrong(question, written, expected)
            return self._default(question)

    def _wrong(self, question: Question, written: Written, expected: ValueError) -> None:
        shown = write_scalar(written.text)
        self.problems.append(
            f"{question.key} = {shown}  ({written.where})\n     expected {expected}"
        )

    def _default(self, question: Question) -> Any:
        if question.default is None:
            return None
        try:
            return self._keep(question, question.default, Origin.DEFAULT)
        except ValueError as expected:
            self.problems.append(
                f"{question.key} = {question.default}  (the default)\n     expected {expected}"
            )
            return None

    def _from_person(self, question: Question) -> Any:
        self.asked += 1
        if self.asked == 1:
            console.say("\nEnter takes the default, ? explains, Ctrl-C stops without a trace.")
        console.say()
        head = f"{self.asked}. {question.text}"
        _say_wrapped(f"{head}  {question.hint}", bold=len(head))
        _say_wrapped(f"   {_because(question)}")
        while True:
            text = console.ask(f"   [{question.default or ''}] " if question.default else "   ")
            if text == "?":
                _say_wrapped(f"   {question.more}")
                continue
            try:
                return self._keep(question, text or question.default or "")
            except ValueError as expected:
                _say_wrapped(f"   expected {expected}")

    def _keep(self, question: Question, text: str, origin: Origin = Origin.YOU) -> Any:
        value = question.parse(text.strip())
        self.origins[question.key] = origin
        self.given[question.key] = text.strip()
        return value


def read_answers(path: Path) -> tuple[dict[str, Written], list[str]]:
    """The answers in a YAML file by key, and what is wrong with them apart from their values.

    Raises `UsageError` where the file cannot be read, is no YAML, or is no mapping.
    """
    document = parse(_read(path), str(path))
    problems = [
        f"{one.key}: {one.kind}  ({one.where})\n     {one.advice}" for one in document.problems
    ]
    if not isinstance(document.value, dict):
        if not problems:
            problems = [f"{path} is no mapping\n     expected lines such as 'minutes: 30'"]
        raise UsageError("\n".join(["the answers cannot be read", "", *problems]))
    answers = {}
    for key, value in document.value.items():
        where = f"{path}, line {document.lines.get((key,), 1)}"
        if key not in KEYS:
            advice = did_you_mean(key, KEYS, alike=0.6) or f"there are {', '.join(KEYS)}"
            problems.append(f"{key}: unknown question  ({where})\n     {advice}")
        elif isinstance(value, dict | list) or value is None:
            problems.append(f"{key}: not an answer  ({where})\n     expected one word or number")
        else:
            answers[key] = Written(value if isinstance(value, str) else write_scalar(value), where)
    return answers, problems


def _read(path: Path) -> str:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"--answers {path} is not a file")
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"--answers {path} is larger than {MAX_BYTES // 1_000_000} MB")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"--answers: there is no file {path}") from None
    except UnicodeDecodeError:
        raise UsageError(f"--answers {path} is not UTF-8 text", hint="save it as UTF-8") from None


def _because(question: Question) -> str:
    if question.default is None:
        return question.reason
    return f"{question.default}: {question.reason}"


def _say_wrapped(text: str, bold: int = 0) -> None:
    """A paragraph, later lines indented as well; the first `bold` characters stand out."""
    width = max(console.out().width - 1, 40)
    lines = textwrap.wrap(one_line(text), width, subsequent_indent="   ", break_long_words=False)
    for number, line in enumerate(lines):
        strong, rest = (line[:bold], line[bold:]) if number == 0 else ("", line)
        console.say(f"[bold]{escape(strong)}[/bold][dim]{escape(rest)}[/dim]")


def _missing(questions: list[Question]) -> str:
    width = max(len(question.key) for question in questions)
    lines = []
    for question in questions:
        default = "no default" if question.default is None else f"default {question.default}"
        lines.append(f"  {question.key:<{width}}  {question.text}  {question.hint}; {default}")
    count = counted(len(lines), "answer is", "answers are")
    return "\n".join([f"this is no terminal to ask at, and {count} missing", "", *lines])


def _how_to_answer(questions: list[Question]) -> str:
    if any(question.key == "data" for question in questions):
        return "name the data: eactf wizard PATH --yes; what else is asked depends on it"
    return "take the defaults with --yes, or give a file of 'key: answer' lines with --answers"

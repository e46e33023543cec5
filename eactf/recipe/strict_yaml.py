"""This module reads YAML 1.2 strictly and tells the line of every key and every fault.

The parser's events are read directly, without its constructors: values follow the core schema of
YAML 1.2 (`1e-4` is a number, `no` and `2020-01-01` are text), nothing can be built from a tag,
nothing can be repeated by an alias, and depth is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from ruamel.yaml.reader import ReaderError

from eactf.errors import Problem

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "Document",
    "KeyPath",
    "dotted",
    "parse",
    "plain_scalar",
    "write_scalar",
]

MAX_BYTES = 1_000_000
"""The largest recipe that is read; real ones have a few thousand bytes."""

MAX_DEPTH = 20
MAX_DIGITS = 1000

KeyPath = tuple[str, ...]
"""Where a key stands: `("noise", "rate")`."""

_NULL = re.compile(r"(null|Null|NULL|~|)\Z")
_TRUE = re.compile(r"(true|True|TRUE)\Z")
_FALSE = re.compile(r"(false|False|FALSE)\Z")
_INT = re.compile(r"[-+]?[0-9]+\Z")
_BASED = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_INFINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)\Z|\.(nan|NaN|NAN)\Z")
_BARE = re.compile(r"[A-Za-z_./][A-Za-z0-9_./+-]*(:[A-Za-z0-9_./+-]+)*\Z")


@dataclass
class Document:
    """What was read: the value, the line of every key, and what was wrong.

    `lines` maps a key's path to its line, counted from 1. Keys at fault are left out of `value`,
    so that they cause no second message.
    """

    value: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def parse(text: str, where: str, *, lines: bool = True) -> Document:
    """Read one YAML document; never raises, faults are told in `Document.problems`.

    `where` names the text in messages (`recipes/x.yaml`, `--set, 2nd`); with `lines` the line is
    added to it.
    """
    document = Document()
    reader = _Reader(document, where, lines)
    try:
        document.value = reader.read(YAML(typ="safe", pure=True).parse(text))
    except _UnreadableError:
        document.value = None
    except ReaderError as fault:
        document.value = None
        line = text.count("\n", 0, fault.position)
        advice = "control characters are not allowed"
        document.problems.append(Problem("the text", "not YAML", reader.place(line), advice))
    except (YAMLError, NotImplementedError, ValueError) as fault:
        document.value = None
        document.problems.append(reader.syntax_problem(fault))
    return document


def plain_scalar(text: str) -> Any:
    """The value of an unquoted scalar in the core schema of YAML 1.2.

    >>> plain_scalar("1e-4"), plain_scalar("no"), plain_scalar("012"), plain_scalar("~")
    (0.0001, 'no', 12, None)
    """
    if _NULL.match(text):
        return None
    if _TRUE.match(text) or _FALSE.match(text):
        return text.lower() == "true"
    if len(text) > MAX_DIGITS:
        return text
    if _INT.match(text):
        return int(text)
    if _BASED.match(text):
        return int(text[2:], 8 if text[1] == "o" else 16)
    if _FLOAT.match(text):
        return float(text)
    infinite = _INFINITE.match(text)
    if infinite:
        return float(f"{infinite[1]}inf") if infinite[2] else float("nan")
    return text


def write_scalar(value: object) -> str:
    """A scalar or a list as YAML on one line; text is quoted where it would not read back.

    >>> write_scalar((0.02, 0.25)), write_scalar("no"), write_scalar("1"), write_scalar(None)
    ('[0.02, 0.25]', 'no', '"1"', 'null')
    """
    if isinstance(value, list | tuple):
        return f"[{', '.join(write_scalar(item) for item in value)}]"
    if isinstance(value, dict):
        pairs = (f"{write_scalar(key)}: {write_scalar(item)}" for key, item in value.items())
        return f"{{{', '.join(pairs)}}}"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, float):
        return _write_float(value)
    if isinstance(value, str):
        bare = _BARE.match(value) and isinstance(plain_scalar(value), str)
        return value if bare else _quote(value)
    return str(value)


def dotted(path: KeyPath) -> str:
    """A path as it is typed, `noise.rate`; segments that are no plain words are quoted."""
    return ".".join(part if re.fullmatch(r"[\w-]+", part) else _quote(part) for part in path)


class _UnreadableError(Exception):
    """Reading cannot go on; why is among the problems already."""


class _Reader:
    """Builds plain values from parser events, and remembers lines and problems."""

    def __init__(self, document: Document, where: str, lines: bool) -> None:
        self.document = document
        self.where = where
        self.with_lines = lines

    def read(self, events: Iterator[Event]) -> Any:
        """The value of the only document of a stream; None for an empty stream."""
        value, documents = None, 0
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.problem((), "two documents", event, "a recipe is one document: drop '---'")
                    raise _UnreadableError
                if event.version not in (None, (1, 2)):
                    self.problem((), "another YAML", event, "recipes are YAML 1.2: drop '%YAML'")
                value, _ = self.node(next(events), events, (), 0)
            elif isinstance(event, StreamEndEvent):
                break
        return value

    def node(
        self, event: Event, events: Iterator[Event], path: KeyPath, depth: int
    ) -> tuple[Any, bool]:
        """The value that starts with `event`, and whether it can be used."""
        if depth > MAX_DEPTH:
            self.problem(path[:3], "too deep", event, f"at most {MAX_DEPTH} levels are read")
            raise _UnreadableError
        sound = self.check_node(event, path)
        if isinstance(event, MappingStartEvent):
            return self.mapping(events, path, depth + 1), sound
        if isinstance(event, SequenceStartEvent):
            return self.sequence(events, path, depth + 1), sound
        if isinstance(event, ScalarEvent):
            return self.scalar(event), sound
        return None, False

    def check_node(self, event: Event, path: KeyPath) -> bool:
        """Tell what a recipe may not contain: aliases, anchors, tags."""
        anchor = getattr(event, "anchor", None)
        if anchor:
            name = f"{'*' if isinstance(event, AliasEvent) else '&'}{anchor}"
            self.problem(path, "alias", event, f"{name}: write the value out where it is used")
            return False
        tag = getattr(event, "ctag", None)
        if tag is not None:
            advice = f"{tag}: recipes hold plain values only, drop the tag"
            self.problem(path, "tag", event, advice)
            return False
        return True

    def mapping(self, events: Iterator[Event], path: KeyPath, depth: int) -> dict[str, Any]:
        """The keys and values up to the end of a mapping; of a repeated key the first is kept."""
        result: dict[str, Any] = {}
        first_lines: dict[str, int] = {}
        for event in events:
            if isinstance(event, MappingEndEvent):
                break
            key, line = self.key(event, events, path), event.start_mark.line + 1
            inner = (*path, key)
            self.document.lines.setdefault(inner, line)
            value, sound = self.node(next(events), events, inner, depth)
            if first_lines.setdefault(key, line) != line or key in result:
                advice = f"first set on line {first_lines[key]}; keep one of them"
                self.problem(inner, "duplicate key", event, advice, value)
            elif sound:
                result[key] = value
        return result

    def key(self, event: Event, events: Iterator[Event], path: KeyPath) -> str:
        """The text of a key; anything but text is told and ends the reading."""
        if not isinstance(event, ScalarEvent):
            self.problem(path, "not a key", event, "a key is a word, as in 'seed: 0'")
            raise _UnreadableError
        if not self.check_node(event, path):
            raise _UnreadableError
        return str(event.value)

    def sequence(self, events: Iterator[Event], path: KeyPath, depth: int) -> list[Any]:
        """The items up to the end of a sequence."""
        result = []
        for event in events:
            if isinstance(event, SequenceEndEvent):
                break
            value, sound = self.node(event, events, path, depth)
            if sound:
                result.append(value)
        return result

    def scalar(self, event: ScalarEvent) -> Any:
        """Quoted and block scalars are text, plain ones follow the core schema."""
        return plain_scalar(event.value) if event.style is None else event.value

    def problem(
        self, path: KeyPath, kind: str, event: Event, advice: str, value: object = _UnreadableError
    ) -> None:
        """Remember a problem at an event."""
        key = dotted(path) or "the file"
        if value is not _UnreadableError and not isinstance(value, dict | list):
            key += f" = {write_scalar(value)}"
        self.document.problems.append(Problem(key, kind, self.place(event.start_mark.line), advice))

    def syntax_problem(self, fault: Exception) -> Problem:
        """What the parser could not read, in one problem."""
        if isinstance(fault, MarkedYAMLError) and fault.problem_mark is not None:
            what = str(fault.problem or fault.context or "cannot be read")
            return Problem(
                "the text", "not YAML", self.place(fault.problem_mark.line), _clear(what)
            )
        return Problem("the text", "not YAML", self.where, _clear(str(fault)))

    def place(self, line: int) -> str:
        """The place of a line (counted from 0) as a message names it."""
        return f"{self.where}, line {line + 1}" if self.with_lines else self.where


def _clear(what: str) -> str:
    """A parser's complaint with what to do about it, where that is known."""
    advice = {
        "'\\t'": "a tab stands where only spaces may: YAML indents with spaces",
        "mapping values are not allowed": "a second ':' on one line, or wrong indentation",
        "expected <block end>": "indentation does not match the lines above",
        "could not find expected ':'": "a key without ':' after it",
        "unexpected end of stream": "a quotation mark is opened and never closed",
        "but got '<stream end>'": "a bracket is opened and never closed",
    }
    known = next((text for sign, text in advice.items() if sign in what), None)
    first = " ".join(what.splitlines()[:1])[:200]
    return known or first


def _write_float(value: float) -> str:
    return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}.get(str(value), repr(float(value)))


def _quote(text: str) -> str:
    """Text in double quotes; everything that does not print is escaped."""
    escaped = (
        f"\\{char}" if char in '"\\' else char if char.isprintable() else f"\\U{ord(char):08x}"
        for char in text
    )
    return f'"{"".join(escaped)}"'

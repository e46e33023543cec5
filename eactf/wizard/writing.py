"""This module writes the plan as a YAML recipe that says where each value came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from eactf.recipe.strict_yaml import write_scalar
from eactf.wizard.choices import Choice

__all__ = ["one_line", "recipe_text"]

_WIDEST_VALUE = 44
"""Comments stand behind values up to this column; a longer value, a path, has its own behind it."""


def recipe_text(
    choices: Mapping[str, Choice[Any]], *, about: str, run: str = "", takes: str = ""
) -> str:
    """The recipe as text: a header, then every key in the order of the plan, by sections.

    `choices` are dotted keys; those of one section stand together. `about`, `run` and `takes` are
    the header's lines, left out where empty.
    """
    heads = {"": about, "run: ": run, "takes: ": takes}
    header = [f"# {key}{one_line(text)}" for key, text in heads.items() if text]
    return "\n".join([*header[:1], "#", *header[1:], "", *_body(choices)]) + "\n"


def _body(choices: Mapping[str, Choice[Any]]) -> Iterator[str]:
    lines = list(_lines(choices))
    widths = [len(text) for text, comment in lines if comment and len(text) <= _WIDEST_VALUE]
    column = max(widths, default=0)
    for text, comment in lines:
        yield f"{text:<{column}}  # {comment}" if comment else text


def _lines(choices: Mapping[str, Choice[Any]]) -> Iterator[tuple[str, str]]:
    """Each line with its comment, empty for headings and for the blank line between sections."""
    before: list[str] = []
    for key, choice in choices.items():
        *sections, name = key.split(".")
        for depth, section in enumerate(sections):
            if before[: depth + 1] != sections[: depth + 1]:
                if depth == 0:
                    yield "", ""
                yield f"{'  ' * depth}{section}:", ""
        indent = "  " * len(sections)
        yield f"{indent}{name}: {_scalar(choice.value)}", one_line(choice.because)
        before = sections


def _scalar(value: object) -> str:
    # 0.001 as people write it: the shipped recipes have 1e-3 as well.
    if isinstance(value, float) and 0 < abs(value) < 0.01:
        mantissa, _, exponent = f"{value:e}".partition("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return write_scalar(value)


def one_line(text: str) -> str:
    """Text of printable characters alone: names of the user's files may hold line ends and worse.

    >>> one_line("a\\nb")
    'a b'
    """
    return "".join(char if char.isprintable() else " " for char in text)

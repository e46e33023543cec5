"""This module reads the settings that the command line makes: `--set a.b=c`, and certain flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eactf.errors import Problem
from eactf.recipe.layers import Layers
from eactf.recipe.strict_yaml import MAX_DEPTH, KeyPath, parse, write_scalar

__all__ = ["ordinal", "put_overrides"]


def put_overrides(
    layers: Layers, overrides: Sequence[str], extra: Mapping[str, tuple[object, str]]
) -> list[Problem]:
    """Set `a.b=c` texts, then typed values with their labels, over a recipe.

    The value behind `=` is YAML 1.2, as in a recipe file: `lr=1e-4`, `area=[0.1, 0.7]`, and an
    empty one is null. Returns what could not be read.
    """
    problems: list[Problem] = []
    for number, text in enumerate(overrides, start=1):
        where = f"--set, {ordinal(number)}"
        path, value, faults = _read(text, where)
        problems += faults
        if not faults:
            layers.put(path, value, where, override=True)
    for key, (value, label) in extra.items():
        layers.put(tuple(key.split(".")), value, label, override=True)
    return problems


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, ..., 11th, ..., 21st."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return str(number) + {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _read(text: str, where: str) -> tuple[KeyPath, object, list[Problem]]:
    """The key and the value of one `key=value` text, and what is wrong with it."""
    key, sign, value = text.partition("=")
    path = tuple(part.strip() for part in key.split("."))
    if not sign or not all(path) or len(path) > MAX_DEPTH:
        advice = "expected key=value, such as --set train.epochs=10"
        return path, None, [Problem(write_scalar(text), "not key=value", where, advice)]
    document = parse(value, where, lines=False)
    faults = [
        Problem(f"{key.strip()} = {write_scalar(value)}", fault.kind, fault.where, fault.advice)
        for fault in document.problems
    ]
    return path, document.value, faults

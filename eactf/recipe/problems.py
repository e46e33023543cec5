"""This module words, for the user, each fault that the schema finds in a recipe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from eactf.errors import Problem
from eactf.method_names import METHODS
from eactf.recipe.keys import expected, nearest_key, sections_at
from eactf.recipe.layers import Layers
from eactf.recipe.method_settings import method_name
from eactf.recipe.sections import Section
from eactf.recipe.strict_yaml import KeyPath, dotted, plain_scalar, write_scalar
from eactf.recipe.type_text import base_type, bounds, choices
from eactf.suggestions import meant, nearest

__all__ = ["find_problems"]

MAX_PROBLEMS = 100
"""More than a person reads at once; what is wrong beyond them shows when these are mended."""

TENS = ("zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")

_KINDS = {
    "extra_forbidden": "unknown key",
    "literal_error": "unknown value",
    "union_tag_invalid": "unknown value",
    "string_pattern_mismatch": "unknown value",
    "string_too_short": "empty",
    "finite_number": "out of range",
}


def find_problems(failure: ValidationError, layers: Layers) -> list[Problem]:
    """One problem for each key at fault, in the order of the schema.

    Several faults in one list (both ends of a range) are told once, for the whole list.
    """
    found: dict[KeyPath, Problem] = {}
    for error in failure.errors(include_url=False)[:MAX_PROBLEMS]:
        path = _path(error["loc"])
        found.setdefault(path, _problem(path, error, layers))
    return list(found.values())


def _path(location: tuple[int | str, ...]) -> KeyPath:
    """The key that a location means: without the name of the chosen class, and without indices."""
    path: KeyPath = ()
    for part in location:
        if not isinstance(part, str):
            break
        if path == ("method",) and part in METHODS:
            continue  # the class that the name chose
        path = (*path, part)
    return path


def _problem(path: KeyPath, error: ErrorDetails, layers: Layers) -> Problem:
    if path == ("method",) and error["type"] == "union_tag_invalid":
        path = ("method", "name")
    value = _value_at(layers.tree(), path)
    kind = _kind(error["type"])
    if kind == "unknown key":
        path = _as_typed(path, layers)
        return Problem(dotted(path), kind, layers.where(path), _unknown_key(path, layers))
    advice = _advice(path, value, error, layers)
    if kind == "missing key":
        return Problem(dotted(path), kind, layers.where((*path[:-1], "kind")), advice)
    return Problem(f"{dotted(path)} = {_short(value)}", kind, layers.where(path), advice)


def _as_typed(path: KeyPath, layers: Layers) -> KeyPath:
    """The whole key of an override that goes wrong at one of its first words."""
    below = [other for other in layers.settings if other[: len(path)] == path]
    alone = len(below) == 1 and layers.settings[below[0]].override
    return below[0] if alone else path


def _kind(error_type: str) -> str:
    if error_type in _KINDS:
        return _KINDS[error_type]
    if error_type.startswith(("greater_than", "less_than")):
        return "out of range"
    if error_type.endswith(("_type", "_from_float", "_not_found", "none_required")):
        return "wrong type"
    if error_type in ("too_long", "too_short", "missing"):
        return "wrong length"
    return error_type.replace("_", " ")


def _advice(path: KeyPath, value: Any, error: ErrorDetails, layers: Layers) -> str:
    """What was expected and what to write instead."""
    stated = error.get("ctx", {}).get("advice", "")
    owners = sections_at(path)
    if owners:
        return _section_advice(path, value, owners)
    kind = _kind(error["type"])
    if stated and kind != "wrong type":
        return str(stated)
    method = method_name(layers.tree().get("method", {}))
    name = path[-1] if kind == "out of range" else ""
    accepted = expected(path, method=method, name=name)
    # A key of the user's own, within a value that is a mapping.
    accepted = accepted or expected(path[:-1], method=method)
    text = f"expected {accepted}"
    field = _field(path)
    hint = _hint(value, field) if field else ""
    return f"{text}; {hint}" if hint else text


def _section_advice(path: KeyPath, value: Any, owners: list[type[Section]]) -> str:
    keys = list(dict.fromkeys(key for owner in owners for key in owner.model_fields))
    first = next((key for key in ("name", "kind") if key in keys), keys[0])
    text = f"expected keys under it: {', '.join(keys)}"
    if value is None:
        return f"{text}; without any, leave '{path[-1]}:' out"
    if isinstance(value, str):
        return f"{text}; {meant(f'{dotted((*path, first))} = {_short(value)}')}"
    return text


def _unknown_key(path: KeyPath, layers: Layers) -> str:
    if "." in path[-1]:
        return "keys with dots are for --set; in a file, put one key under the other"
    if path[-1].isdigit():
        return "a number stands where a key is expected; decimals are written with a point"
    owner = _method_with(path)
    if owner:
        return f"it belongs to method.name = {owner}"
    near = nearest_key(path)
    if near is None:
        keys = [key for section in sections_at(path[:-1]) for key in section.model_fields]
        place = dotted(path[:-1]) or "the top level"
        return f"{place} has: {', '.join(dict.fromkeys(keys))}" if keys else ""
    question = meant(dotted(near))
    described = expected(near)
    if not described:
        return f"{question:<45} a section"
    return f"{question:<45} {described}, now {_short(_now(near, layers))}"


def _method_with(path: KeyPath) -> str:
    """The method that has a key, if there is one."""
    if path[:1] != ("method",) or len(path) < 2:
        return ""
    owners = [owner for owner in sections_at(("method",)) if path[1] in owner.model_fields]
    return " or ".join(str(owner.model_fields["name"].default) for owner in owners)


def _now(path: KeyPath, layers: Layers) -> Any:
    """What a key holds: as set, or its default."""
    if path in layers.settings:
        return layers.settings[path].value
    field = _field(path)
    return field.get_default(call_default_factory=True) if field else None


def _field(path: KeyPath) -> FieldInfo | None:
    owners = sections_at(path[:-1])
    fields = (owner.model_fields.get(path[-1]) for owner in owners)
    return next((field for field in fields if field is not None), None)


def _hint(value: Any, field: FieldInfo) -> str:
    """What was probably meant, where that can be told; else empty."""
    return next((hint for hint in _hints(value, field) if hint), "")


def _hints(value: Any, field: FieldInfo) -> Iterator[str]:
    named = choices(field)
    yield _choice_hint(value, named)
    if isinstance(value, str):
        yield _text_hint(value, field)
    yield _percent_hint(value, field)
    if base_type(field) is int and isinstance(value, float) and value.is_integer():
        yield f"write {int(value)}" if abs(value) < 1e15 else ""
    if base_type(field) is str and isinstance(value, int | float):
        yield f'for text write "{write_scalar(value)}" in quotes'


def _choice_hint(value: Any, named: tuple[Any, ...]) -> str:
    if named == (True, False):
        truths = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false"}
        word = truths.get(str(value).lower(), "false" if value == 0 else "")
        return f"{write_scalar(value)} is no truth value in YAML 1.2, write {word}" if word else ""
    texts = {str(choice): choice for choice in named if isinstance(choice, str)}
    words = str(value).lower().replace("-", "_")
    folded = {text.replace("-", "_"): text for text in texts}
    return meant(*(folded[match] for match in nearest(words, folded)))


def _text_hint(value: str, field: FieldInfo) -> str:
    """For a text where a number or a truth value was wanted."""
    if base_type(field) not in (int, float):
        return ""
    if value.strip().endswith("%"):
        number = plain_scalar(value.strip()[:-1].strip())
        return _percent(number) if isinstance(number, int | float) else ""
    if isinstance(plain_scalar(value), int | float):
        return f"this is text: write {value} without quotes"
    for habit, plain in ((",", "."), ("_", "")):
        number = plain_scalar(value.replace(habit, plain))
        if isinstance(number, int | float):
            return f"write {write_scalar(number)}"
    return ""


def _percent_hint(value: Any, field: FieldInfo) -> str:
    """For 20 where a share below 1 was wanted."""
    limits = [getattr(m, "le", getattr(m, "lt", None)) for m in bounds(field)]
    is_share = base_type(field) is float and 1 in limits
    if not is_share or isinstance(value, bool) or not isinstance(value, int | float):
        return ""
    return _percent(value) if 1 < value < 100 else ""


def _percent(number: float) -> str:
    word = f"{number:g}"
    if number in range(10, 100, 10):
        word = TENS[int(number) // 10]
    return f"for {word} percent write {number / 100:g}"


def _value_at(tree: Any, path: KeyPath) -> Any:
    for part in path:
        tree = tree.get(part) if isinstance(tree, dict) else None
    return tree


def _short(value: Any) -> str:
    text = write_scalar(value)
    return text if len(text) <= 60 else f"{text[:57]}..."

"""This module lists and describes the keys of a recipe and finds the one probably meant."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from eactf.errors import UsageError
from eactf.only import Only
from eactf.recipe.schema import Recipe
from eactf.recipe.sections import Section
from eactf.recipe.strict_yaml import KeyPath, dotted, write_scalar
from eactf.recipe.type_text import type_text
from eactf.suggestions import meant, nearest

__all__ = ["Key", "all_keys", "describe_keys", "expected", "nearest_key", "sections_at"]

SYNONYMS = {
    "lr": "optimizer.learning_rate",
    "lambda": "method.consistency_weight",
    "weight_decay": "optimizer.coupled_weight_decay",
    "wd": "optimizer.coupled_weight_decay",
    "arch": "model.backbone",
    "dataset": "data.source",
    "amp": "train.precision",
    "gpus": "train.devices",
    "ratio": "noise.rate",
}
"""What other tools call some keys; too far from ours in spelling for a likeness to find them."""


class Key(NamedTuple):
    """A row of `eactf recipes show NAME --keys`: all text, ready to print."""

    key: str
    type: str
    default: str
    help: str


class _Entry(NamedTuple):
    path: KeyPath
    field: FieldInfo
    owner: type[Section]


def describe_keys(prefix: str = "") -> list[Key]:
    """Every key under a dotted prefix with its type and range, default and meaning.

    A key that serves only some choices says so at the end of its help. Raises `UsageError` for a
    prefix that no key has.

    >>> describe_keys("schedule.gamma")[0][:3]
    ('schedule.gamma', '0 < float <= 1', '0.9')
    """
    wanted = tuple(prefix.split(".")) if prefix else ()
    found = [entry for entry in _entries() if entry.path[: len(wanted)] == wanted]
    if not found:
        near = nearest_key(wanted)
        hint = meant(dotted(near)) if near else f"sections: {', '.join(_sections())}"
        raise UsageError(f"no recipe key starts with '{prefix}'", hint=hint)
    return _rows(found)


def all_keys() -> list[KeyPath]:
    """The path of every key, in the order of the schema; keys of several methods once."""
    return list(dict.fromkeys(entry.path for entry in _entries()))


def expected(path: KeyPath, *, method: str = "", name: str = "") -> str:
    """What a key accepts, such as `0 <= float < 1`; with `name` that stands for the type.

    Where methods share a key, `method` tells whose is meant. Empty for an unknown key.
    """
    entries = [entry for entry in _entries() if entry.path == path]
    if path == ("method", "name"):
        return " | ".join(_method_names())
    mine = [entry for entry in entries if _method_of(entry) in (method, "")]
    for entry in mine or entries:
        return type_text(entry.field, name)
    return ""


def sections_at(path: KeyPath) -> list[type[Section]]:
    """The classes that may stand at a path: one for a section, one a method for `method`."""
    found: list[type[Section]] = [Recipe]
    for part in path:
        fields = [owner.model_fields[part] for owner in found if part in owner.model_fields]
        inner = [section for field in fields for section in _models(field.annotation)]
        found = list(dict.fromkeys(inner))
    return found


def nearest_key(path: KeyPath) -> KeyPath | None:
    """The key that an unknown one was probably meant to be, None if none is near.

    Looked for among its neighbours first, then by its last word everywhere, then by the whole.
    """
    keys = all_keys()
    last, neighbours = path[-1], {key[-1]: key for key in keys if key[:-1] == path[:-1]}
    sections = {key[:depth] for key in keys for depth in range(1, len(key))}
    neighbours |= {key[-1]: key for key in sections if key[:-1] == path[:-1]}
    for match in nearest(last, neighbours, alike=0.7):
        return neighbours[match]
    if last.lower() in SYNONYMS:
        return tuple(SYNONYMS[last.lower()].split("."))
    names = nearest(last, dict.fromkeys(key[-1] for key in keys), alike=0.85)
    alike = [dotted(key) for key in keys if key[-1] in names]
    for match in nearest(dotted(path), alike, alike=0.0):
        return tuple(match.split("."))
    texts = {dotted(key): key for key in keys}
    for match in nearest(dotted(path), texts, alike=0.75):
        return texts[match]
    for match in nearest(last, neighbours, alike=0.6):
        return neighbours[match]
    return None


def _entries(path: KeyPath = (), owners: tuple[type[Section], ...] = (Recipe,)) -> Iterator[_Entry]:
    for owner in owners:
        for name, field in owner.model_fields.items():
            models = tuple(_models(field.annotation))
            if models:
                yield from _entries((*path, name), models)
            else:
                yield _Entry((*path, name), field, owner)


def _models(annotation: Any) -> list[type[Section]]:
    """The section classes in an annotation: none for a value, several for a choice of methods."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    if get_origin(annotation) in (Annotated, Union, types.UnionType):
        return [model for part in get_args(annotation) for model in _models(part)]
    return []


def _rows(entries: list[_Entry]) -> list[Key]:
    """Rows for entries; a key that several methods have alike is one row."""
    rows: dict[KeyPath, Key] = {}
    for entry in entries:
        if entry.path == ("method", "name"):
            chosen = write_scalar(Recipe().method.name)
            kind, meaning = " | ".join(_method_names()), "the training method"
            rows[entry.path] = Key("method.name", kind, chosen, meaning)
            continue
        text = entry.field.description or ""
        default = write_scalar(entry.field.get_default(call_default_factory=True))
        row = Key(dotted(entry.path), type_text(entry.field), default, text + _serves(entry))
        rows.setdefault(entry.path, row)
    return list(rows.values())


def _serves(entry: _Entry) -> str:
    """When a key has a meaning, as a remark behind its help."""
    only = Only.among(entry.field.metadata)
    if only:
        return f" ({only.key}: {' or '.join(only.choices)})"
    methods = {_method_of(other) for other in _entries() if other.path == entry.path}
    some = methods != {""} and len(methods) < len(_method_names())
    return f" (name: {' or '.join(sorted(methods))})" if some else ""


def _method_of(entry: _Entry) -> str:
    """The method whose key this is; empty for keys outside methods and in sections they share."""
    name = entry.owner.model_fields.get("name")
    is_method = entry.path[0] == "method" and len(entry.path) == 2 and name is not None
    return str(name.default) if is_method and name else ""


def _method_names() -> list[str]:
    return [str(model.model_fields["name"].default) for model in sections_at(("method",))]


def _sections() -> list[str]:
    return list(dict.fromkeys(key[0] for key in all_keys()))

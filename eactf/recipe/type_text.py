"""This module says in words what a key accepts, such as `0 <= float < 1 or null`."""

from __future__ import annotations

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from eactf.recipe.sections import Expected
from eactf.recipe.strict_yaml import write_scalar

__all__ = ["base_type", "bounds", "choices", "type_text"]


def type_text(field: FieldInfo, name: str = "") -> str:
    """The type of a field with its bounds; `name`, where given, stands in place of the type.

    >>> from eactf.recipe.schema import NoiseSettings
    >>> type_text(NoiseSettings.model_fields["rate"], "rate")
    '0 <= rate < 1'
    """
    annotation, optional = _without_none(field.annotation)
    named = [write_scalar(choice) for choice in choices(field)]
    if named:
        return " | ".join([*named, "null"] if optional else named)
    stated = next((mark.text for mark in field.metadata if isinstance(mark, Expected)), None)
    type_name = _type_name(annotation)
    text = stated or _bounded(name if bounds(field) and name else type_name, field)
    return f"{text} or null" if optional else text


def choices(field: FieldInfo) -> tuple[Any, ...]:
    """The values of a closed choice, true and false included; empty for an open one."""
    annotation = _unwrapped(_without_none(field.annotation)[0])
    if annotation is bool:
        return (True, False)
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def base_type(field: FieldInfo) -> type | None:
    """`int`, `float`, `bool` or `str` where the field is of that type, else None."""
    annotation = _unwrapped(_without_none(field.annotation)[0])
    return annotation if annotation in (int, float, bool, str) else None


def bounds(field: FieldInfo) -> list[Ge | Gt | Le | Lt]:
    """The bounds of a number, lower ones first; those inside its type included."""
    annotation, _ = _without_none(field.annotation)
    inner = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    marks = [*field.metadata, *inner]
    flat = [part for mark in marks for part in (getattr(mark, "metadata", None) or [mark])]
    lower = [mark for mark in flat if isinstance(mark, Ge | Gt)]
    return [*lower, *(mark for mark in flat if isinstance(mark, Le | Lt))]


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """The annotation without `| None`, and whether it had it."""
    if get_origin(annotation) not in (Union, types.UnionType):
        return annotation, False
    others = [part for part in get_args(annotation) if part is not type(None)]
    return others[0], len(others) < len(get_args(annotation))


def _unwrapped(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _type_name(annotation: Any) -> str:
    names = {int: "int", float: "float", str: "text"}
    return names.get(_unwrapped(annotation), "list")


def _bounded(name: str, field: FieldInfo) -> str:
    """`name` between its bounds, written as in mathematics."""
    limits = [_sign_and_number(mark) for mark in bounds(field)]
    if len(limits) == 2:
        (low_sign, low), (high_sign, high) = limits
        return f"{low} {low_sign.replace('>', '<')} {name} {high_sign} {high}"
    return " ".join([name, *(f"{sign} {number}" for sign, number in limits)])


def _sign_and_number(mark: Any) -> tuple[str, str]:
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    attribute = next(name for name in signs if hasattr(mark, name))
    return signs[attribute], f"{getattr(mark, attribute):.15g}"

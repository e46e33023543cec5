"""This module reads what a method's constructor takes from its source, without TensorFlow.

A constructor's arguments are annotated with what they accept, and the docstring of its class has a
bullet for each: together they are a setting of the recipe, its range, its default and its help.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Annotated, Any, Literal, NamedTuple

from annotated_types import Ge, Gt, Le, Lt

from eactf.only import Anew, Only

__all__ = ["Argument", "Constructor", "read_constructor"]


class Argument(NamedTuple):
    """An argument with a default: what it accepts, and its bullet's first sentence."""

    name: str
    annotation: Any
    default: Any
    help: str


class Constructor(NamedTuple):
    """What a class says of itself: a sentence, all that it takes, those that are plain values.

    `defaults` are those of keyword arguments, as they stand in the source.
    """

    summary: str
    takes: tuple[str, ...]
    arguments: tuple[Argument, ...]
    defaults: Mapping[str, str]


_KNOWN: dict[str, Any] = {
    "Annotated": Annotated,
    "Literal": Literal,
    **{kind.__name__: kind for kind in (Ge, Gt, Le, Lt, Anew, Only, float, int, str, bool)},
}
"""What an annotation may be made of; an argument of another kind is no setting."""


def read_constructor(name: str, class_name: str) -> Constructor:
    """The constructor of `class_name` in `eactf/methods/<name>.py`.

    `takes` names all arguments; `arguments` are those with a default that are plain values, unlike
    `erasing`. The help of one that the docstring has no bullet for is empty.
    """
    tree = ast.parse(files("eactf.methods").joinpath(f"{name}.py").read_text(encoding="utf-8"))
    found = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == class_name)
    start = next(n for n in found.body if isinstance(n, ast.FunctionDef) and n.name == "__init__")
    doc = ast.get_docstring(found) or ""
    takes = tuple(argument.arg for argument in (*start.args.args, *start.args.kwonlyargs))
    pairs = zip(start.args.kwonlyargs, start.args.kw_defaults, strict=True)
    defaults = {a.arg: ast.unparse(default) for a, default in pairs if default is not None}
    return Constructor(doc.partition("\n")[0], takes, tuple(_arguments(start, doc)), defaults)


def _arguments(start: ast.FunctionDef, doc: str) -> Iterator[Argument]:
    given = start.args
    positional = given.args[len(given.args) - len(given.defaults) :]
    pairs = [*zip(positional, given.defaults, strict=True)]
    pairs += [(a, d) for a, d in zip(given.kwonlyargs, given.kw_defaults, strict=True) if d]
    for argument, default in pairs:
        if argument.annotation is not None and _is_known(argument.annotation):
            kind = eval(ast.unparse(argument.annotation), {"__builtins__": {}}, _KNOWN)
            text = _bullet(doc, argument.arg)
            yield Argument(argument.arg, kind, ast.literal_eval(default), text)


def _is_known(annotation: ast.expr) -> bool:
    names = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    return names <= set(_KNOWN)


def _bullet(doc: str, name: str) -> str:
    """The first sentence of the bullet that begins with the argument's name."""
    match = re.search(rf"^- `{name}`: (.*?)(?=^- |^$|\Z)", doc, re.MULTILINE | re.DOTALL)
    if match is None:
        return ""
    text = " ".join(match[1].split())
    sentence = re.split(r"\.(?=$|\s[^\da-z])", text, maxsplit=1)[0]  # not at "eq. 4"
    return sentence.replace("`", "")

"""This module lists, reads and copies the recipes that come with the package."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from eactf.errors import UsageError
from eactf.foreign import reason_of
from eactf.suggestions import command_line, did_you_mean

__all__ = [
    "copy_recipe",
    "find_shipped",
    "list_recipes",
    "read_header",
    "read_recipe_text",
    "shipped_tables",
]

HEADER_KEYS = ("run", "takes", "expect", "cite")

_HEADER = re.compile(r"#\s?(run|takes|expect|cite):\s*(.*)")
_SUFFIX = ".yaml"


def list_recipes() -> list[tuple[str, dict[str, str]]]:
    """Name and header of every shipped recipe: the quickstart first, the others by name.

    A header has the keys `about` (the first lines), `run`, `takes`, `expect` and `cite`; empty
    where a recipe does not say.
    """
    names = sorted(_shipped(), key=lambda name: (name != "quickstart", name))
    return [(name, read_header(read_recipe_text(name))) for name in names]


def read_recipe_text(name: str) -> str:
    """The file of a shipped recipe as it stands, comments included; `UsageError` if unknown."""
    return find_shipped(name).read_text(encoding="utf-8")


def copy_recipe(name: str, destination: str | Path | None = None) -> Path:
    """Copy a shipped recipe to a file or into a folder (by default this one); returns the file.

    Raises `UsageError` for an unknown name and where the file exists: nothing is overwritten.
    """
    text = read_recipe_text(name)
    target = Path(destination) if destination is not None else Path()
    if target.is_dir():
        target /= f"{name}{_SUFFIX}"
    try:
        with target.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        again = command_line("eactf", "recipes", "copy", name, f"my-{name}{_SUFFIX}")
        hint = f"give another name: {again}"
        raise UsageError(f"{target} exists and is not overwritten", hint=hint) from None
    except OSError as fault:
        reason = fault.strerror or reason_of(fault)
        raise UsageError(f"cannot write {target}: {reason.lower()}") from None
    return target


def find_shipped(name: str) -> Traversable:
    """The file of a shipped recipe; `UsageError` with the nearest names if there is none."""
    known = _shipped()
    if name in known:
        return known[name]
    hint = f"{did_you_mean(name, known, most=3)} list them: eactf recipes list".lstrip()
    if "/" in name or "\\" in name:
        hint = f"a recipe file ends in {_SUFFIX} or .yml; the shipped ones: eactf recipes list"
    raise UsageError(f"there is no recipe '{name}'", hint=hint)


def read_header(text: str) -> dict[str, str]:
    """The comments above the first key, by topic; the lines of a topic are joined.

    `about` is the first paragraph; further paragraphs are for the reader of the file.

    >>> read_header("# Faces.\\n#\\n# takes: a day\\n#   or two\\nseed: 0\\n")["takes"]
    'a day or two'
    """
    header = dict.fromkeys(("about", *HEADER_KEYS), "")
    topic = "about"
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        match = _HEADER.match(line)
        words = match[2] if match else line.lstrip("#").strip()
        topic = match[1] if match else topic if words else ""
        if topic:
            header[topic] = f"{header[topic]} {words}".strip()
    return header


def shipped_tables() -> dict[str, str]:
    """Name and text of every shipped table of a paper (`recipes/tables`), by name."""
    tables = _yaml_files(lambda folder: folder / "tables")
    return {name: tables[name].read_text(encoding="utf-8") for name in sorted(tables)}


def _shipped() -> dict[str, Traversable]:
    """The shipped recipes by name: those in the package, or in a source checkout beside it."""
    return _yaml_files(lambda folder: folder)


def _yaml_files(within: Callable[[Traversable], Traversable]) -> dict[str, Traversable]:
    """The YAML files by name in the first of `_folders` that has any there."""
    found: dict[str, Traversable] = {}
    for place in map(within, _folders()):
        if place.is_dir():
            files = [file for file in place.iterdir() if file.name.endswith(_SUFFIX)]
            found = {file.name.removesuffix(_SUFFIX): file for file in files}
        if found:
            break
    return found


def _folders() -> list[Traversable]:
    """Where recipes may lie, in the order of looking.

    A wheel carries them as `eactf._recipes`. In a checkout, and in an editable install that maps
    only `eactf`, they are the folder `recipes` beside the package.
    """
    checkout: Traversable = Path(__file__).resolve().parents[2] / "recipes"
    try:
        return [resources.files("eactf._recipes"), checkout]
    except ModuleNotFoundError:
        return [checkout]

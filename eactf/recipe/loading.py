"""`load_recipe` reads a recipe by name or file, with the user's changes, and checks all of it."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from eactf.errors import Problem, RecipeError, UsageError
from eactf.foreign import reason_of
from eactf.recipe.layers import Layers
from eactf.recipe.overrides import put_overrides
from eactf.recipe.problems import find_problems
from eactf.recipe.resolved import DEFAULT, ResolvedRecipe, leaf_values, settled_by_preset
from eactf.recipe.schema import Recipe
from eactf.recipe.shipped import list_recipes, read_header, read_recipe_text
from eactf.recipe.strict_yaml import MAX_BYTES, Document, dotted, parse
from eactf.suggestions import command_line

__all__ = ["load_recipe"]

NOTHING: Mapping[str, tuple[object, str]] = MappingProxyType({})

SUFFIXES = (".yaml", ".yml")


def load_recipe(
    name_or_path: str,
    overrides: Sequence[str] = (),
    extra: Mapping[str, tuple[object, str]] = NOTHING,
    planned: Mapping[str, tuple[object, str]] = NOTHING,
) -> ResolvedRecipe:
    """Load a shipped recipe by name, or a file that ends in .yaml or .yml.

    `overrides` are `a.b=c` texts as given to --set, the value read as YAML 1.2; `extra` are typed
    values with the label to name them by: `{"data.path": ("faces.h5", "--data")}`; `planned` are
    such values in place of the file's; a section of which they set a key is theirs alone. Later
    ones win.
    A data path set so makes `data.source` packed. A choice set so (`method.name`, `noise.kind`,
    ...) drops the keys of the file that serve only the choice it replaces.

    Raises `RecipeError` with every problem at once, and `UsageError` where there is no such
    recipe or its file cannot be read.

    >>> load_recipe("quickstart", ["train.epochs=3"]).sources["train.epochs"]
    '--set, 1st'
    """
    name, where, text = _read(name_or_path)
    document = parse(text, where)
    layers = _file_layer(document, where)
    _put_planned(layers, planned)
    problems = [*document.problems, *put_overrides(layers, overrides, extra)]
    layers.settle()
    recipe = None
    try:
        recipe = Recipe.model_validate(layers.tree())
    except ValidationError as failure:
        problems += find_problems(failure, layers)
    if problems or recipe is None:
        problems = _in_order(problems, where)
        raise RecipeError(name, problems, hint=_hint(name_or_path, problems))
    return ResolvedRecipe(
        name=name,
        path=where,
        recipe=recipe,
        sources=_sources(recipe, layers),
        header=read_header(text),
        dropped=tuple(dotted(path) for path in layers.dropped),
        shipped=not name_or_path.endswith(SUFFIXES),
    )


def _read(name_or_path: str) -> tuple[str, str, str]:
    """Name, place as messages show it, and text of a recipe."""
    if not name_or_path.endswith(SUFFIXES):
        text = read_recipe_text(name_or_path)
        return name_or_path, f"recipes/{name_or_path}.yaml", text
    path = Path(name_or_path)
    return path.stem, _shown(path), _read_file(path)


def _read_file(path: Path) -> str:
    """The text of a recipe file; refused unless it is a regular file of text of sane size."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UsageError(f"recipe {path} is not a file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}", hint=_shipped_hint(path)) from None
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "strerror", None) or reason_of(fault)
        raise UsageError(f"cannot read recipe {path}: {reason.lower()}") from None
    if len(content) > MAX_BYTES:
        raise UsageError(f"recipe {path} is larger than {MAX_BYTES // 1_000_000} MB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        hint = "save it as UTF-8"
        raise UsageError(f"recipe {path}, line {line}, is not UTF-8 text", hint=hint) from None


def _shipped_hint(path: Path) -> str:
    if path.stem in [name for name, _ in list_recipes()]:
        return f"the shipped recipe is named without ending: --recipe {path.stem}"
    return "the shipped recipes: eactf recipes list"


def _shown(path: Path) -> str:
    """The path relative to the working folder where it lies in it, else as given."""
    try:
        return path.resolve().relative_to(Path.cwd().resolve()).as_posix()
    except (ValueError, OSError):
        return str(path)


def _file_layer(document: Document, where: str) -> Layers:
    """The settings of the file, each with its line; a file that is no mapping is a problem."""
    layers = Layers()
    for path, line in document.lines.items():
        layers.places[path] = f"{where}, line {line}"
    if isinstance(document.value, dict):
        for key, value in document.value.items():
            _put(layers, (key,), value)
    elif not document.problems:
        what = "is empty" if document.value is None else "is not a mapping"
        advice = "expected keys with values, such as 'seed: 0'; start from: eactf recipes copy"
        document.problems.append(Problem("the file", what, where, advice))
    return layers


def _put(layers: Layers, path: tuple[str, ...], value: object) -> None:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            _put(layers, (*path, key), inner)
        return
    layers.put(path, value, layers.places[path], override=False)


def _put_planned(layers: Layers, planned: Mapping[str, tuple[object, str]]) -> None:
    """Put planned values in the file's place; what they leave out of a section is default."""
    paths = {tuple(key.split(".")): value for key, value in planned.items()}
    for section in {path[0] for path in paths}:
        for path in [path for path in layers.settings if path[0] == section]:
            del layers.settings[path]
    for path, (value, label) in paths.items():
        layers.put(path, value, label, override=False)


def _sources(recipe: Recipe, layers: Layers) -> dict[str, str]:
    """Where every value of a valid recipe came from."""
    settled = settled_by_preset(recipe)
    sources = {}
    for path, _ in leaf_values(recipe):
        if any(other[: len(path)] == path for other in layers.settings):
            sources[dotted(path)] = layers.where(path)
        else:
            sources[dotted(path)] = "noise.preset" if path in settled else DEFAULT
    return sources


def _in_order(problems: list[Problem], where: str) -> list[Problem]:
    """Problems by the line they are on, then those of the command line in their order."""

    def place(problem: Problem) -> tuple[bool, int]:
        number = re.search(r", (?:line )?(\d+)(?:st|nd|rd|th)?$", problem.where)
        return (not problem.where.startswith(where), int(number[1]) if number else 0)

    return sorted(problems, key=place)


def _hint(name: str, problems: list[Problem]) -> str:
    """The command that lists the keys around the first problem."""
    sections = (problem.key.split(" ")[0].split(".")[0] for problem in problems)
    section = next((part for part in sections if part in Recipe.model_fields), "")
    # The keys are the same for every recipe, and `show` knows the shipped ones.
    name = name if name in dict(list_recipes()) else "quickstart"
    listing = command_line("eactf", "recipes", "show", name, "--keys")
    return f"list the keys:  {listing} {section}".rstrip()

"""What a run writes down of itself at its start, so that it can be taken up from its folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eactf import __version__
from eactf.errors import UsageError
from eactf.training.folder import RunFolder

if TYPE_CHECKING:
    from eactf.recipe import Recipe, ResolvedRecipe

__all__ = [
    "FORM",
    "FREE_KEYS",
    "PATHS",
    "as_started",
    "located",
    "plain_values",
    "recipe_of_run",
    "write_run_file",
]

FORM = 1
"""The form of a run's folder; raised when it can no longer be taken up as an older one was."""

FREE_KEYS = ("train.epochs", "train.devices", "train.checkpoint_minutes", "train.stop_after")
"""What may be changed of a run that is taken up: nothing that its steps depend on."""

PATHS = ("data.path", "noise.path", "model.weights")
"""Keys that name files; a relative one is meant from where the run was started."""


def write_run_file(
    folder: RunFolder, resolved: ResolvedRecipe, *, started_in: str | None = None
) -> None:
    """Write `run.json`: version, the recipe's values, where it was started (None: here)."""
    folder.write_json(
        "run.json",
        {
            "form": FORM,
            "eactf": __version__,
            "name": resolved.name,
            "started_in": os.getcwd() if started_in is None else started_in,
            "looked_through": resolved.looked_through,
            "recipe": plain_values(resolved.recipe),
        },
    )


def plain_values(recipe: Recipe) -> dict[str, Any]:
    """Every key of a recipe with its value, as JSON holds it."""
    from eactf.recipe import leaf_values  # `eactf runs`, which has no recipe, answers at once

    return {".".join(path): _plain(value) for path, value in leaf_values(recipe)}


def as_started(values: Mapping[str, Any], started_in: str) -> dict[str, str]:
    """For each file that a recipe names by a relative path, where it lay when the run began."""
    named = {key: values.get(key) for key in PATHS}
    return {
        key: str(Path(started_in) / path)
        for key, path in named.items()
        if path is not None and not Path(path).is_absolute()
    }


def located(resolved: ResolvedRecipe, about: Mapping[str, Any]) -> ResolvedRecipe:
    """The recipe with its files where they lay at the start, seen from here.

    `about` is what the run's `run.json` holds.
    """
    recipe = resolved.recipe
    for key, path in as_started(plain_values(recipe), about["started_in"]).items():
        section, name = key.split(".")
        changed = getattr(recipe, section).model_copy(update={name: path})
        recipe = recipe.model_copy(update={section: changed})
    return replace(resolved, recipe=recipe)


def recipe_of_run(folder: Path) -> ResolvedRecipe:
    """The recipe of the run in `folder`, its files where they lay when the run began.

    Raises `UsageError` where an older version wrote the folder, which does not say where that was.
    """
    from eactf.recipe import load_recipe

    about = RunFolder(folder).read_json("run.json")
    if "started_in" not in about:
        raise UsageError(
            f"{folder} is of an older version of eactf and says nothing of where its data lay",
            hint="audit the data itself: eactf audit DATA",
        )
    return located(load_recipe(str(folder / "recipe.yaml")), about)


def _plain(value: object) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value

"""This module reads finished runs and makes them the rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eactf import console
from eactf.errors import UsageError
from eactf.recipe import Recipe
from eactf.report.cells import network_of, read_run, run_recipe
from eactf.report.rows import Runs
from eactf.training.run_list import is_run

__all__ = ["finished_rows", "is_run"]


def finished_rows(folders: Sequence[Path], *, optimistic: bool = False) -> list[Runs]:
    """The runs in `folders`; those that differ in the seed alone are one row.

    Raises `DataError` for a run that was not finished, and `UsageError` where the same seed of the
    same recipe is there twice: it would be counted as two.
    """
    groups: dict[Recipe, dict[int, Path]] = {}
    for folder in folders:
        recipe = run_recipe(folder)
        group = groups.setdefault(recipe.model_copy(update={"seed": 0}), {})
        if recipe.seed in group:
            raise UsageError(
                f"{group[recipe.seed]} and {folder} are one recipe with one seed",
                hint="leave one out; another run of it: --set seed=1",
            )
        group[recipe.seed] = folder
    if len({recipe.data for recipe in groups}) > 1:
        console.warn("these runs are of different data: their figures are not to be compared")
    return [_row(recipe, [*group.values()], optimistic) for recipe, group in groups.items()]


def _row(recipe: Recipe, folders: Sequence[Path], optimistic: bool) -> Runs:
    results = [read_run(folder) for folder in folders]
    if optimistic and not all(result.get("best_on_test") for result in results):
        console.warn(f"{folders[0]} was not run with report.best_on_test: it has no such figure")
    name = f"{folders[0].name}, {results[0]['method']}"
    return Runs(name, results, network=network_of(recipe))

"""Keeping the wrong labels that a shipped recipe plants away from the user's own data.

Shipped recipes plant noise in published data to measure methods by. Somebody who tries one on data
of their own wants a classifier, and would lose a third of their labels for one word on the screen.
"""

from __future__ import annotations

from pathlib import Path

from eactf.data.opened import holds_images
from eactf.errors import UsageError
from eactf.intake.readers.catalogue import published_name
from eactf.packed import open_packed
from eactf.recipe import ResolvedRecipe

__all__ = ["refuse_planted_noise"]

_PLANTED = ("symmetric", "pair", "matrix", "machine")


def refuse_planted_noise(resolved: ResolvedRecipe) -> None:
    """Raise `UsageError` where a shipped recipe would make labels of the user's own data wrong.

    Not so for a published data set packed by its name, for a recipe file of the user's, and where
    `--set noise...` says that it is meant.
    """
    recipe = resolved.recipe
    noise, path = recipe.noise, recipe.data.path
    if noise.kind not in _PLANTED or not resolved.shipped or path is None:
        return
    if any(
        key.startswith("noise.") and where.startswith("--set")
        for key, where in resolved.sources.items()
    ):
        return
    if _is_published(Path(path)):
        return
    share = f"{noise.rate:.0%}" if noise.kind in ("symmetric", "pair") else "some"
    raise UsageError(
        f"the recipe {resolved.name} makes {share} of the training labels wrong on purpose, to"
        f" measure methods by; {path} is data of your own",
        hint="to train on the labels as they are: --set noise.kind=none, or leave --recipe out\n"
        f"  to plant wrong labels all the same: --set noise.kind={noise.kind}",
    )


def _is_published(path: Path) -> bool:
    if not path.exists():  # which is told where it is opened
        return True
    return not holds_images(path) and published_name(open_packed(path)) is not None

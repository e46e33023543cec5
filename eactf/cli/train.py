"""`eactf train` trains a recipe, or tries it out without writing anything."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eactf.cli.options import FILE_PATH, json_option
from eactf.errors import UsageError

if TYPE_CHECKING:
    from eactf.recipe import ResolvedRecipe

__all__ = ["train"]


@click.command()
@click.option(
    "--recipe", help="A shipped recipe by name, or a .yaml file; else planned from the data."
)
@click.option("--data", type=FILE_PATH, help="A packed file (.h5), or images to pack for the run.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a key; repeatable."
)
@click.option("--run-dir", type=FILE_PATH, help="A new folder for the run; else runs/NAME.")
@click.option("--dry-run", is_flag=True, help="Try recipe and data for a few steps; write nothing.")
@click.option(
    "--resume", metavar="RUN", help="Go on with a run that stopped: its folder, or name in runs/."
)
@click.option("--stop-after", metavar="TIME", help="End in time, saved: 55m, 1h30m.")
@json_option
def train(
    recipe: str | None,
    data: Path | None,
    overrides: tuple[str, ...],
    run_dir: Path | None,
    dry_run: bool,
    resume: str | None,
    stop_after: str | None,
) -> None:
    """Train a recipe, or on data of your own what the wizard would choose for it by default.

    \b
    eactf train --data my_faces
    eactf train --recipe quickstart
    eactf train --recipe ferplus-noise20 --data ferplus.h5 --set train.epochs=20
    eactf train --recipe my-data.yaml --data faces/
    eactf train --resume runs/quickstart
    """
    if stop_after is not None:
        overrides = (*overrides, f"train.stop_after={stop_after}")
    if resume is not None:
        _refuse_beside_resume(recipe=recipe, data=data, run_dir=run_dir, dry_run=dry_run)
        _start()
        from eactf.training.resuming import resume as take_up

        take_up(resume, overrides=overrides)
        return
    resolved = _resolve(recipe, data, overrides)
    _start()
    if dry_run:
        from eactf.training.dry_run import dry_run as rehearse

        rehearse(resolved)
        return
    from eactf.training.run import train as run

    run(resolved, run_dir=run_dir, command=["eactf", *sys.argv[1:]])


def _start() -> None:
    """Start TensorFlow; on several machines the workers meet before it looks at its devices."""
    from eactf.cluster import is_in_cluster
    from eactf.quiet import start_tensorflow

    start_tensorflow(find_devices=not is_in_cluster(os.environ))


def _refuse_beside_resume(**given: object) -> None:
    """A run that is taken up has all that in its folder."""
    needless = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    if needless:
        raise UsageError(
            f"--resume takes recipe, data and folder from the run: {', '.join(needless)} has no"
            " place beside it",
            hint="--set may change train.epochs (upwards), train.devices, train.stop_after and "
            "train.checkpoint_minutes",
        )


def _resolve(recipe: str | None, data: Path | None, overrides: tuple[str, ...]) -> ResolvedRecipe:
    from eactf.data.opened import data_settings  # NumPy only where needed
    from eactf.data.planted import refuse_planted_noise
    from eactf.recipe import load_recipe

    if recipe is not None:
        resolved = load_recipe(recipe, overrides, data_settings(data))
    elif data is not None:
        from eactf.wizard.own_data import plan_for_own_data

        resolved = plan_for_own_data(data, overrides)
    else:
        raise UsageError(
            "neither a recipe nor data is named",
            hint="train on data of your own: --data FOLDER; or a recipe: --recipe quickstart\n"
            "  the recipes: eactf recipes list",
        )
    refuse_planted_noise(resolved)
    return resolved

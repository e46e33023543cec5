"""`eactf train` trains a recipe, or tries it out without writing anything."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from eactf.cli.options import FILE_PATH, json_option

__all__ = ["train"]


@click.command()
@click.option("--recipe", required=True, help="A shipped recipe by name, or a .yaml file.")
@click.option("--data", type=FILE_PATH, help="A packed file (.h5), or images to pack for the run.")
@click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Change a key; repeatable."
)
@click.option("--run-dir", type=FILE_PATH, help="A new folder for the run; else runs/NAME.")
@click.option("--dry-run", is_flag=True, help="Try recipe and data for a few steps; write nothing.")
@json_option
def train(
    recipe: str,
    data: Path | None,
    overrides: tuple[str, ...],
    run_dir: Path | None,
    dry_run: bool,
) -> None:
    """Train a recipe.

    \b
    eactf train --recipe quickstart
    eactf train --recipe ferplus-noise20 --data ferplus.h5 --set train.epochs=20
    eactf train --recipe my-data.yaml --data faces/
    """
    from eactf.data.opened import data_settings
    from eactf.recipe import load_recipe

    resolved = load_recipe(recipe, overrides, data_settings(data))

    from eactf.quiet import start_tensorflow

    start_tensorflow()
    if dry_run:
        from eactf.training.dry_run import dry_run as rehearse

        rehearse(resolved)
        return
    from eactf.training.run import train as run

    run(resolved, run_dir=run_dir, command=["eactf", *sys.argv[1:]])

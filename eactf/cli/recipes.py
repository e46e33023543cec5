"""`eactf recipes` lists the recipes, shows what they say and copies one to change."""

from __future__ import annotations

from pathlib import Path

import click

from eactf import console
from eactf.cli.options import FILE_PATH, json_option
from eactf.suggestions import command_line

__all__ = ["recipes"]


@click.group()
def recipes() -> None:
    """List, show and copy recipes."""


@recipes.command("list")
@json_option
def list_command() -> None:
    """List the shipped recipes."""
    from eactf.recipe import list_recipes

    found = list_recipes()
    for name, header in found:
        console.emit("recipe", name=name, **header)
    console.table(
        ["recipe", "about", "takes"],
        [[name, header.get("about", ""), header.get("takes", "")] for name, header in found],
    )
    console.say("\nread one: eactf recipes show NAME     change one: eactf recipes copy NAME")


@recipes.command()
@click.argument("name")
@click.option(
    "--keys",
    "prefix",
    is_flag=False,
    flag_value="",
    metavar="[PREFIX]",
    help="List the keys a recipe may have, those under PREFIX.",
)
@json_option
def show(name: str, prefix: str | None) -> None:
    """Show a recipe's text, or the keys a recipe may have."""
    from eactf.recipe import describe_keys, read_recipe_text

    text = read_recipe_text(name)
    if prefix is None:
        console.emit("recipe", name=name, text=text)
        console.say(text.rstrip(), markup=False)
        return
    keys = describe_keys(prefix)
    for key in keys:
        console.emit("key", **key._asdict())
    console.table(["key", "type", "default", "what it does"], [list(key) for key in keys])


@recipes.command()
@click.argument("name")
@click.argument("destination", type=FILE_PATH, required=False)
@json_option
def copy(name: str, destination: Path | None) -> None:
    """Copy a recipe to DESTINATION (by default NAME.yaml here), to change it."""
    from eactf.recipe import copy_recipe

    written = copy_recipe(name, destination)
    console.emit("copied", recipe=name, path=str(written))
    command = command_line("eactf", "train", "--recipe", written)
    console.say(f"wrote {written}; train it with: {command}", markup=False)

"""This module makes the commands that read a published data set of the catalogue by its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eactf.cli.options import FILE_PATH

if TYPE_CHECKING:
    from eactf.intake.readers.card import Card, Option

__all__ = ["published_command"]


def published_command(
    name: str,
    verb: str,
    run: Callable[..., None],
    *,
    options: Callable[[Callable[..., Any]], Callable[..., Any]],
    metavar: str = "[OPTIONS]",
) -> click.Command:
    """`eactf data VERB NAME PATH`, with the options that the data set's card has.

    `run` gets the listing, and by keyword what the decorator `options` adds to the command;
    `metavar` stands for all options in the help.
    """
    from eactf.intake.readers.catalogue import card

    found = card(name)
    keys = {_key(option): option.name for option in found.options}

    def read_and_run(path: Path, **settings: Any) -> None:
        from eactf.intake.readers.catalogue import open_dataset

        chosen = {option: settings.pop(key) for key, option in keys.items()}
        run(open_dataset(name, path, chosen), **settings)

    read_and_run.__doc__ = _help(found, verb)
    command = options(read_and_run)
    for option in reversed(found.options):
        command = _click_option(option)(command)
    command = click.argument("path", type=FILE_PATH, metavar=found.takes)(command)
    return click.command(name, options_metavar=metavar)(command)


def _key(option: Option) -> str:
    return f"card_{option.name.replace('-', '_')}"  # so that none is taken for one of the command's


def _click_option(option: Option) -> Any:
    kind = click.Choice(list(option.choices)) if option.choices else str
    return click.option(
        f"--{option.name}",
        _key(option),
        type=kind,
        default=option.default,
        show_default=bool(option.default),
        help=option.help,
    )


def _help(card: Card, verb: str) -> str:
    quirks = "".join(f"\n\n{quirk}" for quirk in card.quirks)
    layout = "".join(f"\n  {line}" for line in card.layout)
    files, holds = "the files in FOLDER", "FOLDER holds"
    if card.takes == "FILE":
        files, holds = "FILE", "FILE is one of these, or the folder that has it"
    return (
        f"{verb} {card.title} from {files}.\n\nIt takes: {card.needs}. What to download, licence"
        f" and citation: eactf data list {card.name}\n\n\b\n{holds}:{layout}{quirks}"
    )

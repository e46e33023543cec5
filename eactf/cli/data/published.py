"""This module makes one packing command for each published data set of the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eactf.cli.data.packing import output_options, pack_listing
from eactf.cli.options import FILE_PATH

if TYPE_CHECKING:
    from eactf.intake.readers.card import Card, Option

__all__ = ["published_command"]


def published_command(name: str) -> click.Command:
    """`eactf data pack NAME PATH -o FILE`, with the options that the data set's card has."""
    from eactf.intake.readers.catalogue import card

    found = card(name)
    keys = {_key(option): option.name for option in found.options}

    def run(path: Path, **settings: Any) -> None:
        from eactf.intake.readers.catalogue import open_dataset

        chosen = {option: settings.pop(key) for key, option in keys.items()}
        pack_listing(open_dataset(name, path, chosen), **settings)

    run.__doc__ = _help(found)
    command = output_options(run)
    for option in reversed(found.options):
        command = _click_option(option)(command)
    command = click.argument("path", type=FILE_PATH, metavar=found.takes)(command)
    return click.command(name, options_metavar="-o FILE [OPTIONS]")(command)


def _key(option: Option) -> str:
    return f"card_{option.name.replace('-', '_')}"  # so that none is taken for one of packing's


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


def _help(card: Card) -> str:
    quirks = "".join(f"\n\n{quirk}" for quirk in card.quirks)
    layout = "".join(f"\n  {line}" for line in card.layout)
    files, holds = "the files in FOLDER", "FOLDER holds"
    if card.takes == "FILE":
        files, holds = "FILE", "FILE is one of these, or the folder that has it"
    return (
        f"Pack {card.title} from {files}.\n\nIt takes: {card.needs}. What to download, licence and"
        f" citation: eactf data list {card.name}\n\n\b\n{holds}:{layout}{quirks}"
    )

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
    """`eactf data pack NAME FOLDER -o FILE`, with the options that the data set's card has."""
    from eactf.intake.readers.catalogue import card

    found = card(name)
    keys = {_key(option): option.name for option in found.options}

    def run(folder: Path, **settings: Any) -> None:
        from eactf.intake.readers.catalogue import open_dataset

        chosen = {option: settings.pop(key) for key, option in keys.items()}
        pack_listing(open_dataset(name, folder, chosen), published=True, **settings)

    run.__doc__ = _help(found)
    command = output_options(run)
    for option in reversed(found.options):
        command = _click_option(option)(command)
    command = click.argument("folder", type=FILE_PATH)(command)
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
    return (
        f"Pack {card.title} from the files in FOLDER.\n\nIt takes: {card.needs}. What to download,"
        f" licence and citation: eactf data list {card.name}\n\n\b\nFOLDER holds:{layout}{quirks}"
    )

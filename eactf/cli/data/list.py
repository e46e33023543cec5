"""`eactf data list` names the published data sets that can be packed by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from eactf import console
from eactf.cli.options import json_option
from eactf.suggestions import command_line

if TYPE_CHECKING:
    from eactf.intake.readers.card import Card, Option

__all__ = ["list_"]


@click.command("list")
@click.argument("name", required=False)
@json_option
def list_(name: str | None) -> None:
    """List the published data sets that can be packed by name, or show one in full.

    \b
    eactf data list
    eactf data list raf-db
    """
    from eactf.intake.readers import catalogue  # NumPy and Pillow only where needed

    cards = catalogue.all_cards() if name is None else (catalogue.card(name),)
    for card in cards:
        console.emit("dataset", **card.as_dict())
    if name is None:
        _show_all(cards)
    else:
        _show(cards[0])


def _show_all(cards: tuple[Card, ...]) -> None:
    console.table(
        ["name", "images", "classes", "licence", "needs"],
        [
            [
                card.name,
                " + ".join(f"{count:,}" for count in card.counts.values()),
                card.class_total,
                card.terms,
                card.needs,
            ]
            for card in cards
        ],
    )
    console.say("\nimages are of training + (validation +) test; nothing is downloaded by eactf")
    console.say("one in full: eactf data list NAME     pack it: eactf data pack NAME --help")


def _show(card: Card) -> None:
    classes = ", ".join(card.classes) or "their names come with the files"
    facts = {
        "images": ", ".join(f"{split} {count:,}" for split, count in card.counts.items()),
        "classes": f"{card.class_total}: {classes}",
        "get it": card.get,
        "files": "\n".join(card.layout),
        "licence": card.licence,
        "to know": "\n".join(f"- {quirk}" for quirk in card.quirks),
        "unverified": "\n".join(card.unverified),
        "cite": card.citation,
        "options": "\n".join(_option(option) for option in card.options),
    }
    console.table([card.name, card.title], [[name, text] for name, text in facts.items() if text])
    command = f"{command_line('eactf', 'data', 'pack', card.name)} {card.takes} -o {card.name}.h5"
    console.say(f"\nnext: {command}", markup=False)


def _option(option: Option) -> str:
    choices = f" ({', '.join(option.choices)})" if option.choices else ""
    default = f" [default: {option.default}]" if option.default else ""
    return f"--{option.name}{choices}{default}: {option.help}"

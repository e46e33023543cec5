"""Commands that read data take a path or, before it, the name of a published data set.

A name has options of its own, which its card lists: `data check` and `data pack` are groups of such
commands (`ByName`). The wizard and `data noise` have none, and take a path alone (`path_argument`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from eactf.cli.options import FILE_PATH
from eactf.errors import UsageError
from eactf.suggestions import command_line, nearest

__all__ = ["ByName", "pack_first", "path_argument"]

_PATH = "PATH"


class ByName(click.Group):
    """A group of the published data sets, whose command for everything else takes a path.

    `own` is that command; `named(name)` makes those of the data sets. `path_form` is how the own
    one is called, for a hint. With `own_first` a name alone is a path, where something is there.
    """

    def __init__(
        self,
        *,
        own: click.Command,
        named: Callable[[str], click.Command],
        path_form: str,
        own_first: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.own = own
        self.named = named
        self.path_form = path_form
        self.own_first = own_first

    def list_commands(self, context: click.Context) -> list[str]:
        from eactf.intake.readers.catalogue import NAMES

        return list(NAMES)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name == _PATH:
            return self.own
        return self.named(name) if name in self.list_commands(context) else None

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        asks_help = bool(args) and args[0] in context.help_option_names
        if args and not asks_help and not self._begins_with_name(context, args):
            self._refuse_unknown_name(context, args)
            args = [_PATH, *args]
        return super().parse_args(context, args)

    def format_help(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        self.own.format_help(click.Context(self.own, context, info_name=_PATH), formatter)
        from eactf.intake.readers.catalogue import all_cards

        with formatter.section(
            f"Published data sets, by {command_line(*_words(context))} NAME ..."
        ):
            formatter.write_dl([(card.name, card.title) for card in all_cards()])

    def _begins_with_name(self, context: click.Context, args: list[str]) -> bool:
        first, *others = args
        if first not in self.list_commands(context):
            return False
        alone = not others or (
            others[0].startswith("-") and others[0] not in context.help_option_names
        )
        return not (self.own_first and alone and (not others or Path(first).exists()))

    def _refuse_unknown_name(self, context: click.Context, args: list[str]) -> None:
        """Say which data set is meant where a word that is no path stands before another one."""
        first, *others = args
        if first.startswith("-") or not others or others[0].startswith("-") or Path(first).exists():
            return
        names = self.list_commands(context)
        plain = {re.sub(r"[^a-z0-9]", "", name): name for name in names}
        word = re.sub(r"[^a-z0-9]", "", first.lower())
        close = nearest(word, plain, alike=0.7)
        told = f"the data sets by name: {', '.join(names)}; anything else: {self.path_form}"
        if close:
            command = command_line(*_words(context), plain[close[0]], *others)
            told = f"meant is: {command}"
        raise UsageError(f"there is no data set {first!r}, and no file or folder", hint=told)


def path_argument(*, required: bool = True, metavar: str = _PATH) -> Callable[[Any], Any]:
    """The argument `path`, a `Path` or None, of a command that takes no data set by its name.

    A name before the path is answered with the command that does; where the file itself tells which
    data set it is, the name is passed over.
    """

    def one_path(
        context: click.Context, parameter: click.Parameter, words: tuple[Path, ...]
    ) -> Path | None:
        if required and not words:
            raise click.UsageError(f"Missing argument '{_PATH}'.")
        return _one_path(context, words)

    return click.argument("path", type=FILE_PATH, nargs=-1, metavar=metavar, callback=one_path)


def _one_path(context: click.Context, words: tuple[Path, ...]) -> Path | None:
    if len(words) < 2:
        return words[0] if words else None
    from eactf.intake.readers.catalogue import NAMES

    name, path = str(words[0]), words[1]
    if name not in NAMES or len(words) > 2:
        extra = " ".join(map(str, words[1:]))
        raise click.UsageError(f"Got unexpected extra argument{'s'[: len(words) - 2]} ({extra})")
    group = context.parent
    if group is not None and isinstance(group.command, ByName):
        command = command_line(*_words(group), name, path)
        raise UsageError(f"{name} stands behind an option", hint=f"put it first: {command} ...")
    return _without_name(name, path, command_line(*_words(context)))


def _words(context: click.Context) -> list[str]:
    """The words of a command, whatever the program is called that runs it."""
    return ["eactf", *context.command_path.split()[1:]]


def _without_name(name: str, path: Path, command: str) -> Path:
    from eactf.intake.readers.fer2013_csv import is_pixel_table

    if not path.exists() or (name == "fer2013" and is_pixel_table(path)):
        return path
    raise UsageError(
        f"{command} takes no data set by its name, and {name} was given",
        hint=pack_first(name, command, path),
    )


def pack_first(name: str, then: str, path: Path | None = None) -> str:
    """The hint to pack a published data set and then call the command `then` with the file."""
    from eactf.intake.readers.catalogue import card

    words = card(name).takes.split() if path is None else [path]
    packed = f"{name}.h5"
    pack = command_line("eactf", "data", "pack", name, *words, "-o", packed)
    return f"pack it once, and go on with that file:\n  {pack}\n  {then} {packed}"

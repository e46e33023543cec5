"""`eactf data pack` turns images or a published data set into one packed file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eactf.cli.data.packing import output_options, pack_listing
from eactf.cli.data.source_options import source_options
from eactf.cli.options import FILE_PATH
from eactf.errors import UsageError
from eactf.suggestions import command_line, nearest

if TYPE_CHECKING:
    from eactf.intake.sources import SourceOptions

__all__ = ["pack"]


@click.command(options_metavar="-o FILE [OPTIONS]")
@click.argument("path", type=FILE_PATH, metavar="")  # the command is called PATH itself
@source_options
@output_options
@click.option(
    "--accept",
    metavar="CODE",
    multiple=True,
    help="Pack in spite of this error, by its name in 'eactf data check'; may be repeated.",
)
def pack_path(path: Path, options: SourceOptions, accept: tuple[str, ...], **output: Any) -> None:
    """Pack the labelled images of PATH into one HDF5 file.

    PATH is a folder (train/<class>/..., or <class>/..., or images with train.csv, test.csv beside
    them), a manifest (.csv, .tsv, .txt), or a file of arrays (.npz, .h5). Your files are
    never changed. What 'eactf data check' calls an error
    stops it.

    \b
    eactf data pack faces/ -o faces.h5
    eactf data pack labels.csv -o faces.h5 --label expression --size 64
    """
    from eactf.intake.sources import open_source  # NumPy and Pillow only where needed

    pack_listing(open_source(path, options), options=options, accept=accept, **output)


class _Pack(click.Group):
    """A group of the published data sets, whose command for everything else is `pack PATH`."""

    def list_commands(self, context: click.Context) -> list[str]:
        from eactf.intake.readers.catalogue import NAMES

        return list(NAMES)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name == _PATH:
            return pack_path
        if name == "ferplus":
            from eactf.cli.data.pack_ferplus import ferplus

            return ferplus
        from eactf.cli.data.published import published_command

        return published_command(name) if name in self.list_commands(context) else None

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        asks_help = bool(args) and args[0] in context.help_option_names
        if args and not asks_help and args[0] not in self.list_commands(context):
            _refuse_unknown_name(args, self.list_commands(context))
            args = [_PATH, *args]
        return super().parse_args(context, args)

    def format_help(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        pack_path.format_help(click.Context(pack_path, context, info_name=_PATH), formatter)
        from eactf.intake.readers.catalogue import all_cards

        with formatter.section("Published data sets, by eactf data pack NAME ..."):
            formatter.write_dl([(card.name, card.title) for card in all_cards()])


def _refuse_unknown_name(args: list[str], names: list[str]) -> None:
    """Say which data set is meant where a word that is no path stands before another one."""
    first, *others = args
    if first.startswith("-") or not others or others[0].startswith("-") or Path(first).exists():
        return
    plain = {re.sub(r"[^a-z0-9]", "", name): name for name in names}
    word = re.sub(r"[^a-z0-9]", "", first.lower())
    close = nearest(word, plain, alike=0.7)
    told = f"the data sets by name: {', '.join(names)}; anything else: eactf data pack PATH -o FILE"
    if close:
        told = f"meant is: {command_line('eactf', 'data', 'pack', plain[close[0]], *others)}"
    raise UsageError(f"there is no data set {first!r}, and no file or folder", hint=told)


_PATH = "PATH"


@click.group(cls=_Pack, name="pack")
def pack() -> None:
    """Pack labelled images into one HDF5 file."""

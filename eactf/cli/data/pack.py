"""`eactf data pack` turns images or a published data set into one packed file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from eactf.cli.data.by_name import ByName, path_argument
from eactf.cli.data.packing import output_options, pack_listing
from eactf.cli.data.published import published_command
from eactf.cli.data.source_options import source_options

if TYPE_CHECKING:
    from eactf.intake.sources import SourceOptions

__all__ = ["pack"]


@click.command(options_metavar="-o FILE [OPTIONS]")
@path_argument(metavar="")  # the command is called PATH itself
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


def _named(name: str) -> click.Command:
    if name == "ferplus":
        from eactf.cli.data.pack_ferplus import ferplus

        return ferplus
    return published_command(
        name, "Pack", pack_listing, options=output_options, metavar="-o FILE [OPTIONS]"
    )


@click.group(
    cls=ByName, name="pack", own=pack_path, named=_named, path_form="eactf data pack PATH -o FILE"
)
def pack() -> None:
    """Pack labelled images into one HDF5 file."""

"""`eactf data` brings images in, checks them and measures how noisy their labels are."""

from __future__ import annotations

import click

from eactf.cli.lazy import LazyGroup

__all__ = ["data"]


@click.group(
    cls=LazyGroup,
    package="eactf.cli.data",
    summaries={
        "pack": "Pack labelled images into one HDF5 file.",
        "check": "Find what is wrong with a data set.",
        "noise": "Estimate how many labels are wrong, and which.",
        "apply": "Make new data of decisions on its labels.",
        "undo": "Make again what 'data apply' was given.",
        "list": "List the published data sets that can be packed by name.",
    },
)
def data() -> None:
    """Bring images in, check them, and measure how noisy their labels are."""

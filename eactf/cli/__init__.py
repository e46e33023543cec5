"""The command line: one command a file; each parses, calls and prints."""

from __future__ import annotations

import traceback
from typing import Any

import click

from eactf import __version__, console
from eactf.cli.lazy import LazyGroup
from eactf.errors import EactfError, Interrupted

__all__ = ["cli", "main"]

_COMMANDS = {
    "wizard": "Look at your labelled images, ask a few questions, write a recipe.",
    "train": "Train a recipe.",
    "evaluate": "Judge a run or a stored classifier on labelled data.",
    "predict": "Classify images.",
    "compare": "Compare recipes over several seeds, or finished runs.",
    "data": "Bring images in, check them, measure their label noise.",
    "weights": "Bring in pretrained backbones.",
    "recipes": "List, show and copy recipes.",
}
"""The commands and their one-line help."""


class _Commands(LazyGroup):
    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except (EactfError, KeyboardInterrupt, OSError) as failure:
            if isinstance(failure, BrokenPipeError):
                raise  # whoever read our output has gone; click ends quietly
            if context.params.get("debug"):
                traceback.print_exc()
            told = _told(failure)
            console.error(told)
        # Behind the handler: a traceback would otherwise be kept alive by the exit.
        context.exit(told.exit_code)


def _told(failure: BaseException) -> EactfError:
    """A failure as one of ours."""
    if isinstance(failure, EactfError):
        return failure
    if isinstance(failure, OSError):
        # A full disk, a folder that may not be written to: no bug, and the user can help it.
        return EactfError(f"{failure.strerror or failure}: {failure.filename or 'input or output'}")
    return Interrupted("interrupted")


@click.group(
    cls=_Commands,
    package="eactf.cli",
    summaries=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="eactf")
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
def cli(debug: bool) -> None:
    """Train image classifiers on noisy labels: Erasing Attention Consistency for Keras.

    \b
    Start here:
      eactf wizard FOLDER                 from your own labelled images to a recipe
      eactf train --recipe quickstart     a run on drawn faces, no data needed
      eactf recipes list                  what else there is
    """


def main() -> None:
    """The console script."""
    console.survive_encodings()
    cli(prog_name="eactf")

"""The command line: one command a file; each parses, calls and prints."""

from __future__ import annotations

import importlib
import traceback
from typing import Any

import click

from eactf import __version__, console
from eactf.errors import EactfError, Interrupted

__all__ = ["cli", "main"]

_COMMANDS = {
    "train": "Train a recipe.",
    "evaluate": "Judge a run or a stored classifier on labelled data.",
    "predict": "Classify images.",
    "data": "Prepare data sets.",
    "recipes": "List, show and copy recipes.",
}
"""The commands and their one-line help. Their modules load when they are called, which keeps
`eactf --help` quick."""


class _Failure(click.ClickException):
    """A failure of ours as click knows them: printed without a traceback, with our exit code."""

    def __init__(self, failure: EactfError) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.exit_code = failure.exit_code  # type: ignore[misc]

    def show(self, file: Any = None) -> None:
        console.error(self.failure)


class _Commands(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module = importlib.import_module(f"eactf.cli.{name}")
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except (EactfError, KeyboardInterrupt) as failure:
            if context.params.get("debug"):
                traceback.print_exc()
            if isinstance(failure, KeyboardInterrupt):
                failure = Interrupted("interrupted")
            raise _Failure(failure) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="eactf")
@click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
def cli(debug: bool) -> None:
    """Train image classifiers on noisy labels: Erasing Attention Consistency for Keras.

    \b
    Start here:
      eactf train --recipe quickstart     a run on drawn faces, no data needed
      eactf recipes list                  what else there is
    """


def main() -> None:
    """The console script."""
    cli(prog_name="eactf")

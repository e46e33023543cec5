"""This package is the command line: each command has a file that parses, calls and prints."""

from __future__ import annotations

import traceback
from typing import Any

import click

from eactf import __version__, console
from eactf.cli.lazy import LazyGroup
from eactf.errors import EactfError, Interrupted
from eactf.foreign import reason_of
from eactf.stopping import Stopped, stops_as_interrupts

__all__ = ["cli", "main"]

_COMMANDS = {
    "wizard": "Look at your labelled images, ask a few questions, write a recipe.",
    "train": "Train a recipe.",
    "launch": "Train with several processes on this machine.",
    "runs": "List runs, and how to go on with those that stopped.",
    "evaluate": "Judge a run or a stored classifier on labelled data.",
    "predict": "Classify images.",
    "audit": "List the labels that are probably wrong, and decide on them.",
    "export": "Write a classifier for ONNX Runtime, TFLite or TensorFlow Serving.",
    "report": "Make a page of runs: figures, maps, labels in doubt.",
    "compare": "Compare recipes over several seeds, or finished runs.",
    "reproduce": "Run a table of a paper, its numbers beside yours.",
    "data": "Bring images in, check them, measure their label noise.",
    "weights": "Bring in pretrained backbones.",
    "recipes": "List, show and copy recipes.",
}
"""The commands and their one-line help."""


class _Commands(LazyGroup):
    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except (Exception, KeyboardInterrupt) as failure:
            # A broken pipe: whoever read our output has gone, and click ends quietly.
            if isinstance(failure, BrokenPipeError) or not _is_to_tell(failure):
                raise
            if context.params.get("debug"):
                traceback.print_exc()
            told = _told(failure)
            console.error(told)
        # Behind the handler: a traceback would otherwise be kept alive by the exit.
        context.exit(told.exit_code)


def _is_to_tell(failure: BaseException) -> bool:
    """Whether a failure is the user's to know of, and not a fault of the program."""
    return isinstance(failure, (EactfError, KeyboardInterrupt, OSError)) or bool(
        _stop_behind(failure)
    )


def _stop_behind(failure: BaseException | None) -> KeyboardInterrupt | None:
    """The interrupt that lies behind a failure: libraries wrap it while they are loaded."""
    while failure is not None:
        if isinstance(failure, KeyboardInterrupt):
            return failure
        failure = failure.__cause__ or failure.__context__
    return None


def _told(failure: BaseException) -> EactfError:
    """A failure as one of ours."""
    stop = _stop_behind(failure)
    told = failure if isinstance(failure, EactfError) else None
    if told is None and isinstance(failure, OSError) and stop is None:
        # A full disk, a folder that may not be written to: no bug, and the user can help it.
        return EactfError(
            f"{failure.strerror or reason_of(failure)}: {failure.filename or 'input or output'}"
        )
    told = told or Interrupted("interrupted")
    if isinstance(told, Interrupted) and isinstance(stop, Stopped):
        told.exit_code = stop.exit_code
    return told


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
    with stops_as_interrupts():
        cli(prog_name="eactf")

"""This module holds the options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from eactf import console

__all__ = ["FILE_PATH", "json_option"]

FILE_PATH = click.Path(path_type=Path)


def _use_json(context: click.Context, parameter: click.Parameter, on: bool) -> None:
    console.use_json(on)
    # Of the root: a failure is told after the command itself is closed.
    context.find_root().call_on_close(lambda: console.use_json(False))


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`: standard output carries one JSON object a line and nothing else."""
    return click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_use_json,
        help="Print JSON lines for machines.",
    )(command)

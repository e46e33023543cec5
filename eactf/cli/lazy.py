"""This group of commands loads a command's module only when it is called, so that help is quick."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

__all__ = ["LazyGroup"]


class LazyGroup(click.Group):
    """A group of the commands `summaries` (name: one line of help), each in a module of its name.

    The command `name` is the attribute `name` (`list` is `list_`, as Python keeps the word) of the
    module `package.name`.
    """

    def __init__(self, *, package: str, summaries: Mapping[str, str], **settings: Any) -> None:
        super().__init__(**settings)
        self.package = package
        self.summaries = summaries

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.summaries)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.summaries:
            return None
        module = importlib.import_module(f"{self.package}.{name}")
        command: click.Command = getattr(module, f"{name}_" if name == "list" else name)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries.items()))

"""These options say how a user's own data is to be read; several commands share them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from eactf.cli.options import FILE_PATH

__all__ = ["source_options"]

_OPTIONS = (
    click.option("--label", metavar="NAME", help="The column or array with the label to train on."),
    click.option(
        "--clean", metavar="NAME", help="The column or array with the true label; '' for none."
    ),
    click.option("--path-column", metavar="NAME", help="The manifest's column of image paths."),
    click.option("--split-column", metavar="NAME", help="The manifest's column of splits."),
    click.option(
        "--votes", metavar="A,B,C", default="", help="The columns with the annotators' votes."
    ),
    click.option(
        "--values",
        metavar="A,B,C",
        default="",
        help="The columns or arrays with continuous targets; valence and arousal are known.",
    ),
    click.option(
        "--vote-rule",
        type=click.Choice(["argmax", "majority", "soft"]),
        default="argmax",
        show_default=True,
        help="argmax: the most voted class; majority: more than half of all votes; soft: as argmax,"
        " with the votes' shares as target.",
    ),
    click.option(
        "--missing",
        metavar="A,B,C",
        help="The labels that stand for no label; '' for none of them. By default an empty cell,"
        " negative numbers, ? - NA N/A null nan unlabeled and 'no label', in any case, as long as"
        " two classes are left.",
    ),
    click.option("--root", type=FILE_PATH, help="The folder that a manifest's paths start from."),
    click.option(
        "--merge-spellings", is_flag=True, help="Take 'Happy' and 'happy ' for one class."
    ),
    click.option("--no-links", is_flag=True, help="Do not follow links to folders."),
)


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--label`, `--clean`, `--votes`, ...; the command gets them as one argument `options`.

    That is an `eactf.intake.sources.SourceOptions`.
    """

    @functools.wraps(command)
    def with_options(
        *,
        label: str | None,
        clean: str | None,
        path_column: str | None,
        split_column: str | None,
        votes: str,
        values: str,
        vote_rule: str,
        missing: str | None,
        root: Path | None,
        merge_spellings: bool,
        no_links: bool,
        **others: Any,
    ) -> Any:
        from eactf.intake.sources import SourceOptions  # NumPy only where needed

        options = SourceOptions(
            label=label,
            clean=clean,
            path_column=path_column,
            split_column=split_column,
            votes=_listed(votes),
            values=_listed(values),
            vote_rule=vote_rule,
            missing=None if missing is None else _listed(missing),
            root=root,
            merge_spellings=merge_spellings,
            no_links=no_links,
        )
        return command(options=options, **others)

    return functools.reduce(
        lambda function, option: option(function), reversed(_OPTIONS), with_options
    )


def _listed(text: str) -> tuple[str, ...]:
    """The words of a list with commas between them."""
    return tuple(word.strip() for word in text.split(",") if word.strip())

"""`eactf wizard` leads from a folder of labelled images to a recipe by a few questions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eactf import console
from eactf.cli.data.by_name import path_argument
from eactf.cli.data.source_options import source_options
from eactf.cli.options import FILE_PATH, json_option

if TYPE_CHECKING:
    from eactf.intake.sources import SourceOptions

__all__ = ["wizard"]


@click.command()
@path_argument(required=False, metavar="[PATH]")
@click.option("-o", "--output", type=FILE_PATH, help="The recipe to write; else it is asked for.")
@click.option("--answers", type=FILE_PATH, help="A YAML file of 'key: answer' lines.")
@click.option("--yes", is_flag=True, help="Take the default of every question not answered so.")
@click.option("--save-answers", type=FILE_PATH, help="Write the answers to a file, for --answers.")
@click.option("--no-measure", is_flag=True, help="Time nothing on this machine; use estimates.")
@click.option(
    "--max-bad",
    type=click.FloatRange(0, 1),
    default=0.01,
    show_default=True,
    help="The share of images that may be unusable.",
)
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
@source_options
@json_option
def wizard(
    path: Path | None,
    output: Path | None,
    answers: Path | None,
    yes: bool,
    save_answers: Path | None,
    no_measure: bool,
    max_bad: float,
    overwrite: bool,
    options: SourceOptions,
) -> None:
    """Look at the labelled images in PATH, ask a few questions, and write a recipe for them.

    PATH is an image folder, a manifest (.csv, .tsv), arrays (.npz, .h5) or a packed file. It is
    not changed. A trial step is timed, which takes half a minute; nothing is written before the
    last question.

    \b
    eactf wizard my_faces
    eactf wizard my_faces --yes -o my-faces.yaml
    """
    from eactf.wizard.answering import Answerer, Written, read_answers
    from eactf.wizard.machine import look_at_machine
    from eactf.wizard.measuring import Commands, Nothing
    from eactf.wizard.session import Settings, run_wizard

    written, problems = read_answers(answers) if answers is not None else ({}, [])
    if output is not None:
        written["recipe"] = Written(str(output), "--output")
    terminal = sys.stdin.isatty() and not console.json_mode()
    answerer = Answerer(written, defaults=yes, terminal=terminal, problems=problems)
    settings = Settings(
        options=options,
        measuring=Nothing() if no_measure else Commands(),
        machine=look_at_machine(),
        max_bad=max_bad,
        overwrite=overwrite,
        save_answers=save_answers,
    )
    run_wizard(path, answerer, settings)

"""`eactf data noise` estimates how many labels are wrong, and which, and says how to train."""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eactf import console
from eactf.cli.data.by_name import path_argument
from eactf.cli.data.checking import Checking
from eactf.cli.data.noise_shown import show_audit
from eactf.cli.data.source_options import source_options
from eactf.cli.options import FILE_PATH, json_option
from eactf.errors import UsageError
from eactf.progress import counting
from eactf.wording import counted

if TYPE_CHECKING:
    from eactf.intake.sources import SourceOptions
    from eactf.training.out_of_fold import Progress

__all__ = ["noise"]

_TIMED_STEPS = (5, 25)
_BESIDES = 1.25  # times the training steps: what predicting takes as well


@click.command()
@path_argument()
@click.option(
    "--folds",
    type=click.IntRange(2, 20),
    help="How many quick networks, each trained on the other folds; by default 2, or 4 for up to"
    " 5,000 images.",
)
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    default="train",
    show_default=True,
    help="The split whose labels are judged.",
)
@click.option("--label-set", metavar="NAME", help="Judge a further label set of a packed file.")
@click.option("--limit", type=click.IntRange(1), help="Judge this many samples, chosen by a hash.")
@click.option("--seed", default=0, show_default=True, help="Seed of folds, weights and order.")
@click.option(
    "--checked",
    type=click.IntRange(20),
    metavar="N",
    help="Have a person check N labels, drawn so that they tell most, and estimate from the"
    " answers. Given again, it goes on; with a larger N it draws more.",
)
@click.option(
    "--checks",
    type=FILE_PATH,
    metavar="FOLDER",
    help="The folder of the checks, by default NAME.checks; alone it reads the answers again.",
)
@click.option("-o", "--output", type=FILE_PATH, help="Write all suspects to this CSV file.")
@click.option("--overwrite", is_flag=True, help="Replace the output if it exists.")
@source_options
@json_option
def noise(
    path: Path,
    folds: int | None,
    split: str,
    label_set: str | None,
    limit: int | None,
    seed: int,
    checked: int | None,
    checks: Path | None,
    output: Path | None,
    overwrite: bool,
    options: SourceOptions,
) -> None:
    """Estimate how many labels of PATH are wrong, and which.

    Quick networks predict the samples that they were not trained on. It takes minutes. Where people
    made the labels that is a range; the answers to a hundred pictures make an estimate of it.

    \b
    eactf data noise faces.h5
    eactf data noise faces/ -o suspects.csv
    eactf data noise faces.h5 --checked 100
    """
    _refuse_existing(output, overwrite)
    words = _sample_words(split, label_set, limit, seed)
    checking = Checking.of(path, checked, checks, words)
    from eactf.data.opened import open_data  # NumPy and h5py only where needed

    dataset = open_data(path, options=options)

    from eactf.quiet import start_tensorflow

    start_tensorflow()
    from eactf.training.noise_audit import audit_noise, choose_samples
    from eactf.training.out_of_fold import quick_plan

    samples = choose_samples(dataset, split, label_set=label_set, limit=limit, seed=seed)
    predictions = checking.predictions(samples, dataset.class_names) if checking else None
    plan = quick_plan(samples, folds)
    networks = f"{counted(plan.folds, 'quick network')} at {plan.size} px"
    console.say(
        f"{path}, {split}: {counted(len(samples), 'label')},"
        f" {counted(len(dataset.class_names), 'class', 'classes')};"
        f" {networks if predictions is None else 'predicted before'}",
        markup=False,
    )
    with counting("training") if predictions is None else nullcontext() as bar:
        audit = audit_noise(
            samples,
            dataset.class_names,
            split=split,
            folds=folds,
            seed=seed,
            progress=_Expected(bar),
            predictions=predictions,
            vote_columns=dataset.vote_columns,
        )
    if checking is not None:
        audit = audit.with_checks(checking.run(samples, audit))
    if output is not None:
        from eactf.noise.suspects import write_suspects

        write_suspects(output, audit.suspects())
    console.emit("noise", **audit.as_dict())
    show_audit(audit, path, label_set, output, options)
    if checking is not None:
        checking.show_open()


def _refuse_existing(output: Path | None, overwrite: bool) -> None:
    if output is None:
        return
    if output.exists() and not overwrite:
        raise UsageError(f"{output} exists", hint="choose another name, or add --overwrite")
    if not output.parent.is_dir():
        raise UsageError(
            f"the folder of {output} does not exist", hint="make it, or choose another"
        )


def _sample_words(
    split: str, label_set: str | None, limit: int | None, seed: int
) -> tuple[str, ...]:
    """The words of the command line that choose the samples."""
    chosen = {"--label-set": label_set, "--limit": limit, "--seed": seed or None}
    chosen["--split"] = None if split == "train" else split
    return tuple(
        str(word) for flag, value in chosen.items() if value is not None for word in (flag, value)
    )


class _Expected:
    """Passes progress on, and says after the first steps how long the whole will take."""

    def __init__(self, bar: Progress | None) -> None:
        self.bar = bar
        self.begun = 0.0

    def __call__(self, done: int, steps: int) -> None:
        from eactf.training.progress import format_duration

        if self.bar is not None:
            self.bar(done, steps)
        first, last = _TIMED_STEPS
        if done == first:
            self.begun = time.perf_counter()
        if done == last:
            each = (time.perf_counter() - self.begun) / (last - first)
            seconds = _BESIDES * each * steps
            console.emit("expected", seconds=round(seconds, 1), steps=steps)
            if self.bar is None:  # which tells the time left itself
                console.say(f"this takes about {format_duration(seconds)}")

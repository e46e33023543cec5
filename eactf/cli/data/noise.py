"""`eactf data noise` estimates how many labels are wrong, and which, and says how to train."""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from eactf import console
from eactf.cli.data.by_name import path_argument
from eactf.cli.data.checking import Checking, checked_headline
from eactf.cli.data.source_options import source_options
from eactf.cli.options import FILE_PATH, json_option
from eactf.errors import UsageError
from eactf.progress import counting
from eactf.suggestions import command_line
from eactf.wording import counted

if TYPE_CHECKING:
    from eactf.intake.sources import SourceOptions
    from eactf.noise.estimate import NoiseEstimate
    from eactf.noise.panel import PanelReading
    from eactf.training.noise_audit import NoiseAudit
    from eactf.training.out_of_fold import Progress

__all__ = ["noise"]

_WIDE = 0.2
"""Points between interval and upper reading beyond which both are told in one breath."""

_WIDEST_MATRIX, _PAIRS, _SUSPECTS = 10, 8, 10
_RECIPE, _RECIPE_LIMIT = "ferplus-human-small", 5_000
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
    _show(audit, path, label_set, output, options)
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


def _show(
    audit: NoiseAudit,
    path: Path,
    label_set: str | None,
    output: Path | None,
    options: SourceOptions,
) -> None:
    found = audit.estimate
    for line in checked_headline(audit.checked) if audit.checked else ():
        console.say(line)
    if audit.by_votes is not None:
        console.say(_by_votes(audit.by_votes, beside=audit.checked is not None))
    for line in _headline(found, beside=audit.by_people is not None):
        console.say(line)
    if audit.true_rate is not None:
        console.say(f"by the clean labels that the data knows it is {audit.true_rate:.1%}")
    _show_classes(audit)
    _show_remarks(audit)
    _show_suspects(audit, output)
    _show_advice(audit, path, label_set, options)


def _by_votes(found: PanelReading, *, beside: bool) -> str:
    """What the annotators' votes say, with checks `beside` it or not."""
    rate = f"about {found.rate:.0%} of the labels are wrong"
    return (
        f"by the votes: {rate} (between {found.low:.0%} and {found.high:.0%})"
        if beside
        else f"\n[bold]{rate}[/bold] (between {found.low:.0%} and {found.high:.0%}) by the votes:"
        f" a larger panel than\nthe {found.people:.3g} people an image would choose another class"
    )


def _headline(found: NoiseEstimate, *, beside: bool = False) -> tuple[str, str]:
    """The rate, and what it leaves out.

    Where people err alike, networks learn it: of FER2013's labels 37 % are wrong, and this reads
    24 %. Where far more is contradicted, the upper reading stands beside it.
    """
    interval = f"between {found.low:.0%} and {found.high:.0%}"
    rate = f"\n[bold]about {found.rate:.0%} of the labels are wrong[/bold] ({interval})"
    if beside:
        head = f"by the networks alone: about {found.rate:.0%} ({interval})"
    elif not found.tells:
        head = f"\n[bold]how many labels are wrong cannot be told[/bold]: {interval}"
    elif found.disagreement - found.high > _WIDE:
        head = (
            f"{rate} if mistakes fall on easy and hard images alike,"
            f"\n[bold]up to {found.disagreement:.0%}[/bold] if they fall on the hard ones, as"
            " people's do: --checked 100 tells"
        )
    else:
        head = rate
    return head, (
        "Read for noise that looks at the class, not the image. The upper reading are all labels"
        f" that the\nnetworks contradict: {found.disagreement:.0%} of them."
    )


def _show_classes(audit: NoiseAudit) -> None:
    found, names = audit.estimate, audit.class_names
    if not found.tells:
        return
    if len(names) <= _WIDEST_MATRIX:
        console.say("\nlabels by likely true class (row) and as given (column):")
        rows = [[name, *_cells(found.counts[row])] for row, name in enumerate(names)]
        wrong = ["-" if share != share else f"{share:.0%}" for share in found.per_class]
        console.table(["likely", *names], [*rows, ["wrong", *wrong]])
        return
    off = found.counts * (1 - np.eye(len(names)))
    worst = np.argsort(-off, axis=None)[:_PAIRS]
    pairs = [np.unravel_index(place, off.shape) for place in worst]
    console.say("\nwhere most labels are wrong:")
    console.table(
        ["given", "likely", "labels"],
        [[names[given], names[true], f"{off[true, given]:,.0f}"] for true, given in pairs],
    )


def _cells(counts: np.ndarray) -> list[str]:
    return [f"{count:,.0f}" if count >= 0.5 else "-" for count in counts]


def _show_remarks(audit: NoiseAudit) -> None:
    for name, count in audit.unjudged.items():
        console.say(f"not judged, too few samples: {name} ({count:,})", markup=False)
    if audit.unpredicted:
        names = ", ".join(audit.unpredicted)
        console.say(f"hardly ever predicted, so little is said of it: {names}", markup=False)


def _show_suspects(audit: NoiseAudit, output: Path | None) -> None:
    total = len(audit.estimate.suspects())
    if not total:
        console.say("\nno label is doubtful")
        return
    where = "-o suspects.csv writes them all" if output is None else f"all are in {output}"
    doubtful = counted(total, "label is", "labels are")
    console.say(f"\n{doubtful} doubtful; the worst ({where}):", markup=False)
    console.table(
        ["image", "given", "likely", "p(given)", "p(likely)"],
        [
            [
                suspect["name"] or f"id {suspect['id']}",
                suspect["given"],
                suspect["likely"],
                f"{suspect['p_given']:.4f}",
                f"{suspect['p_likely']:.4f}",
            ]
            for suspect in audit.suspects(_SUSPECTS)
        ],
    )


def _show_advice(
    audit: NoiseAudit, path: Path, label_set: str | None, options: SourceOptions
) -> None:
    from eactf.intake.advice import pack_command, packed_name

    advice = audit.advice
    console.say(f"\n[bold]advice[/bold]: {advice.text}")
    for ground in advice.evidence:
        console.say(f"  {ground}", markup=False)
    if flags := options.flags():  # which training does not take
        console.say(f"next: {pack_command(path, *flags)}", markup=False)
        path = Path(packed_name(path))
    console.say(f"next: {_next_command(audit, path, label_set)}", markup=False)


def _next_command(audit: NoiseAudit, path: Path, label_set: str | None) -> str:
    settings: dict[str, object] = {"noise.kind": "none"}
    if label_set is not None:
        settings = {"noise.kind": "human", "noise.labels": label_set}
    if audit.plan.channels != 1:
        settings["data.channels"] = audit.plan.channels
    if len(audit.samples) > _RECIPE_LIMIT:
        settings["data.train_limit"] = "null"
    settings |= audit.advice.settings
    changes = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    return command_line("eactf", "train", "--recipe", _RECIPE, "--data", path, *changes)

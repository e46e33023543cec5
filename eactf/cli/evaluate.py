"""`eactf evaluate` judges a run or a stored classifier on labelled data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from eactf import console
from eactf.cli.options import FILE_PATH, json_option

if TYPE_CHECKING:
    from eactf.evaluation.judge import Judged

__all__ = ["evaluate"]

MOST_COLUMNS = 20
"""More classes than that make no confusion table that a screen holds."""

MOST_PAIRS = 10


@click.command()
@click.argument("target", type=FILE_PATH)
@click.option("--data", type=FILE_PATH, help="A packed file or images; else the run's own data.")
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test"]),
    help="The split to judge; by default test, or validation where there is no test split.",
)
@click.option("--batch-size", type=click.IntRange(1), default=128, show_default=True)
@json_option
def evaluate(target: Path, data: Path | None, split: str | None, batch_size: int) -> None:
    """Judge TARGET, a run's folder or a model.keras, on labelled data.

    \b
    eactf evaluate runs/ferplus-noise20
    eactf evaluate model.keras --data other.h5
    """
    from eactf.quiet import start_tensorflow

    start_tensorflow()
    from eactf.evaluation.judge import judge

    judged = judge(target, data, split, batch_size=batch_size)
    scores = judged.scores
    console.emit(
        "evaluation",
        model=str(judged.model),
        source=judged.source,
        split=judged.split,
        remarks=list(judged.remarks),
        **scores.as_dict(judged.class_names),
    )
    console.say(f"{judged.model} on {judged.split} of {judged.source}", markup=False)
    for remark in judged.remarks:
        console.warn(remark)
    _show_figures(judged)
    if len(judged.class_names) <= MOST_COLUMNS:
        _show_confusion(judged)
    else:
        _show_confused(judged)


def _show_figures(judged: Judged) -> None:
    from eactf.evaluation.words import accuracy_of_images, lowest_with_classes, without_images

    scores, figures = judged.scores, judged.scores.figures(judged.class_names)
    accuracy = accuracy_of_images(scores.accuracy, scores.count)
    top5 = "" if scores.top5_accuracy is None else f", top-5 {scores.top5_accuracy:.2%}"
    console.say(f"[bold]accuracy {accuracy}[/bold]{top5}")
    lowest = lowest_with_classes(figures["lowest_recall"], figures["lowest_recall_classes"])
    macro = f"macro recall (balanced accuracy) {scores.macro_recall:.2%}"
    console.say(f"{macro}, lowest recall {lowest}", markup=False)
    for name, value in scores.concordance.items():
        console.say(f"{name}: concordance {value:.3f} with the true values", markup=False)
    lacking = without_images(scores.without_images(judged.class_names), judged.split)
    if lacking:
        console.say(lacking, markup=False)


def _show_confusion(judged: Judged) -> None:
    scores = judged.scores
    console.say("\ntrue classes by row, and how often they were predicted as what, by column:")
    console.table(
        ["true class", "images", "recall", *judged.class_names],
        [
            [
                name,
                f"{int(scores.confusion[row].sum()):,}",
                "-" if scores.recalls[row] != scores.recalls[row] else f"{scores.recalls[row]:.1%}",
                *(f"{count:,}" for count in scores.confusion[row]),
            ]
            for row, name in enumerate(judged.class_names)
        ],
    )


def _show_confused(judged: Judged) -> None:
    """Of many classes those that are taken for another most often; the rest is in `--json`."""
    names, confusion = judged.class_names, judged.scores.confusion
    pairs = [
        (int(count), names[row], names[column])
        for row, counts in enumerate(confusion)
        for column, count in enumerate(counts)
        if row != column and count
    ]
    most = sorted(pairs, key=lambda pair: -pair[0])[:MOST_PAIRS]
    console.say(f"\nthe {len(most)} commonest confusions (all of them: --json):")
    console.table(
        ["true class", "predicted as", "images"],
        [[true, predicted, f"{count:,}"] for count, true, predicted in most],
    )

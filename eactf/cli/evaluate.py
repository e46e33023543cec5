"""`eactf evaluate`: judge a run or a stored classifier on labelled data."""

from __future__ import annotations

from pathlib import Path

import click

from eactf import console
from eactf.cli.options import FILE_PATH, json_option

__all__ = ["evaluate"]


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
        **scores.as_dict(judged.class_names),
    )
    console.say(f"{judged.model} on {judged.split} of {judged.source}", markup=False)
    top5 = "" if scores.top5_accuracy is None else f"top-5 {scores.top5_accuracy:.2%}, "
    console.say(
        f"[bold]accuracy {scores.accuracy:.2%}[/bold], {top5}"
        f"macro recall {scores.macro_recall:.2%}, {scores.count:,} images"
    )
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

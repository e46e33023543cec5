"""`eactf predict` classifies image files and folders of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from eactf import console
from eactf.cli.options import FILE_PATH, json_option
from eactf.errors import DataError, UsageError
from eactf.progress import counting
from eactf.wording import counted

if TYPE_CHECKING:
    import numpy as np

    from eactf.evaluation.predicting import PredictedFiles

__all__ = ["predict"]

_TIMED = 100
"""From so many images on it is told how many a second were classified."""


@click.command()
@click.argument("model", type=FILE_PATH)
@click.argument("images", nargs=-1, required=True, type=FILE_PATH)
@click.option("--top", type=click.IntRange(1), default=2, show_default=True, help="Classes shown.")
@click.option("--batch-size", type=click.IntRange(1), default=128, show_default=True)
@click.option(
    "--csv",
    "table",
    type=FILE_PATH,
    help="Write a CSV file: path, predicted class, the probability of each class, numbers.",
)
@click.option("--jsonl", "lines", type=FILE_PATH, help="Write a file of JSON lines: the same.")
@json_option
def predict(
    model: Path,
    images: tuple[Path, ...],
    top: int,
    batch_size: int,
    table: Path | None,
    lines: Path | None,
) -> None:
    """Classify IMAGES, files or folders, with MODEL, a model.keras or a run's folder.

    A CSV file with a column pixels, as FER2013's test.csv has it, is a table of faces. What goes
    into a file by --csv or --jsonl is counted by class on the screen, and not listed.

    \b
    eactf predict model.keras face.png folder/
    eactf predict model.keras folder/ --csv faces.csv --jsonl faces.jsonl
    eactf predict runs/fer2013 test.csv
    """
    from eactf.evaluation.prediction_table import check_table, write_lines, write_table

    for path, flag in ((table, "--csv"), (lines, "--jsonl")):
        if path is not None:
            check_table(path, flag)
    if table is not None and table == lines:
        raise UsageError(
            f"--csv and --jsonl both name {table}", hint="give one of them another name"
        )
    from eactf.quiet import start_tensorflow

    start_tensorflow()
    from eactf.evaluation.predicting import predict_files

    with counting("classifying") as bar:
        predicted = predict_files(model, images, batch_size=batch_size, progress=bar)
    _emit(predicted)
    if table is None and lines is None:
        _show_each(predicted, top)
    else:
        _show_counts(predicted)
    for path, write in ((table, write_table), (lines, write_lines)):
        if path is not None:
            write(path, predicted)
            console.emit("table", path=str(path), rows=len(predicted.files))
            rows = counted(len(predicted.files), "row" if path == table else "line")
            console.say(f"wrote {rows} to {path}", markup=False)
    _show_pace(predicted)
    _warn(predicted)


def _ranked(predicted: PredictedFiles, probabilities: np.ndarray) -> list[tuple[float, str]]:
    """The classes with their probabilities, the likeliest first."""
    values = map(float, probabilities)
    return sorted(zip(values, predicted.class_names, strict=True), reverse=True)


def _emit(predicted: PredictedFiles) -> None:
    if not console.json_mode():
        return
    for path, (probabilities, values) in predicted.files:
        ranked = _ranked(predicted, probabilities)
        console.emit(
            "prediction",
            file=str(path),
            predicted=ranked[0][1],
            probabilities={name: value for value, name in ranked},
            **({"values": dict(values)} if values else {}),
        )


def _show_each(predicted: PredictedFiles, top: int) -> None:
    rows = []
    for path, (probabilities, values) in predicted.files:
        ranked = _ranked(predicted, probabilities)
        named = (f"{name} {value:.1%}" for value, name in ranked[:top])
        numbers = (f"{values[name]:+.2f}" for name in predicted.value_names)
        rows.append([str(path), *named, *numbers])
    shown = min(top, len(predicted.class_names))
    if rows:
        columns = ["file", "class", "next", *(f"{place}." for place in range(3, shown + 1))]
        console.table([*columns[: shown + 1], *predicted.value_names], rows)


def _show_counts(predicted: PredictedFiles) -> None:
    """How many images of each class there are, the commonest first."""
    found: dict[str, int] = dict.fromkeys(predicted.class_names, 0)
    for _, (probabilities, _values) in predicted.files:
        found[predicted.class_names[int(probabilities.argmax())]] += 1
    ranked = sorted(found.items(), key=lambda item: -item[1])
    console.table(["predicted class", "images"], [[name, f"{count:,}"] for name, count in ranked])
    console.say()


def _show_pace(predicted: PredictedFiles) -> None:
    pace = predicted.pace
    console.emit(
        "pace",
        images=pace.images,
        seconds=pace.seconds,
        images_per_second=pace.images_per_second,
        network_seconds=pace.network_seconds,
    )
    if pace.images >= _TIMED:
        console.say(
            f"{pace.images:,} images in {pace.seconds:.1f} s: {pace.images_per_second:,.0f} a"
            f" second; the network took {pace.network_seconds / pace.seconds:.0%} of the time",
            markup=False,
        )


def _warn(predicted: PredictedFiles) -> None:
    """Say what was left out and what could not be read; the latter is an error."""
    for sentence in predicted.left_out:
        console.warn(sentence)
    for path, reason in predicted.bad.items():
        console.emit("unreadable", file=str(path), reason=reason)
        console.warn(f"{path}: {reason}")
    if predicted.bad:
        files = counted(len(predicted.bad) + len(predicted.files), "file")
        raise DataError(f"{len(predicted.bad):,} of {files} could not be read")

"""`eactf predict` classifies image files and folders of them."""

from __future__ import annotations

from pathlib import Path

import click

from eactf import console
from eactf.cli.options import FILE_PATH, json_option
from eactf.errors import DataError
from eactf.wording import counted

__all__ = ["predict"]


@click.command()
@click.argument("model", type=FILE_PATH)
@click.argument("images", nargs=-1, required=True, type=FILE_PATH)
@click.option("--top", type=click.IntRange(1), default=2, show_default=True, help="Classes shown.")
@click.option("--batch-size", type=click.IntRange(1), default=128, show_default=True)
@click.option(
    "--csv",
    "table",
    type=FILE_PATH,
    help="Write a CSV file too: path, predicted class, the probability of each class, numbers.",
)
@json_option
def predict(
    model: Path, images: tuple[Path, ...], top: int, batch_size: int, table: Path | None
) -> None:
    """Classify IMAGES, files or folders, with MODEL, a model.keras or a run's folder.

    A CSV file with a column pixels, as FER2013's test.csv has it, is a table of faces.

    \b
    eactf predict model.keras face.png folder/
    eactf predict model.keras folder/ --csv faces.csv
    eactf predict runs/fer2013 test.csv
    """
    from eactf.evaluation.prediction_table import check_table, write_table

    if table is not None:
        check_table(table)
    from eactf.quiet import start_tensorflow

    start_tensorflow()
    from eactf.evaluation.predicting import predict_files

    predicted = predict_files(model, images, batch_size=batch_size)
    rows = []
    for path, (probabilities, values) in predicted.files:
        ranked = sorted(zip(probabilities, predicted.class_names, strict=True), reverse=True)
        console.emit(
            "prediction",
            file=str(path),
            predicted=ranked[0][1],
            probabilities={name: float(value) for value, name in ranked},
            **({"values": dict(values)} if values else {}),
        )
        named = (f"{name} {value:.1%}" for value, name in ranked[:top])
        numbers = (f"{values[name]:+.2f}" for name in predicted.value_names)
        rows.append([str(path), *named, *numbers])
    shown = min(top, len(predicted.class_names))
    if rows:
        columns = ["file", "class", "next", *(f"{place}." for place in range(3, shown + 1))]
        console.table([*columns[: shown + 1], *predicted.value_names], rows)
    if table is not None:
        write_table(table, predicted)
        console.emit("table", path=str(table), rows=len(rows))
        console.say(f"\nwrote {counted(len(rows), 'row')} to {table}", markup=False)
    for sentence in predicted.left_out:
        console.warn(sentence)
    for path, reason in predicted.bad.items():
        console.emit("unreadable", file=str(path), reason=reason)
        console.warn(f"{path}: {reason}")
    if predicted.bad:
        files = counted(len(predicted.bad) + len(rows), "file")
        raise DataError(f"{len(predicted.bad):,} of {files} could not be read")

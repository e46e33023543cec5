"""Predictions as a CSV file: a row an image, its class, the probability of every class, numbers."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from eactf.errors import UsageError
from eactf.files import write_bytes

if TYPE_CHECKING:
    from eactf.evaluation.predicting import PredictedFiles

__all__ = ["check_table", "write_table"]


def check_table(path: Path) -> None:
    """Raise `UsageError` where `path` cannot be written, or would replace something."""
    if path.exists():
        raise UsageError(
            f"{path} exists and is not overwritten", hint="give --csv another name, or remove it"
        )
    if not path.parent.is_dir():
        raise UsageError(f"{path} is in a folder that is not there", hint="make the folder first")


def write_table(path: Path, predicted: PredictedFiles) -> None:
    """Write `path`, whole or not at all: the columns path, predicted, probability_CLASS each,
    and the numbers that are predicted beside the class, such as valence.

    Files that could not be read have no row. Raises `UsageError` where `path` exists.
    """
    check_table(path)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [f"probability_{name}" for name in predicted.class_names]
    writer.writerow(["path", "predicted", *columns, *predicted.value_names])
    for file, (probabilities, values) in predicted.files:
        best = predicted.class_names[int(probabilities.argmax())]
        numbers = [*probabilities, *(values[name] for name in predicted.value_names)]
        writer.writerow([str(file), best, *(f"{number:.6f}" for number in numbers)])
    # A file name need not be text in UTF-8; what is not is spelled out.
    write_bytes(path, text.getvalue().encode(errors="backslashreplace"))

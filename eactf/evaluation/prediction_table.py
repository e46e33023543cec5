"""Predictions as a file, a row or a line an image: class, probability of every class, numbers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from eactf.errors import UsageError
from eactf.files import write_bytes

if TYPE_CHECKING:
    from eactf.evaluation.predicting import PredictedFiles
    from eactf.evaluation.storage import Prediction

__all__ = ["check_table", "write_lines", "write_table"]


def check_table(path: Path, flag: str = "--csv") -> None:
    """Raise `UsageError` where `path`, given by `flag`, cannot be written or replaces something."""
    if path.exists():
        raise UsageError(
            f"{path} exists and is not overwritten", hint=f"give {flag} another name, or remove it"
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
    for file, best, (probabilities, values) in _rows(predicted):
        numbers = [*probabilities, *(values[name] for name in predicted.value_names)]
        writer.writerow([file, best, *(f"{number:.6f}" for number in numbers)])
    _write(path, text.getvalue())


def write_lines(path: Path, predicted: PredictedFiles) -> None:
    """Write `path`, whole or not at all, a JSON object a line, as `write_table` writes rows.

    Its keys are path, predicted, probabilities, an object by class name, and values, one by the
    names of the numbers, where there are any.
    """
    check_table(path, "--jsonl")
    lines = []
    for file, best, (probabilities, values) in _rows(predicted):
        shares = (round(float(value), 6) for value in probabilities)
        line = {
            "path": file,
            "predicted": best,
            "probabilities": dict(zip(predicted.class_names, shares, strict=True)),
        }
        if values:
            line["values"] = {name: round(value, 6) for name, value in values.items()}
        lines.append(json.dumps(line) + "\n")
    _write(path, "".join(lines))


def _rows(predicted: PredictedFiles) -> Iterator[tuple[str, str, Prediction]]:
    """Each file with its class and all that is predicted."""
    for file, prediction in predicted.files:
        best = int(prediction.probabilities.argmax())
        yield str(file), predicted.class_names[best], prediction


def _write(path: Path, text: str) -> None:
    # A file name need not be text in UTF-8; what is not is spelled out.
    write_bytes(path, text.encode(errors="backslashreplace"))

"""This module lists the labels that are likelier wrong than right, for a person to look through."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eactf.files import write_text
from eactf.noise.estimate import NoiseEstimate
from eactf.packed.records import Samples

__all__ = ["HEADER", "suspect_rows", "write_suspects"]

HEADER = ("id", "name", "split", "given", "likely", "p_given", "p_likely", "score")


def suspect_rows(
    estimate: NoiseEstimate,
    samples: Samples,
    class_names: Sequence[str],
    split: str,
    limit: int | None = None,
) -> list[dict[str, object]]:
    """The `limit` worst suspects, or all, worst first, by the keys of `HEADER`.

    `p_given` and `p_likely` are the probabilities of the two classes, the given label known;
    `score` is the logarithm of their odds.
    """
    return [
        {
            "id": int(samples.ids[row]),
            "name": "" if samples.names is None else str(samples.names[row]),
            "split": split,
            "given": class_names[samples.given[row]],
            "likely": class_names[estimate.likely[row]],
            "p_given": _rounded(estimate.probability[row, samples.given[row]]),
            "p_likely": _rounded(estimate.probability[row, estimate.likely[row]]),
            "score": _rounded(estimate.score[row]),
        }
        for row in estimate.suspects()[:limit]
    ]


def write_suspects(path: Path, rows: Sequence[dict[str, object]]) -> None:
    """Write suspects as CSV, whole or not at all."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _rounded(value: np.float64) -> float:
    return float(f"{value:.4g}")

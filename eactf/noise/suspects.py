"""This module lists the labels that are likelier wrong than right, for a person to look through.

The columns have the names that cleanlab's Datalab and FiftyOne give them, so that scripts and
notebooks written for those read the file as it is.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from eactf.files import write_text
from eactf.noise.ranking import Ranking
from eactf.packed.records import Samples

__all__ = ["ANSWERS", "HEADER", "suspect_rows", "write_suspects"]

HEADER = (
    "id",
    "filepath",
    "split",
    "given_label",
    "predicted_label",
    "is_label_issue",
    "label_score",
    "mistakenness",
    "p_given",
    "p_predicted",
    "score",
)

ANSWERS = ("decision", "label")
"""Empty columns at the end, for the person who looks the file through in a spreadsheet."""


def suspect_rows(
    ranking: Ranking,
    samples: Samples,
    class_names: Sequence[str],
    split: str,
    limit: int | None = None,
    *,
    everything: bool = False,
) -> list[dict[str, object]]:
    """The `limit` worst suspects, or all, worst first, by the keys of `HEADER` and their evidence.

    `filepath` is the image's path in its source, or what the source calls it. `predicted_label` is
    the likeliest class beside the given one. `label_score` goes from 0, surely wrong, to 1, surely
    right (cleanlab), `mistakenness` the other way (FiftyOne). `p_given` and `p_predicted` are the
    probabilities of the two classes, the given label known; `score` is what the order goes by,
    above 0 for a suspect. With `everything` the labels that are no suspects follow.
    """
    rows = ranking.order() if everything else ranking.suspects()
    quality, chance = ranking.quality, ranking.probability
    return [
        {
            "id": int(samples.ids[row]),
            "filepath": "" if samples.names is None else str(samples.names[row]),
            "split": split,
            "given_label": class_names[ranking.given[row]],
            "predicted_label": class_names[ranking.likely[row]],
            "is_label_issue": bool(ranking.score[row] > 0),
            "label_score": _rounded(quality[row]),
            "mistakenness": _rounded(1.0 - quality[row]),
            "p_given": _rounded(chance[row, ranking.given[row]]),
            "p_predicted": _rounded(chance[row, ranking.likely[row]]),
            "score": _rounded(ranking.score[row]),
            **{name: _known(values[row]) for name, values in ranking.evidence.items()},
        }
        for row in rows[:limit]
    ]


def write_suspects(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write suspects as CSV, whole or not at all, with empty columns for a person's answers."""
    text = io.StringIO()
    columns = [*(rows[0] if rows else HEADER), *ANSWERS]
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _rounded(value: np.float64) -> float:
    return float(f"{value:.4g}")


def _known(value: np.float64) -> float | str:
    """A figure of the evidence, empty where there is none."""
    return "" if np.isnan(value) else _rounded(value)

"""This module decides what the sets and columns of a user's table are called in a packed file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from eactf.packed.layout import LABEL_NAME, MAX_CELL, MAX_COLUMNS
from eactf.packed.values import text_width

__all__ = ["fitting_columns", "plain_set_names"]


def plain_set_names(names: Sequence[str]) -> dict[str, str]:
    """What each label set is called in the packed file, whose names are plainer."""
    chosen: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_.-")[:48] or "labels"
        taken = {"given", "clean", *chosen.values()}
        new = name if LABEL_NAME.fullmatch(name) else plain
        number = 2
        while new in taken:
            new, number = f"{plain}-{number}", number + 1
        chosen[name] = new
    return chosen


def fitting_columns(columns: Mapping[str, np.ndarray]) -> tuple[dict[str, int], list[str]]:
    """The columns that a packed file can hold with their widths in bytes, and the others."""
    widths = {name: text_width(texts) for name, texts in columns.items()}
    fitting = {name: width for name, width in widths.items() if width <= MAX_CELL}
    kept = dict(list(fitting.items())[:MAX_COLUMNS])
    return kept, [name for name in widths if name not in kept]

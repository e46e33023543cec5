"""This module reads the two published CSV files of FERPlus row by row.

Kaggle's `fer2013.csv` (`emotion,pixels,Usage`) has the images, Microsoft's `fer2013new.csv`
(`Usage,Image name,neutral,...,unknown,NF`) the votes; row `i` of one is row `i` of the other.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.errors import DataError
from eactf.intake.readers.fer2013_csv import (
    PUBLISHED,
    FaceRow,
    read_faces,
    read_rows,
    split_of,
    whole_number,
)
from eactf.intake.votes import VOTE_COLUMNS

__all__ = ["VoteTable", "read_images", "read_votes"]

_IMAGE_HEADER = ("emotion", "pixels", "Usage")
_VOTE_HEADER = ("Usage", "Image name", *VOTE_COLUMNS)
_VOTES = "FERPlus's fer2013new.csv"


@dataclass(frozen=True)
class VoteTable:
    """`fer2013new.csv`; row `i` of every array is its row `i`.

    `split` is `(n,)` uint8, an index into `SPLITS`; `names` the image names, "" where FERPlus
    removed the image; `votes` is `(n, 10)` uint8.
    """

    path: Path
    split: np.ndarray
    names: np.ndarray
    votes: np.ndarray

    def __len__(self) -> int:
        return len(self.split)


def read_votes(path: Path) -> VoteTable:
    """Read Microsoft's `fer2013new.csv`; `DataError` names file, line and column."""
    splits, names, votes = [], [], []
    with closing(read_rows(path, _VOTE_HEADER, _VOTES, swapped=_IMAGE_HEADER)) as rows:
        for line, row in rows:
            splits.append(split_of(path, line, row[0]))
            names.append(row[1].strip())
            counts = zip(VOTE_COLUMNS, row[2:], strict=True)
            votes.append([whole_number(path, line, column, cell, 255) for column, cell in counts])
    if not votes:
        raise DataError(f"{path} has a header but no rows", hint=PUBLISHED)
    return VoteTable(
        path, np.array(splits, np.uint8), np.array(names), np.array(votes, dtype=np.uint8)
    )


def read_images(path: Path) -> Generator[FaceRow]:
    """Go through Kaggle's `fer2013.csv`, one row in memory at a time."""
    return read_faces(path, whole=True, swapped=_VOTE_HEADER)

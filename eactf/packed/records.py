"""These classes hold a data set that has been read: aligned arrays, a `Samples` a split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from eactf.errors import DataError
from eactf.packed.image_rows import ImageRows, take_images

__all__ = ["MAX_ID", "SPLITS", "Dataset", "Samples"]

SPLITS = ("train", "validation", "test")

MAX_ID = 2**31 - 1
"""Ids fit a signed 32-bit integer, so that they travel to any device unchanged."""


@dataclass(frozen=True)
class Samples:
    """The samples of one split; row `i` of every array is the same sample.

    `images` is `(n, height, width, channels)` uint8 and may be a read-only memory map.
    `ids` is `(n,)` int64, unique in the whole data set, 0 <= id <= MAX_ID. `given` is `(n,)`
    int64, the class index as delivered. `clean`, where known, is the true class (-1 where not).
    `targets`, where there are soft labels, is `(n, classes)` float32 with rows that sum to 1.
    `labels` holds further label sets by name (`fer2013`: the labels FER2013 itself came with),
    -1 where a sample has none. `values` holds continuous targets by name (`valence`, `arousal`),
    `(n,)` float32, NaN where a sample has none; `valence` and `arousal` are meant to lie in [-1, 1]
    and are kept as they came where they do not. `names` are the samples' file names, where they
    have any. `votes`, where the annotators' votes are known, is `(n, len(vote_columns))` uint8 or
    float32. `columns` are further columns of the manifest that the samples came with, texts as they
    stood there.
    `digests`, where they are known, is `(n,)` uint64, equal for two samples only where their images
    are (`identity`).
    """

    images: np.ndarray | ImageRows
    ids: np.ndarray
    given: np.ndarray
    clean: np.ndarray | None = None
    targets: np.ndarray | None = None
    labels: Mapping[str, np.ndarray] = field(default_factory=dict)
    values: Mapping[str, np.ndarray] = field(default_factory=dict)
    names: np.ndarray | None = None
    votes: np.ndarray | None = None
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    digests: np.ndarray | None = None

    def __post_init__(self) -> None:
        arrays = {"ids": self.ids, "given": self.given, "clean": self.clean}
        arrays |= {"targets": self.targets, "names": self.names, "votes": self.votes}
        arrays |= {"digests": self.digests}
        arrays |= {f"labels/{name}": array for name, array in self.labels.items()}
        arrays |= {f"values/{name}": array for name, array in self.values.items()}
        arrays |= {f"columns/{name}": array for name, array in self.columns.items()}
        for name, array in arrays.items():
            if array is not None and len(array) != len(self.images):
                raise DataError(f"{name} has {len(array)} rows, images has {len(self.images)}")

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: np.ndarray) -> Samples:
        """The samples at `rows` (integer positions or a boolean mask), in that order.

        Images that lie in a file stay there (`ImageRows`).
        """

        def pick(array: np.ndarray | None) -> np.ndarray | None:
            return None if array is None else array[rows]

        return Samples(
            images=take_images(self.images, rows),
            ids=self.ids[rows],
            given=self.given[rows],
            clean=pick(self.clean),
            targets=pick(self.targets),
            labels={name: array[rows] for name, array in self.labels.items()},
            values={name: array[rows] for name, array in self.values.items()},
            names=pick(self.names),
            votes=pick(self.votes),
            columns={name: array[rows] for name, array in self.columns.items()},
            digests=pick(self.digests),
        )


@dataclass(frozen=True)
class Dataset:
    """A data set: its class names and its splits (a subset of `SPLITS`).

    `source` says in a line where it came from; `notes` are further facts worth keeping (vote
    rule, counts kept and dropped, licence). `vote_columns` name the columns of the samples' votes.
    """

    class_names: tuple[str, ...]
    splits: Mapping[str, Samples]
    source: str
    notes: Mapping[str, object] = field(default_factory=dict)
    vote_columns: tuple[str, ...] = ()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)` of every image."""
        height, width, channels = next(iter(self.splits.values())).images.shape[1:]
        return int(height), int(width), int(channels)

"""`predict_files` classifies image files and the images in folders."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.evaluation.pixel_tables import predict_tables, tables_apart
from eactf.evaluation.storage import (
    Prediction,
    StoredClassifier,
    find_classifier,
    open_classifier_file,
)
from eactf.intake.decode import quiet_pillow, read_image
from eactf.intake.parallel import in_order
from eactf.intake.sources.loose_images import find_images

__all__ = ["Pace", "PredictedFiles", "predict_files"]

Progress = Callable[[int, int], None]

_CHUNK = 32
"""Images that a thread decodes at a time."""


@dataclass
class Pace:
    """How long image files took from the first to the last, and the network's part of it.

    Files are decoded in threads while the network works on those before them, so that it hardly
    waits where `network_seconds` comes near `seconds`.
    """

    images: int = 0
    seconds: float = 0.0
    network_seconds: float = 0.0

    @property
    def images_per_second(self) -> float:
        """Images a second, decoding included; 0 where there was none."""
        return self.images / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class PredictedFiles:
    """Each readable file with what is predicted of it; in `bad` the rest, with why.

    `value_names` are the numbers that are predicted beside the class. `left_out` are sentences that
    say what in the folders was no image, or hidden; `pace` is that of the image files, tables of
    faces left out.
    """

    class_names: tuple[str, ...]
    files: list[tuple[Path, Prediction]]
    bad: Mapping[Path, str]
    left_out: tuple[str, ...] = ()
    value_names: tuple[str, ...] = ()
    pace: Pace = field(default_factory=Pace)


def predict_files(
    model: Path,
    images: tuple[Path, ...],
    *,
    batch_size: int,
    progress: Progress | None = None,
) -> PredictedFiles:
    """What a classifier says of image files, of all images in folders, of faces in CSV files.

    A file that cannot be read never gets a prediction; it is named with the reason. `progress` is
    called with the number of files that are done and that of all. Raises `UsageError` for paths
    that are not there, `UnsafeFileError` for a classifier that is refused.
    """
    stored = open_classifier_file(find_classifier(model, whole=True))
    if stored.model.input_shape[1] is None:
        raise UsageError(f"{stored.path} takes images of any size; eactf predict needs a fixed one")
    bad: dict[Path, str] = {}
    tables, images = tables_apart(images)
    found = find_images(images)
    with quiet_pillow():
        files, pace = _predict_images(stored, found.paths, bad, batch_size, progress)
    faces, unread = predict_tables(stored, tables, batch_size=batch_size)
    names = tuple(name for columns in stored.values.values() for name in columns)
    return PredictedFiles(
        stored.class_names, files + faces, bad | unread, found.left_out, names, pace
    )


def _predict_images(
    stored: StoredClassifier,
    paths: tuple[Path, ...],
    bad: dict[Path, str],
    batch_size: int,
    progress: Progress | None,
) -> tuple[list[tuple[Path, Prediction]], Pace]:
    """Each readable image with what is predicted, in order; those that are not go into `bad`."""
    _, size, _, channels = stored.model.input_shape
    files: list[tuple[Path, Prediction]] = []
    pace, begun = Pace(), time.perf_counter()
    with closing(_decoded(paths, bad, size=size, channels=channels)) as images:
        while batch := list(islice(images, batch_size)):
            asked = time.perf_counter()
            rows = np.stack([pixels for _, pixels in batch])
            if files:
                rows = _filled_up(rows, batch_size)
            found = stored.classify(rows)[: len(batch)]
            pace.network_seconds += time.perf_counter() - asked
            files += zip((path for path, _ in batch), found, strict=True)
            if progress is not None:
                progress(len(files) + len(bad), len(paths))
    pace.images, pace.seconds = len(files), time.perf_counter() - begun
    return files, pace


def _filled_up(images: np.ndarray, count: int) -> np.ndarray:
    """`count` images, the last of them blank: a graph for fewer would have to be made first."""
    blank = np.zeros((count - len(images), *images.shape[1:]), images.dtype)
    return np.concatenate([images, blank])


def _decoded(
    paths: tuple[Path, ...], bad: dict[Path, str], *, size: int, channels: int
) -> Generator[tuple[Path, np.ndarray], None, None]:
    """The images that can be read, in order, decoded ahead in threads; the rest goes into `bad`."""

    def read(row: int) -> np.ndarray | str:
        try:
            return read_image(paths[row], size=size, channels=channels)
        except DataError as reason:
            return reason.message

    with closing(in_order(read, len(paths), batch=_CHUNK)) as chunks:
        for rows, found in chunks:
            for row, image in zip(rows, found, strict=True):
                if isinstance(image, str):
                    bad[paths[row]] = image
                else:
                    yield paths[row], image

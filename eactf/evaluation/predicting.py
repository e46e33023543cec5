"""`predict_files` classifies image files and the images in folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.evaluation.pixel_tables import predict_tables, tables_apart
from eactf.evaluation.storage import Prediction, find_classifier, open_classifier_file
from eactf.intake.decode import read_image
from eactf.intake.sources.loose_images import find_images

__all__ = ["PredictedFiles", "predict_files"]


@dataclass(frozen=True)
class PredictedFiles:
    """Each readable file with what is predicted of it; in `bad` the rest, with why.

    `value_names` are the numbers that are predicted beside the class. `left_out` are sentences that
    say what in the folders was no image, or hidden.
    """

    class_names: tuple[str, ...]
    files: list[tuple[Path, Prediction]]
    bad: Mapping[Path, str]
    left_out: tuple[str, ...] = ()
    value_names: tuple[str, ...] = ()


def predict_files(model: Path, images: tuple[Path, ...], *, batch_size: int) -> PredictedFiles:
    """What a classifier says of image files, of all images in folders, of faces in CSV files.

    A file that cannot be read never gets a prediction; it is named with the reason. Raises
    `UsageError` for paths that are not there, `UnsafeFileError` for a classifier that is refused.
    """
    stored = open_classifier_file(find_classifier(model, whole=True))
    height, _, channels = stored.model.input_shape[1:]
    if height is None:
        raise UsageError(f"{stored.path} takes images of any size; eactf predict needs a fixed one")
    files: list[tuple[Path, Prediction]] = []
    bad: dict[Path, str] = {}
    tables, images = tables_apart(images)
    found = find_images(images)
    paths = found.paths
    for start in range(0, len(paths), batch_size):
        readable, batch = [], []
        for path in paths[start : start + batch_size]:
            try:
                batch.append(read_image(path, size=height, channels=channels))
                readable.append(path)
            except DataError as reason:
                bad[path] = reason.message
        if batch:
            files += zip(readable, stored.classify(np.stack(batch)), strict=True)
    faces, unread = predict_tables(stored, tables, batch_size=batch_size)
    names = tuple(name for columns in stored.values.values() for name in columns)
    return PredictedFiles(stored.class_names, files + faces, bad | unread, found.left_out, names)

"""Choosing the images on which an exported file is compared with Keras, and calibrated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eactf.data.pipeline import ImageForm, evaluation_batches
from eactf.errors import DataError, UsageError
from eactf.evaluation.judge import DataToJudge, data_to_judge
from eactf.evaluation.storage import StoredClassifier
from eactf.faces import draw_faces
from eactf.intake.decode import read_image
from eactf.intake.sources.loose_images import find_images
from eactf.packed.records import Samples
from eactf.wording import counted

__all__ = ["CALIBRATION_IMAGES", "CheckImages", "choose_check_images"]

CALIBRATION_IMAGES = 256
"""So many images at the most give the ranges of 8-bit integers; more change them little."""

_DRAWN = 64
_DRAWN_SIZE = (16, 512)


@dataclass(frozen=True)
class CheckImages:
    """Images `(n, size, size, channels)` uint8 to compare on, in words too, `labels` `(n,)`.

    There are labels where the images have any. `calibration` is `(m, size, size, channels)`, None
    where nothing real is at hand. `remarks` are what there is to know of the choice.
    """

    images: np.ndarray
    words: str
    labels: np.ndarray | None = None
    calibration: np.ndarray | None = None
    remarks: tuple[str, ...] = ()


def choose_check_images(
    stored: StoredClassifier,
    target: Path,
    data: Path | None,
    calibration: tuple[Path, ...],
    *,
    most: int,
    calibrate: bool,
) -> CheckImages:
    """At most `most` images to compare on, and with `calibrate` those to calibrate with.

    Compared is on what `eactf evaluate` would judge on, from `data` or the run's own; where neither
    is there on the calibration images, and at last on drawn faces. `calibration` are image files
    and folders, labelled or not; without any the training split is taken. Raises as
    `eactf evaluate` does, but not for a run whose own data is gone.
    """
    own = None if not calibration else _read(stored, calibration, CALIBRATION_IMAGES)
    try:
        opened = data_to_judge(stored, target, data)
        chosen = opened.choose(None)
    except (UsageError, DataError) as reason:
        if data is not None:
            raise
        return _without_data(stored, own, reason)
    samples = _some(chosen.samples, most)
    remarks = list(chosen.remarks)
    if own is None and calibrate:
        own, remark = _training_images(opened)
        remarks += remark
    return CheckImages(
        _pixels(samples, stored),
        f"{counted(len(samples), 'image')} of {chosen.name} of {opened.dataset.source}",
        samples.given,
        own,
        tuple(remarks),
    )


def _without_data(
    stored: StoredClassifier, calibration: np.ndarray | None, reason: UsageError | DataError
) -> CheckImages:
    if calibration is not None:
        words = f"{counted(len(calibration), 'image')} of those it was calibrated on"
        return CheckImages(calibration, words, calibration=calibration)
    size = stored.model.input_shape[1]
    drawn = draw_faces(_DRAWN, size=int(np.clip(size, *_DRAWN_SIZE)), seed=0)[0]
    samples = Samples(drawn, np.arange(_DRAWN), np.zeros(_DRAWN, np.int64))
    remark = f"compared on drawn faces alone, for {reason.message}; give real images by --data"
    return CheckImages(_pixels(samples, stored), f"{_DRAWN} drawn faces", remarks=(remark,))


def _training_images(opened: DataToJudge) -> tuple[np.ndarray, list[str]]:
    """Images of the training split, or of what there is where there is none."""
    try:
        samples, remarks = opened.choose("train").samples, []
    except DataError:
        samples = opened.choose(None).samples
        remarks = ["there is no training split: calibrated on images that it is compared on"]
    return _pixels(_some(samples, CALIBRATION_IMAGES), opened.stored), remarks


def _some(samples: Samples, most: int) -> Samples:
    """At most `most` samples, evenly spread over all: files are often sorted by class."""
    count = len(samples)
    return samples.take(np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64)))


def _pixels(samples: Samples, stored: StoredClassifier) -> np.ndarray:
    """The images of samples as the network takes them, `(n, size, size, channels)` uint8."""
    size, _, channels = stored.model.input_shape[1:]
    batches = evaluation_batches(samples, ImageForm(size, channels), batch_size=256)
    return np.concatenate([images.numpy() for images, _, _ in batches])


def _read(stored: StoredClassifier, paths: tuple[Path, ...], most: int) -> np.ndarray:
    """Images of files and folders, at most `most`; `DataError` names one that cannot be read."""
    size, _, channels = stored.model.input_shape[1:]
    found = find_images(paths).paths
    rows = np.unique(np.linspace(0, len(found) - 1, min(len(found), most)).astype(np.int64))
    images = []
    for path in (found[row] for row in rows):
        try:
            images.append(read_image(path, size=size, channels=channels))
        except DataError as reason:
            raise DataError(f"{path}: {reason.message}", hint="leave it out") from None
    return np.stack(images)

"""What a trained network makes of the images of its run, once for all sections of a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from eactf.data.pipeline import ImageForm
from eactf.errors import DataError
from eactf.evaluation.storage import StoredClassifier, find_classifier, open_classifier_file
from eactf.packed.records import Samples
from eactf.report.page.allowance import Allowance, allow, multiply_adds
from eactf.report.page.facts import RunFacts
from eactf.report.page.images import RunImages, run_images
from eactf.report.page.looking import batches_of, features_of, judge_occluded, look_at, some_of
from eactf.report.page.looks import Looks
from eactf.report.page.network import MapNetwork, open_for_features, open_for_maps

__all__ = ["Evidence", "find_evidence"]

Opened = TypeVar("Opened")

MOST_POINTS = 1_200
"""So many features are laid out in the plane."""


@dataclass(frozen=True)
class Evidence:
    """A run's network and what it says of the images that the run was trained and judged on.

    `occluded` `(3, 3)` is the share that it predicts rightly of `occluded_images` of the judged
    images where one of nine blocks is covered, `uncovered` that of the same images whole. `points`
    are the training images whose `features` `(n, C)` are here, None where the network
    has none to show. `remarks` are sentences.
    """

    images: RunImages
    train: Looks
    judged: Looks
    occluded: np.ndarray
    uncovered: float
    occluded_images: int
    points: Samples
    features: np.ndarray | None
    form: ImageForm
    network: MapNetwork | None
    remarks: tuple[str, ...]

    def maps(self, samples: Samples) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Images `(n, H, W, c)`, their maps `(n, h, w, L)`, and their mirror images' maps.

        Few samples at a time; `ValueError` where the network has no maps.
        """
        if self.network is None:
            raise ValueError("a network without maps")
        images = np.concatenate([batch.numpy() for batch in batches_of(samples, self.form)])
        maps = self.network.look(images)[2]
        mirrored = self.network.look(images[:, :, ::-1])[2]
        return images, ops.convert_to_numpy(maps), ops.convert_to_numpy(mirrored)


def find_evidence(facts: RunFacts, *, every: bool = False) -> Evidence:
    """Open a run's network and look at its images, at `every` one whatever that costs.

    Raises an `EactfError` where network or images are gone.
    """
    stored = open_classifier_file(find_classifier(facts.folder))
    images = _images(facts, stored)
    shown, remarks = _shown(facts, stored.model)
    network = _attempt(lambda: open_for_maps(shown), "maps", remarks)
    inner = _attempt(lambda: open_for_features(shown), "features", remarks)
    form = _form(stored.model, images)
    allowed = _allowed(images, stored.model, remarks, every=every)
    train = look_at(stored.model, network, some_of(images.train, allowed.train), form)
    judged = look_at(stored.model, network, some_of(images.judged, allowed.judged), form)
    points = some_of(train.samples, MOST_POINTS)
    covered = judge_occluded(stored.model, judged, form, allowed.occluded)
    features = None if inner is None else features_of(inner, points, form)
    told = (*images.remarks, *remarks)
    return Evidence(images, train, judged, *covered, points, features, form, network, told)


def _images(facts: RunFacts, stored: StoredClassifier) -> RunImages:
    images = run_images(facts)
    if stored.classes != len(images.class_names):
        raise DataError(
            f"the network tells {stored.classes} classes apart, its data has "
            f"{len(images.class_names)}"
        )
    return images


def _shown(facts: RunFacts, classifier: keras.Model) -> tuple[keras.Model, list[str]]:
    """The classifier whose maps and features are shown: of two networks the first."""
    first = facts.folder / "network-1.keras"
    if not first.is_file():
        return classifier, []
    told = "Maps and features are those of the first of its two networks (network-1.keras)."
    return open_classifier_file(first).model, [told]


def _attempt(open_: Callable[[], Opened], what: str, remarks: list[str]) -> Opened | None:
    """What a classifier is opened for; None, with a remark, where it is not made for that."""
    try:
        return open_()
    except DataError as reason:
        remarks.append(f"The network has no {what} to show: {reason.message}.")
        return None


def _form(classifier: keras.Model, images: RunImages) -> ImageForm:
    """The form that the classifier takes images in; one of any size takes them as they are."""
    size, _, channels = classifier.input_shape[1:]
    return ImageForm(size or images.train.images.shape[1], channels)


def _allowed(
    images: RunImages, classifier: keras.Model, remarks: list[str], *, every: bool
) -> Allowance:
    """How many images are looked at; a remark where these are not all of them."""
    counts = len(images.train), len(images.judged)
    free = every or tf.config.list_logical_devices("GPU")
    allowed = allow(*counts, 0.0 if free else multiply_adds(classifier))
    if (allowed.train, allowed.judged) != counts:
        remarks.append(
            f"The network is large for this machine: {allowed.train:,} of {counts[0]:,} training "
            f"images and {allowed.judged:,} of {counts[1]:,} judged ones were looked at, drawn by "
            "chance. Figures of single images are of these. All of them: eactf report --all."
        )
    return allowed

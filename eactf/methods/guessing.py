"""Ada-CM's terms in the step of a method that divides its labels: images set aside are guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops

from eactf import margins
from eactf.division import Division
from eactf.methods.batch import Batch
from eactf.methods.margin_terms import guess, sure_cross_entropy, unsure_term
from eactf.methods.mixmatch import MixingMethod
from eactf.methods.training_rows import TrainingRows
from eactf.nn.normalization import weighing_rows
from eactf.nn.normalized_head import unit_length
from eactf.nn.strong_augmentation import random_strong

__all__ = ["GuessingMethod"]

Tensor = Any

_STRONG = 12
"""The stream of random draws of what makes a view strong."""


class GuessingMethod(MixingMethod):
    """A dividing method whose steps may guess the labels that were set aside, as Ada-CM does.

    `takes_guesses` says whether they do; `margins` `(2, C)` are then how confident each network
    must be of a guess. They are measured at each division, on the samples that a network is trained
    on, by its own predictions.
    """

    takes_guesses: bool
    margin_floor: float

    def start_guessing(
        self,
        *,
        margin_factor: float,
        pseudo_label_weight: float,
        low_confidence_weight: float,
        contrast_temperature: float,
        strong_operations: int,
    ) -> None:
        """Take the settings of the step; those of the margins' start are set before the base's."""
        self.margin_factor = float(margin_factor)
        self.pseudo_label_weight = float(pseudo_label_weight)
        self.low_confidence_weight = float(low_confidence_weight)
        self.contrast_temperature = float(contrast_temperature)
        self.strong_operations = int(strong_operations)

    def start_clock(self, seed: int) -> None:
        super().start_clock(seed)
        if self.takes_guesses:
            classes = self.classifier.output_shape[-1]
            self.margins = self._table("margins", (len(self.networks), classes), self.margin_floor)

    def instead_of_unlabelled(self, labelled: np.ndarray) -> np.ndarray:
        """The labelled images, their labels unseen, where no others are to be guessed."""
        return labelled if self.takes_guesses else super().instead_of_unlabelled(labelled)

    def divided(self, division: Division, logits: np.ndarray, rows: TrainingRows) -> None:
        """Measure the margins of the epoch to come; those of the first are the floor."""
        super().divided(division, logits, rows)
        if not self.takes_guesses:
            return
        found = []
        for number in range(len(self.networks)):
            kept = division.kept[:, 1 - number]
            found.append(
                margins.confidence_margins(
                    margins.probabilities(logits[kept, number]),
                    rows.classes[kept],
                    division.epoch - self.warm_up,
                    self.margin_floor,
                    self.margin_factor,
                )
            )
        self.margins.assign(np.stack(found))

    def guessed(self, logits: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Each network's own guesses, sure where they reach its margins."""
        if not self.takes_guesses:
            return super().guessed(logits)
        each = margins.probabilities(logits)
        classes = each.argmax(axis=2)
        levels = np.take_along_axis(ops.convert_to_numpy(self.margins).T, classes, axis=0)
        return classes.astype(np.int16), each.max(axis=2) >= levels

    def guessed_terms(
        self, views: Sequence[Tensor], batch: Batch
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """What the global batch of images set aside costs, a scalar, and its parts.

        `views` are two weak ones and the strong one of this replica's `batch`, each a forward pass.
        """
        network = self.opened_networks[self.trained]
        with weighing_rows(self._row_weight(batch.share)):
            found = [network(view, training=True) for view in views]
        logits = [self.over_all_replicas(ops.cast(each, "float32"), batch) for _, each in found]
        level = ops.convert_to_tensor(self.margins)[self.trained]
        guessed = guess(logits[0], logits[1], level)
        both = ops.stack([_unit_features(maps) for maps, _ in found[:2]], axis=1)
        pairs = self.over_all_replicas(both, batch)
        kind, temperature = "contrastive", self.contrast_temperature
        parts = {
            "unlabelled": sure_cross_entropy(logits[2], guessed),
            "low_confidence": unsure_term(kind, pairs, guessed.is_sure, temperature),
            "sure": ops.mean(ops.cast(guessed.is_sure, "float32")),
            "confidence": ops.mean(guessed.confidence),
        }
        loss = self.pseudo_label_weight * parts["unlabelled"]
        return loss + self.low_confidence_weight * parts["low_confidence"], parts

    def guessed_views(self, batch: Batch) -> list[Tensor]:
        """Two weak views and a strong one, each as the method sees images."""

        def strong(images: Tensor) -> Tensor:
            keys = self.sample_keys(images, _STRONG)
            return self.make_views(random_strong(images, keys, self.strong_operations))

        weak = [self.views_of(batch, view=self.view(number)) for number in (1, 2)]
        return [*weak, self.views_of(batch, strong, view=self.view(3))]

    def guessing_config(self) -> dict[str, Any]:
        """The settings that `start_guessing` took, and the floor."""
        return {
            "margin_floor": self.margin_floor,
            "margin_factor": self.margin_factor,
            "pseudo_label_weight": self.pseudo_label_weight,
            "low_confidence_weight": self.low_confidence_weight,
            "contrast_temperature": self.contrast_temperature,
            "strong_operations": self.strong_operations,
        }

    def epoch_record(
        self, ids: Any, given: Any, truth: Any, class_names: Sequence[str]
    ) -> Mapping[str, Any]:
        """As every dividing method's, with each network's margins, `margins_1` and `margins_2`.

        Of its guesses `sure_accuracy_1` and `sure_per_class_1` are told besides.
        """
        found = dict(super().epoch_record(ids, given, truth, class_names))
        if self.takes_guesses:
            for number, levels in enumerate(ops.convert_to_numpy(self.margins), start=1):
                rounded = levels.astype(np.float64).round(6).tolist()
                found[f"margins_{number}"] = dict(zip(class_names, rounded, strict=True))
        return found


def _unit_features(maps: Tensor) -> Tensor:
    """Pooled features `(n, C)` of length 1, of the last maps `(n, H, W, C)`."""
    return unit_length(ops.mean(ops.cast(maps, "float32"), axis=(1, 2)))

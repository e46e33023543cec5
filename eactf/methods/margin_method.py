"""A method that learns from sure guesses: what it counts as sure, class by class, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from keras import ops

from eactf import margins
from eactf.data.pipeline import epoch_order
from eactf.division import guess_figures
from eactf.methods.averaged import AveragedMethod
from eactf.methods.batch import Batch
from eactf.methods.margin_terms import Guess
from eactf.methods.training_rows import Phase

__all__ = ["MarginMethod"]

Tensor = Any

_MARGINS = 9
"""The stream of orders of the labelled images when margins are measured."""

_MARGIN_VIEW = 4
"""The number of the view that margins are measured on; those of a step come before it."""


class MarginMethod(AveragedMethod):
    """A method with a margin of confidence for each class, measured on its labelled samples.

    `margins` `(C,)` are those of the running epoch; `tally` `(3, C)` counts, of the images guessed
    to be of a class in it, how many there were and how many were sure, and has the greatest
    confidence. The settings `margin_floor`, `margin_factor` and `margin_views` are a subclass's.
    """

    margin_floor: float
    margin_factor: float
    margin_views: str

    def start_clock(self, seed: int) -> None:
        super().start_clock(seed)
        classes = self.classifier.output_shape[-1]
        self.margins = self._table("margins", (classes,), self.margin_floor)
        self.tally = self._table("tally", (3, classes), 0.0)

    @property
    def labelled_places(self) -> np.ndarray:
        """Places `(n,)` of the training samples whose labels are used; each method says."""
        raise NotImplementedError(f"{type(self).__name__} has no labelled samples")

    def _start_phase(self, phase: Phase) -> None:
        super()._start_phase(phase)
        self.tally.assign(ops.zeros(self.tally.shape))

    def guesses_of_all(self, guessed: Guess, batch: Batch) -> Guess:
        """The guesses of the whole global batch."""
        columns = [ops.cast(column, "float32") for column in guessed]
        rows = self.over_all_replicas(ops.stack(columns, axis=1), batch)
        return Guess(ops.cast(rows[:, 0], "int32"), rows[:, 1], rows[:, 2] > 0.5)

    def count_guesses(self, everyone: Guess) -> None:
        """Add a step to the tally: guesses, sure ones, the greatest confidence of each class."""
        hot = ops.one_hot(everyone.classes, self.tally.shape[1], dtype="float32")
        sure = hot * ops.cast(everyone.is_sure, "float32")[:, None]
        sums = self.tally[:2] + ops.stack([ops.sum(hot, axis=0), ops.sum(sure, axis=0)])
        greatest = ops.max(hot * everyone.confidence[:, None], axis=0)
        greatest = ops.maximum(self.tally[2], greatest)
        self.tally.assign(ops.concatenate([sums, greatest[None]]))

    # Between two epochs.

    def end_epoch(self, epoch: int) -> None:
        """Measure the margins of the next epoch."""
        self.margins.assign(self.measured_margins(epoch + 1))

    def measured_margins(self, epoch: int) -> np.ndarray:
        """The margins `(classes,)` that the average's confidence gives after `epoch` epochs."""
        rows, places = self._attached(), self.labelled_places
        if self.margin_views == "training":
            places = places[epoch_order(len(places), self.seed, epoch, _MARGINS)]
            whole = len(places) // rows.batch_size * rows.batch_size
            places = places[: whole or None]
        likely = margins.probabilities(self._logits_of(*rows.in_order(places)))
        own = rows.classes[places]
        return margins.confidence_margins(likely, own, epoch, self.margin_floor, self.margin_factor)

    @property
    def margin_record(self) -> dict[str, list[float | None]]:
        """What the last epoch guessed, one number a class.

        `guessed` is how many unlabelled images were taken for the class, `sure` the share of them
        that reached the margin (None of none), `greatest_confidence` the greatest one, `margins`
        what the next epoch asks for.
        """
        counts, sure, greatest = np.asarray(ops.convert_to_numpy(self.tally), np.float64)
        shares = [float(s / n) if n else None for s, n in zip(sure, counts, strict=True)]
        levels = np.asarray(ops.convert_to_numpy(self.margins), np.float64)
        return {
            "guessed": counts.tolist(),
            "sure": shares,
            "greatest_confidence": greatest.round(6).tolist(),
            "margins": levels.round(6).tolist(),
        }

    def epoch_record(
        self, ids: Any, given: Any, truth: Any, class_names: Sequence[str]
    ) -> Mapping[str, Any]:
        """`margin_record`, each list by the names of the classes.

        Where the truth is known, also `guess_accuracy` and `sure_accuracy` of the average's own
        guesses of the unlabelled images as they are, by the margins to come: one more pass.
        """
        names = list(class_names)
        found: dict[str, Any] = {
            f"{key}_per_class": dict(zip(names, numbers, strict=True))
            for key, numbers in self.margin_record.items()
        }
        figures = {} if truth is None or self.rows is None else self._worth_of_guesses(truth, names)
        return {**figures, **found}

    def _worth_of_guesses(self, truth: np.ndarray, names: Sequence[str]) -> Mapping[str, Any]:
        unlabelled = np.setdiff1d(np.flatnonzero(truth >= 0), self.labelled_places)
        if not len(unlabelled):
            return {}
        batches, steps = self._attached().in_order(unlabelled)
        found = self.predict(batches, steps=steps, verbose=0, callbacks=self._watchers)
        likely = margins.probabilities(np.asarray(found))
        guessed, levels = likely.argmax(axis=1), ops.convert_to_numpy(self.margins)
        sure = likely.max(axis=1) >= levels[guessed]
        return guess_figures(guessed, truth[unlabelled], names, sure)

    def predict_step(self, data: Any) -> Tensor:
        if self.gives != "views":
            return super().predict_step(data)
        batch = self.unpack(data)
        images = self.views_of(batch, view=_MARGIN_VIEW)
        return self(images, training=False)[: batch.count]

    def _logits_of(self, batches: Any, steps: int | None) -> np.ndarray:
        """The average's logits of labelled batches, in the views that margins are measured on."""
        settings: dict[str, Any] = {"steps": steps, "verbose": 0, "callbacks": self._watchers}
        if self.margin_views == "training":
            found = self.predict_other("views", batches, **settings)
        else:
            found = self.predict(batches, **settings)
        return np.asarray(found, np.float64)

"""What methods share that divide the training labels between epochs, each network for the other.

Both networks first learn from all labels, some epochs long. From then on each judges all labels by
its losses, and is trained on the division that the other one made (co-divide, DivideMix, section
3.1): what one network believes wrongly the other need not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops

from eactf import losses, margins, mixture
from eactf.division import Division
from eactf.methods.pair import PairMethod
from eactf.methods.planned import PlannedMethod
from eactf.methods.training_rows import Phase, TrainingRows
from eactf.methods.views import Erasing, Views

__all__ = ["DividingMethod"]

Tensor = Any

_UNLABELLED = 8
"""Streams of orders from here on are those of the samples whose labels were set aside."""

FEWEST_UNLABELLED = 2
"""Below it a step has labelled samples alone: one image has no other to be told from."""


class DividingMethod(PlannedMethod, PairMethod):
    """A method of two networks that warms up on all labels and then divides them every epoch.

    `division` is the last one made, None before the warm-up is over; it is that of the epoch to
    come, and is made once both networks have been trained. Of `phases` the first trains the first
    network, the second the second one, the other one standing still. Parts that are logged after
    the warm-up alone are not in the file of Keras' `CSVLogger`, which takes the columns of the
    first epoch. With XLA every size of a batch that occurs is compiled by itself, the last ones of
    each phase anew in most epochs.
    """

    def __init__(
        self,
        classifier: keras.Model,
        second: keras.Model | None,
        *,
        warm_up: int,
        confidence_penalty: bool,
        monotone: bool,
        clip_quantile: float | None,
        loss_history: int,
        flip_probability: float,
        erasing: Erasing,
        augmentation: Views,
        prior_adjustment: float,
        class_prior: Sequence[float] | None,
        seed: int,
        name: str,
    ) -> None:
        super().__init__(
            classifier,
            second,
            flip_probability=flip_probability,
            erasing=erasing,
            augmentation=augmentation,
            prior_adjustment=prior_adjustment,
            class_prior=class_prior,
            seed=seed,
            name=name,
        )
        self.warm_up = int(warm_up)
        self.confidence_penalty = bool(confidence_penalty)
        self.monotone = bool(monotone)
        self.clip_quantile = None if clip_quantile is None else float(clip_quantile)
        self.loss_history = int(loss_history)
        self.division: Division | None = None
        self.histories = self._no_histories()

    # Between two epochs.

    def end_epoch(self, epoch: int) -> None:
        """Divide the labels for the next epoch, once the warm-up is over."""
        if epoch + 1 >= self.warm_up:
            self.division = self.divide(self._attached(), epoch + 1)

    def divide(self, rows: TrainingRows, epoch: int) -> Division:
        """What both networks of the moment make of all labels, after `epoch` epochs.

        One pass over all samples, in evaluation mode and as they are, by both networks.
        """
        if self.division is not None and not self.division.is_of(rows.ids, rows.digest):
            self.histories = self._no_histories()  # they are those of other samples
        batches, steps = rows.in_order()
        logits = self.predict_each(batches, steps=steps, verbose=0, callbacks=self._watchers)
        if self.traces is not None:
            # Of labels that are set aside the steps show nothing: this pass shows all alike.
            self.traces.add(rows.ids, rows.labels, logits.sum(axis=1))
        given, found = rows.classes, []
        for number, history in enumerate(self.histories):
            own = logits[:, number].astype(np.float64)
            clean = history.clean_probability(
                _cross_entropies(own, rows.labels), self.monotone, self.clip_quantile
            )
            thresholds = self.thresholds(clean, given, own, epoch)
            found.append((clean, self.kept(clean, given, thresholds, rows), thresholds))
        probabilities, kept, limits = zip(*found, strict=True)
        clean_by_each, kept_by_each = (np.stack(each, axis=1) for each in (probabilities, kept))
        division = Division(
            epoch, rows.ids, clean_by_each, kept_by_each, np.stack(limits), rows.digest
        )
        self.divided(division, logits, rows)
        guessed, sure = self.guessed(logits)
        return replace(division, guessed=guessed, sure=sure)

    def divided(self, division: Division, logits: np.ndarray, rows: TrainingRows) -> None:
        """What a method draws from a new division and the logits `(N, 2, C)` it was made by."""

    def guessed(self, logits: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
        """What takes the place of labels set aside, as `Division.guessed` and `Division.sure`.

        By `logits` `(N, 2, C)` of the images as they are. None where nothing does.
        """
        return None, None

    def _no_histories(self) -> list[mixture.LossHistory]:
        return [mixture.LossHistory(self.loss_history) for _ in self.networks]

    def thresholds(
        self, clean: np.ndarray, given: np.ndarray, logits: np.ndarray, epoch: int
    ) -> np.ndarray:
        """How likely clean a label of each class must be to be kept, `(C,)`; each method says."""
        raise NotImplementedError(f"{type(self).__name__} has no thresholds")

    least_of_each_class = 0
    """How many labels of each class are kept whatever their clean probability."""

    def kept(
        self, clean: np.ndarray, given: np.ndarray, thresholds: np.ndarray, rows: TrainingRows
    ) -> np.ndarray:
        """Which labels are kept, `(N,)` bool: a batch at least, the likeliest clean ones."""
        found = margins.kept(clean, given, thresholds, self.least_of_each_class)
        if found.sum() < rows.batch_size:
            found[np.argsort(-clean, kind="stable")[: rows.batch_size]] = True
        return found

    def phases(self, epoch: int, rows: TrainingRows) -> Sequence[Phase]:
        if epoch < self.warm_up:
            return [self._warm_up_phase(number, epoch, rows) for number in (0, 1)]
        if not self._is_divided(rows, epoch):
            # Taken up without what the epoch before decided, as after `load_weights`.
            self.division = self.divide(rows, epoch)
        return [self._trained_on_the_others(number, epoch, rows) for number in (0, 1)]

    def _is_divided(self, rows: TrainingRows, epoch: int) -> bool:
        """Whether the last division is that of these samples for `epoch`."""
        known = self.division
        return known is not None and known.epoch == epoch and known.is_of(rows.ids, rows.digest)

    passes_between_epochs = True

    def kinds_of_epochs(self, epochs: int) -> Sequence[tuple[float, Sequence[Phase]]]:
        """The warm-up, and epochs in which four labels of five are kept."""
        rows, warm_up = self._attached(), min(self.warm_up, epochs)
        kinds = [(warm_up / epochs, [self._warm_up_phase(number, 0, rows) for number in (0, 1)])]
        if warm_up == epochs:
            return kinds
        before, self.division = self.division, _imagined(rows, len(self.networks))
        after = [self._trained_on_the_others(number, 0, rows) for number in (0, 1)]
        self.division = before
        return [*kinds, (1.0 - warm_up / epochs, after)]

    def _warm_up_phase(self, number: int, epoch: int, rows: TrainingRows) -> Phase:
        order = rows.order(np.arange(len(rows)), epoch, stream=number)
        return Phase(number, order, self.warm_up_batch(rows.batch_size))

    def warm_up_batch(self, batch_size: int) -> int:
        """How many samples a step of the warm-up takes."""
        return batch_size

    def instead_of_unlabelled(self, labelled: np.ndarray) -> np.ndarray:
        """The places that are taken where no samples without labels are: none."""
        return labelled[:0]

    takes_unlabelled = True
    """Whether a step takes samples whose labels were set aside."""

    def _trained_on_the_others(self, number: int, epoch: int, rows: TrainingRows) -> Phase:
        assert self.division is not None
        kept = self.division.kept[:, 1 - number]
        labelled = rows.order(np.flatnonzero(kept), epoch, stream=number)
        steps = -(-len(labelled) // rows.batch_size)
        others = np.flatnonzero(~kept)
        if not self.takes_unlabelled or len(others) < FEWEST_UNLABELLED:
            others = self.instead_of_unlabelled(np.flatnonzero(kept))
        stream = _UNLABELLED + number
        return Phase(
            number,
            labelled,
            rows.batch_size,
            rows.cycled(others, steps * rows.batch_size, epoch, stream),
            self.division.clean[:, 1 - number],
        )

    # A step of the warm-up.

    def warm_up_step(self, data: Any) -> Mapping[str, Tensor]:
        """Cross-entropy with all labels, and the confidence penalty where it is asked for."""
        batch = self.unpack(data)
        images = self.views_of(batch, view=self.view(0))
        weights = self.weights_of(batch)
        network = self.opened_networks[self.trained]

        def objective() -> tuple[Tensor, Any]:
            logits = network(images, training=True)[1]
            loss = self.cross_entropy(logits, batch.labels, weights)
            if self.confidence_penalty:
                loss = loss + losses.negative_entropy(logits)
            return loss, (logits, loss)

        logits, loss = self.minimize_own(objective, batch.share)
        return self.report(batch, logits, {"loss": loss})

    def view(self, number: int) -> int:
        """The number of a view of an image, another one for each network."""
        return _VIEWS_OF_A_NETWORK * self.trained + number

    def minimize_own(self, objective: Any, share: Tensor) -> Any:
        """As `minimize`, with the network that is trained."""
        variables = self.networks[self.trained].trainable_variables
        return self.minimize(objective, share, variables, self.optimizers[self.trained])

    def one_hot(self, labels: Tensor) -> Tensor:
        """Labels as rows `(n, classes)` float32."""
        if len(labels.shape) == 2:
            return ops.cast(labels, "float32")
        return ops.one_hot(labels, self.classifier.output_shape[-1], dtype="float32")

    def _start_phase(self, phase: Phase) -> None:
        self.same_learning_rate()
        super()._start_phase(phase)

    def epoch_record(
        self, ids: Any, given: Any, truth: Any, class_names: Sequence[str]
    ) -> Mapping[str, Any]:
        """The figures of each network's division, `kept_1` a share, `kept_per_class_1` counts.

        Where labels that were set aside are guessed, `guess_accuracy_1` is the share of right
        guesses among those that the first network is trained on next: of what the second set aside.
        """
        if self.division is None:
            return {}
        found: dict[str, Any] = {}
        for number, figures in enumerate(self.division.figures(given, truth, class_names), start=1):
            figures["kept"] /= len(ids)
            figures |= self.division.guesses_for(number - 1, truth, class_names)
            found |= {f"{name}_{number}": value for name, value in figures.items()}
        return found

    # What it remembers.

    def extra_state(self) -> Mapping[str, np.ndarray]:
        known = {} if self.division is None else self.division.arrays()
        histories = {
            f"history_{number}": history.epochs for number, history in enumerate(self.histories)
        }
        return {**super().extra_state(), **known, **histories}

    def restore_extra_state(self, state: Mapping[str, np.ndarray]) -> None:
        super().restore_extra_state(state)
        self.division = Division.from_arrays(state)
        for number, history in enumerate(self.histories):
            history.restore(state[f"history_{number}"])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "warm_up": self.warm_up,
            "confidence_penalty": self.confidence_penalty,
            "monotone": self.monotone,
            "clip_quantile": self.clip_quantile,
            "loss_history": self.loss_history,
        }


_VIEWS_OF_A_NETWORK = 8


def _imagined(rows: TrainingRows, networks: int) -> Division:
    """A division as they usually are, before there is one: four labels of five are kept."""
    kept = np.repeat((np.arange(len(rows)) % 5 > 0)[:, None], networks, axis=1)
    return Division(0, rows.ids, kept.astype(np.float64), kept, np.zeros((networks, 1)))


def _cross_entropies(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The cross-entropy of each sample, `(N,)` float64."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    if labels.ndim == 1:
        found: np.ndarray = -np.take_along_axis(logs, labels.astype(np.int64)[:, None], 1)[:, 0]
        return found
    return np.asarray(-(labels * logs).sum(axis=1))

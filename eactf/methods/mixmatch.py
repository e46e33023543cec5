"""DivideMix's step: labels refined and guessed by two networks, and images mixed (section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from keras import ops

from eactf import losses, margins
from eactf.methods.batch import Batch, pad_rows
from eactf.methods.dividing import DividingMethod
from eactf.nn.beta import beta_quantiles, larger_share
from eactf.nn.counter_random import uniform
from eactf.nn.normalization import weighing_rows
from eactf.schedules import ramp_up

__all__ = ["MixingMethod"]

Tensor = Any

_MIX, _ORDER = 9, 10
"""Streams of random draws: how much is mixed, and with whom."""


class _Mixed(NamedTuple):
    """A mixed batch: this replica's `rows`, in their `places` among all `total` replicas' rows.

    `targets` are all replicas', of which the first `labelled_rows` belong to labelled images;
    `share` is that of the own rows.
    """

    rows: Tensor
    places: Tensor
    targets: Tensor
    labelled_rows: Tensor
    total: Tensor
    share: Tensor


class MixingMethod(DividingMethod):
    """A dividing method whose steps may be DivideMix's; `start_mixing` says how they are made."""

    def start_mixing(
        self,
        *,
        unlabelled_weight: float,
        ramp: float,
        alpha: float,
        temperature: float,
        guess: str,
        forward_unlabelled: bool,
    ) -> None:
        """Take the settings of the step."""
        self.unlabelled_weight = float(unlabelled_weight)
        self.ramp = float(ramp)
        self.alpha = float(alpha)
        self.temperature = float(temperature)
        self.guess = guess
        self.forward_unlabelled = bool(forward_unlabelled)
        self._quantiles = beta_quantiles(self.alpha)

    @property
    def mixes_labelled_only(self) -> bool:
        """Whether the images whose labels were set aside are only mixed into the others."""
        return self.unlabelled_weight == 0.0 and not self.forward_unlabelled

    def further_loss(self, images: Tensor, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """What a method adds to the loss, of a view of the labelled images, and its parts.

        `images` are the real rows of this replica's `batch`; means over them.
        """
        return ops.zeros(()), {}

    def mixing_step(self, data: Any, prior: Any = None) -> Mapping[str, Tensor]:
        """One step of the network that is trained; the other one stands still."""
        labelled, clean, unlabelled = self.unpack_divided(data)
        images = self.both_views(labelled, unlabelled)
        own, guessed = self.guesses(images)
        targets = self.targets(labelled, clean, own, guessed)
        mixed = self.mix(images, targets, [labelled, labelled, unlabelled, unlabelled])
        weight = self.ramped_unlabelled_weight()

        def objective() -> tuple[Tensor, Any]:
            own_logits = self._padded_logits(mixed.rows, training=True)
            logits = self.put_together(own_logits, mixed.places, mixed.total)
            loss, parts = self.mixed_loss(logits, mixed, weight, prior)
            # A device may have unlabelled rows and a blank labelled one.
            with weighing_rows(self._row_weight(labelled.share)):
                further, its_parts = self.further_loss(images[0], labelled)
            # The rest of the loss is of all replicas' rows, this of the own ones.
            moving = loss + further * ops.divide_no_nan(labelled.share, mixed.share)
            return moving, {"loss": loss + further, **parts, **its_parts}

        parts = self.minimize_own(objective, mixed.share)
        seen = ops.log(ops.maximum(sum(own) / 2.0, 1e-30))
        return self.figures(labelled, seen, {**parts, "unlabelled_weight": weight})

    def guessed(self, logits: np.ndarray) -> tuple[np.ndarray | None, np.ndarray | None]:
        """The likeliest class by the mean of both networks' probabilities, for either of them."""
        if not self.takes_unlabelled:
            return None, None
        found = margins.probabilities(logits).mean(axis=1).argmax(axis=1)
        return np.stack([found, found], axis=1).astype(np.int16), None

    # What a step is made of.

    def both_views(self, labelled: Batch, unlabelled: Batch) -> list[Tensor]:
        """Two views of the labelled images and two of the unlabelled ones, real rows only."""
        return [
            batch.real(self.views_of(batch, view=self.view(number)))
            for number, batch in enumerate([labelled, labelled, unlabelled, unlabelled])
        ]

    def guesses(self, images: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Probabilities of the labelled views by the trained network, of the others by both.

        No gradient passes. In evaluation mode all go through the network at once.
        """
        other = self.opened_networks[1 - self.trained]
        x1, x2, u1, u2 = images
        if self.guess == "evaluation":
            sizes = [ops.shape(part)[0] for part in images]
            found = self._padded_logits(ops.concatenate(list(images)), training=False)
            own_x1, own_x2, own_u1, own_u2 = tf.split(found, sizes)
        else:
            # The published order: each view by itself, with batch statistics of its own.
            own_u1, own_u2 = (self._batch_logits(part) for part in (u1, u2))
            own_x1, own_x2 = (self._batch_logits(part) for part in (x1, x2))
        both = self._padded_logits(ops.concatenate([u1, u2]), training=False, network=other)
        other_u1, other_u2 = tf.split(both, [ops.shape(u1)[0], ops.shape(u2)[0]])
        own = [ops.softmax(logits) for logits in (own_x1, own_x2)]
        guessed = [ops.softmax(logits) for logits in (own_u1, own_u2, other_u1, other_u2)]
        return [ops.stop_gradient(p) for p in own], [ops.stop_gradient(p) for p in guessed]

    def targets(
        self, labelled: Batch, clean: Tensor, own: Sequence[Tensor], guessed: Sequence[Tensor]
    ) -> list[Tensor]:
        """Refined labels of both labelled views and guessed ones of both others, real rows."""
        hard = self.one_hot(labelled.real(labelled.labels))
        refined = losses.refined_targets(hard, clean, sum(own) / 2.0, self.temperature)
        guesses = losses.guessed_targets(guessed, self.temperature)
        return [refined, refined, guesses, guesses]

    def mix(
        self, images: Sequence[Tensor], targets: Sequence[Tensor], batches: Sequence[Batch]
    ) -> _Mixed:
        """Each row mixed with another of the whole global batch, part by part as `batches` are."""
        everyone = [self.over_all_replicas(p, b) for p, b in zip(images, batches, strict=True)]
        all_targets = [self.over_all_replicas(p, b) for p, b in zip(targets, batches, strict=True)]
        counts = [ops.shape(part)[0] for part in everyone]
        labelled_rows, total = counts[0] + counts[1], sum(counts)
        permutation, coefficient = self.draw_mixture(total)
        mixed_images = losses.mixed(ops.concatenate(everyone), permutation, coefficient)
        mixed_targets = losses.mixed(ops.concatenate(all_targets), permutation, coefficient)
        places = self._own_places(batches, counts)
        if self.mixes_labelled_only:
            places, total = places[: 2 * batches[0].count], labelled_rows
            mixed_targets = mixed_targets[:total]
        rows = ops.take(mixed_images, places, axis=0)
        share = ops.cast(ops.shape(rows)[0], "float32") / ops.cast(total, "float32")
        return _Mixed(rows, places, mixed_targets, labelled_rows, total, share)

    def mixed_loss(
        self, logits: Tensor, mixed: _Mixed, weight: Tensor, prior: Any
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """DivideMix's loss of all replicas' logits; labelled rows by adjusted ones."""
        loss, parts = losses.dividemix_loss(
            logits, mixed.targets, mixed.labelled_rows, weight, prior
        )
        if self.prior_adjustment == 0.0:
            return loss, parts
        count, plain = mixed.labelled_rows, parts["labelled"]
        adjusted = self.adjusted(logits[:count])
        parts["labelled"] = losses.soft_cross_entropy(adjusted, mixed.targets[:count])
        return loss + parts["labelled"] - plain, parts

    def draw_mixture(self, total: Tensor) -> tuple[Tensor, Tensor]:
        """With which of `total` rows each is mixed, and the coefficient: functions of the step."""
        iterations = ops.cast(self.optimizers[self.trained].iterations, "int32")
        step = ops.stack([ops.cast(self.seed & 0x7FFFFFFF, "int32"), iterations])
        place = ops.arange(total, dtype="int32")
        ones = ops.ones_like(place)
        keys = ops.stack([ones * step[0], ones * self.view(_ORDER), ones * step[1], place], axis=1)
        permutation = ops.argsort(uniform(keys, 1)[:, 0])
        key = ops.stack([step[0], ops.cast(self.view(_MIX), "int32"), step[1]])[None]
        return ops.cast(permutation, "int32"), larger_share(uniform(key, 1)[0, 0], self._quantiles)

    def ramped_unlabelled_weight(self) -> Tensor:
        """lambda_u of this step, a scalar."""
        if self.ramp == 0.0 or self.unlabelled_weight == 0.0:
            return ops.convert_to_tensor(self.unlabelled_weight, "float32")
        return self.unlabelled_weight * ramp_up(self.progress, self.warm_up, self.ramp)

    def _own_places(self, batches: Sequence[Batch], counts: Sequence[Tensor]) -> Tensor:
        """Where this replica's rows stand among all replicas', part by part."""
        before, places = ops.zeros((), "int32"), []
        for batch, count in zip(batches, counts, strict=True):
            places.append(before + batch.first + ops.arange(batch.count, dtype="int32"))
            before = before + count
        return ops.concatenate(places)

    def padded_outputs(
        self, rows: Tensor, *, training: bool, network: Any = None
    ) -> tuple[Tensor, Tensor]:
        """Features and logits of rows by the trained network, or by another one.

        Of no rows they are those of a blank one: kernels of nothing are errors.
        """
        network = self.opened_networks[self.trained] if network is None else network
        padding = ops.cast(ops.equal(ops.shape(rows)[0], 0), "int32")
        features, logits = network(pad_rows(rows, padding), training=training)
        return features, ops.cast(logits, "float32")

    def _padded_logits(self, rows: Tensor, *, training: bool, network: Any = None) -> Tensor:
        """Logits `(n, classes)` of rows, of none as well."""
        found = self.padded_outputs(rows, training=training, network=network)[1]
        return found[: ops.shape(rows)[0]]

    def _batch_logits(self, rows: Tensor) -> Tensor:
        """Logits in training mode, which moves the running statistics too; of no rows, none."""
        if self._replicas() > 1:
            with weighing_rows(ops.cast(ops.shape(rows)[0] > 0, "float32")):
                return self._padded_logits(rows, training=True)
        # What the blank row in the place of none moves is put back: XLA takes no branches here.
        kept = self.networks[self.trained].non_trainable_variables
        before = [tf.identity(variable.value) for variable in kept]
        found = self._padded_logits(rows, training=True)
        for variable, value in zip(kept, before, strict=True):
            variable.assign(ops.where(ops.shape(rows)[0] > 0, variable, value))
        return found

    def mixing_config(self) -> dict[str, Any]:
        """The settings that `start_mixing` took."""
        return {
            "unlabelled_weight": self.unlabelled_weight,
            "ramp": self.ramp,
            "alpha": self.alpha,
            "temperature": self.temperature,
            "guess": self.guess,
            "forward_unlabelled": self.forward_unlabelled,
        }

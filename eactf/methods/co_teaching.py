"""Co-teaching (Han et al., "Robust training of deep neural networks with extremely noisy labels").

NeurIPS 2018. Networks learn right labels before wrong ones: in every batch each of two networks
trusts the labels on which its own loss is smallest, and the other one is trained on them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal

import keras
import numpy as np
import tensorflow as tf
from annotated_types import Ge, Gt, Le, Lt
from keras import ops

from eactf import losses
from eactf.division import kept_figures
from eactf.methods.arguments import check_arguments
from eactf.methods.batch import Batch
from eactf.methods.memory import SampleMemory
from eactf.methods.pair import PairMethod
from eactf.methods.views import Erasing, Views
from eactf.schedules import forget_rates

__all__ = ["CoTeaching"]

Tensor = Any

_LONGEST_RAMP = 10_000
"""Epochs that a table of rates covers; the last of them holds from there on."""


@keras.saving.register_keras_serializable(package="eactf")
class CoTeaching(PairMethod):
    """Train two classifiers with Co-teaching, each on the batch's labels that the other trusts.

    Each network ranks a batch by its own cross-entropies and keeps the share 1 - R of smallest loss
    (`losses.small_loss_selection`); it is trained on what the other one kept,
    loss = mean cross-entropy of those labels. Both choose before either is moved. R rises over the
    epochs of a `fit` (`schedules.forget_rates`). Both networks see the same views. On several
    devices the batch is the global one. `networks` are the two; `classifier`, what is kept, gives
    the sum of their logits.

    - `second`: another classifier of the same form, drawn anew where it is None.
    - `ids`: the ids of the training samples, or their number n where the data's ids are 0 to
      n - 1. None: `selection` is not kept.
    - `forget_rate`: the share of each batch that is left out in the end; the share of wrong labels.
    - `gradual`: epochs over which that share is reached, from 0 (T_k).
    - `exponent`: the exponent of the rise (c); 1: even.
    - `exponent_of`: what it is put on; rate: forget_rate (published code), epoch: the epoch
      (paper). With `"rate"` and an exponent other than 1 the share jumps where the rise ends.
    - `first_epoch`: number of the first epoch in the rise; 1: as published, so that it leaves some
      out already. With 0 it leaves none out.
    - `flip_probability`, `erasing` and `augmentation` are CrossEntropy's; by default images are
      taken as they are, as published.
    - `prior_adjustment`, `class_prior`: tau of the logit adjustment and how often each class is
      given as a label (see `Method`). It acts on the cross-entropy, by which labels are chosen too.

    Weights of samples and classes (see `Method`) weigh the mean over the labels that were chosen:
    sum(w * loss) / sum(w) of those. The choice goes by the loss alone. Classes that are hard or
    rare have the larger losses and starve first: where recalls differ, look at `selection`.

    `selection` says which labels each network kept in the last whole epoch. A run's records have
    its figures (`epoch_record`), with the truth at hand the published "pure ratio" too.

    Logs `loss`, the mean of `loss_1` and `loss_2`, those of the two networks, `forget_rate`, and
    `agreement`, the share of images for which both predict the same class (towards 1 the two have
    become one, and no longer check each other). Metrics are of the sum of the logits. Raises
    `ValueError` on values out of range.

    >>> import eactf
    >>> network = eactf.build_classifier("resnet10", image_size=32, channels=1, classes=3, width=4)
    >>> model = eactf.CoTeaching(network, ids=4, forget_rate=0.5, gradual=0)
    >>> model.compile(optimizer=eactf.optimizers.Adam(1e-3))
    >>> columns = np.zeros((4, 32, 32, 1), "uint8"), np.array([0, 1, 2, 0]), np.arange(4)
    >>> data = tf.data.Dataset.from_tensor_slices(columns).batch(4)
    >>> history = model.fit(data, epochs=1, verbose=0)
    >>> model.selection.sum(axis=0)  # half of the batch each
    array([2, 2])
    """

    loss_parts = ("loss_1", "loss_2", "forget_rate", "agreement")

    def __init__(
        self,
        classifier: keras.Model,
        second: keras.Model | None = None,
        *,
        ids: Any = None,
        forget_rate: Annotated[float, Ge(0), Lt(1)] = 0.2,
        gradual: Annotated[int, Ge(0), Le(10_000)] = 10,
        exponent: Annotated[float, Gt(0)] = 1.0,
        exponent_of: Literal["rate", "epoch"] = "rate",
        first_epoch: Literal[0, 1] = 1,
        flip_probability: Annotated[float, Ge(0), Le(1)] = 0.0,
        erasing: Erasing = Erasing(probability=0.0),
        augmentation: Views = Views(),
        prior_adjustment: Annotated[float, Ge(0)] = 0.0,
        class_prior: Sequence[float] | None = None,
        seed: int = 0,
        name: str = "co_teaching",
    ) -> None:
        check_arguments(CoTeaching, locals())
        self._start = (ids,)  # `open` builds from it, within the base's own start
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
        self.forget_rate = float(forget_rate)
        self.gradual = int(gradual)
        self.exponent = float(exponent)
        self.exponent_of = exponent_of
        self.first_epoch = int(first_epoch)
        self._rates = self._table_of_rates()

    def open(self, classifier: keras.Model) -> None:
        """Open both networks, and the memory of what they keep where there are ids.

        Its columns are what the running epoch has kept so far and what the last whole one kept:
        1 for the first network, plus 2 for the second.
        """
        super().open(classifier)
        (ids,) = self._start
        self.memory = None if ids is None else SampleMemory(ids, {"running": 0, "whole": 0})

    @property
    def selection(self) -> np.ndarray | None:
        """Which labels each network kept in the last whole epoch, `(N, 2)` bool, by sorted id.

        Of a sample that the epoch showed more than once the last time counts; one that it did not
        show was not kept. None without `ids`.
        """
        if self.memory is None:
            return None
        kept = self.memory.table("whole")["whole"]
        return np.stack([kept & 1, kept & 2], axis=1) > 0

    def make_train_function(self, force: bool = False) -> Any:
        """As every method's; the second optimizer has the first one's learning rate throughout."""
        if force or self.train_function is None:
            step = super().make_train_function(force=True)
            self.train_function: Any = self._at_the_same_rate(step)
        return self.train_function

    def _at_the_same_rate(self, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def at_the_same_rate(iterator: Any) -> Any:
            self.same_learning_rate()  # callbacks change the rate of the first alone
            return step(iterator)

        return at_the_same_rate

    def train_step(self, data: Any) -> Mapping[str, Tensor]:
        batch = self.unpack(data)
        images = self.views_of(batch)
        weights = self.weights_of(batch)
        rate = self.rate_of_the_epoch()

        def objective() -> tuple[Sequence[Tensor], Any]:
            each = self.logits_of_each(images, training=True)
            values = [losses.cross_entropy(self.adjusted(z), batch.labels) for z in each]
            first, second = kept = self.kept_by_each(values, rate, batch)
            means = [
                self.mean_of_kept(own, others, weights, batch)
                for own, others in zip(values, (second, first), strict=True)
            ]
            return means, (each, kept, means)

        each, kept, means = self.minimize_both(objective, batch.share)
        self.remember(kept, batch)
        same = ops.equal(*(ops.argmax(logits, axis=-1) for logits in each))
        parts = {
            "loss": sum(means) / 2,
            "loss_1": means[0],
            "loss_2": means[1],
            "forget_rate": ops.cast(rate, "float32"),
            "agreement": ops.mean(ops.cast(same, "float32")),
        }
        return self.report(batch, sum(each), parts)

    def rate_of_the_epoch(self) -> Tensor:
        """The share R that is left out in the running epoch, a float64 scalar."""
        last = len(self._rates) - 1
        number = ops.minimum(ops.convert_to_tensor(self.epoch.value) + self.first_epoch, last)
        return ops.take(tf.constant(self._rates, "float64"), number)

    def kept_by_each(self, values: Sequence[Tensor], rate: Tensor, batch: Batch) -> list[Tensor]:
        """Which of the global batch each network keeps by its own losses, `(N,)` int32 of 0 and 1.

        `values` are this replica's losses of each network, `(n,)`.
        """
        everyone = self.over_all_replicas(ops.stop_gradient(ops.stack(values, axis=1)), batch)
        count = ops.shape(everyone)[:1]
        kept = [losses.small_loss_selection(everyone[:, number], rate) for number in (0, 1)]
        return [tf.scatter_nd(rows[:, None], ops.ones_like(rows), count) for rows in kept]

    def mean_of_kept(
        self, values: Tensor, kept: Tensor, weights: Tensor | None, batch: Batch
    ) -> Tensor:
        """This replica's part of the weighted mean of the losses `(n,)` that were `kept`.

        Parts make the mean over the global batch's kept ones when each counts with its replica's
        share of the samples.
        """
        own = self.own_places(batch, ops.shape(kept)[0])
        counts = ops.cast(ops.take(kept, own), "float32")
        counts = counts if weights is None else counts * weights
        return losses.weighted_mean(values, self.averaging_one(counts, batch))

    def remember(self, kept: Sequence[Tensor], batch: Batch) -> None:
        """Note by id what each network kept of the global batch, where ids are known."""
        if self.memory is None:
            return
        if batch.ids is None:
            raise ValueError(
                "CoTeaching remembers by id what it keeps: the data must yield (image, label, id), "
                "or give ids=None"
            )
        rows = self.memory.rows(self.over_all_replicas(batch.ids, batch))
        self.memory.write("running", rows, kept[0] + 2 * kept[1])

    def end_epoch(self, epoch: int) -> None:
        """Let `selection` be the epoch's, and begin the next one's."""
        if self.memory is not None:
            running = self.memory.table("running")["running"]
            self.memory.set("whole", running)
            self.memory.set("running", np.zeros_like(running))

    def epoch_record(
        self, ids: Any, given: Any, truth: Any, class_names: Sequence[str]
    ) -> Mapping[str, Any]:
        """What each network kept, `kept_1` a share; `precision_1` is its "pure ratio"."""
        found: dict[str, Any] = {}
        if self.memory is None or self.selection is None:
            return found
        kept = self.selection[np.searchsorted(self.memory.table()["id"], ids)]
        for number, own in enumerate(kept.T, start=1):
            figures = kept_figures(own, given, truth, class_names)
            figures["kept"] /= len(ids)
            found |= {f"{name}_{number}": value for name, value in figures.items()}
        return found

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "ids": None if self.memory is None else self.memory.size,
            "forget_rate": self.forget_rate,
            "gradual": self.gradual,
            "exponent": self.exponent,
            "exponent_of": self.exponent_of,
            "first_epoch": self.first_epoch,
        }

    def _table_of_rates(self) -> np.ndarray:
        """R of every epoch of the rise, from number 0, and the one that holds from there on."""
        length = float(self.gradual)
        if self.exponent_of == "epoch" and length:
            # epoch ** exponent / gradual reaches 1 there; small exponents rise without an end.
            length = math.exp(min(math.log(length) / self.exponent, math.log(_LONGEST_RAMP)))
        return forget_rates(
            math.ceil(length) + 2,
            self.forget_rate,
            self.gradual,
            self.exponent,
            self.exponent_of,
        )

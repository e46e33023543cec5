"""Self-Cure Network (Wang et al., "Suppressing Uncertainties", CVPR 2020).

Each sample gets an importance, learnt with the network; a rank regularisation parts the important
samples of a batch from the rest; from some epoch on a sample whose prediction speaks clearly
against its label gets another one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from eactf import losses
from eactf.data.ledger import RelabelLedger
from eactf.methods.base import Batch
from eactf.methods.erasing import OneViewMethod
from eactf.methods.memory import SampleMemory

__all__ = ["SCN"]

Tensor = Any


@keras.saving.register_keras_serializable(package="eactf")
class SCN(OneViewMethod):
    """Train a classifier with the Self-Cure Network.

    importance = sigmoid of a dense layer on the pooled features; the logits are scaled by it
    (bias included, as the published code does), and
    loss = cross-entropy of the scaled logits + `rank_weight` * rank regularisation. After the step
    of epoch `relabel_epoch` (from 1) and later, a sample whose most probable class is more probable
    than its label by more than `relabel_margin` gets that class as its label, from the next epoch
    on; the step itself still used the old one. The scale leaves the largest logit where it is: the
    classifier alone is kept, and predicts without it.

    - `ids`: the ids of the training samples, or their number n where the data's ids are 0 to
      n - 1. None: nothing can be remembered, and `relabel_epoch` must be None.
    - `ratio`: share of a batch in the important group; `rank_margin` (0.15; the authors advise
      0.07 at batch 64), `rank_weight` (1, the published code; the paper's halves are this times
      one half).
    - `relabel_epoch`: 10; None never relabels. `relabel`: `"all"` looks at every sample (the
      published code), `"low_importance"` at the batch's less important group (the paper).
    - `flip_probability`, the erasing settings, `corruption` and `crop_padding` are CrossEntropy's.

    `ledger` records every change of a label (`RelabelLedger`). Logs `loss`, `cross_entropy`,
    `rank`, the batches' mean `importance` and its `importance_spread` (importance tends to run to
    1, the rank term then to be idle), and `relabelled`, the share of samples changed. Raises
    `ValueError` on values out of range; soft labels are refused, for there is none to change.

    >>> import eactf
    >>> network = eactf.build_classifier("resnet10", image_size=32, channels=1, classes=3, width=4)
    >>> model = eactf.SCN(network, ids=4, relabel_epoch=1)
    >>> model.compile(optimizer=eactf.optimizers.Adam(1e-3, coupled_weight_decay=1e-4))
    >>> import tensorflow as tf
    >>> columns = np.zeros((4, 32, 32, 1), "uint8"), np.array([0, 1, 2, 0]), np.arange(4)
    >>> data = tf.data.Dataset.from_tensor_slices(columns).batch(4)
    >>> history = model.fit(data, epochs=1, verbose=0)
    >>> model.ledger.epochs.tolist()
    []
    """

    loss_parts = (
        "cross_entropy",
        "rank",
        "importance",
        "importance_spread",
        "relabelled",
    )

    def __init__(
        self,
        classifier: keras.Model,
        *,
        ids: Any = None,
        ratio: float = 0.7,
        rank_margin: float = 0.15,
        rank_weight: float = 1.0,
        relabel_epoch: int | None = 10,
        relabel_margin: float = 0.2,
        relabel: str = "all",
        flip_probability: float = 0.5,
        erase_probability: float = 0.5,
        erase_area: tuple[float, float] = (0.02, 0.25),
        erase_aspect: tuple[float, float] = (0.3, 3.3),
        erase_fill: float | Sequence[float] | None = None,
        corruption: Callable[[Tensor], Tensor] | None = None,
        crop_padding: int = 0,
        seed: int = 0,
        name: str = "scn",
    ) -> None:
        _check(ids, ratio, rank_margin, rank_weight, relabel_epoch, relabel_margin, relabel)
        self._start = (ids, int(seed))  # `open` builds from it, within the base's own start
        super().__init__(
            classifier,
            flip_probability=flip_probability,
            erase_probability=erase_probability,
            erase_area=erase_area,
            erase_aspect=erase_aspect,
            erase_fill=erase_fill,
            corruption=corruption,
            crop_padding=crop_padding,
            seed=seed,
            name=name,
        )
        self.ratio = float(ratio)
        self.rank_margin = float(rank_margin)
        self.rank_weight = float(rank_weight)
        self.relabel_epoch = relabel_epoch
        self.relabel_margin = float(relabel_margin)
        self.relabel = relabel
        self.ledger = RelabelLedger.empty()

    def open(self, classifier: keras.Model) -> None:
        """Add the importance's dense layer, and the memory of labels where there are ids."""
        super().open(classifier)
        ids, seed = self._start
        self.importance_head = _importance_head(self.head, seed)
        columns = {"used": -1, "label": -1, "margin": 0.0}
        self.memory = None if ids is None else SampleMemory(ids, columns)

    def train_step(self, data: Any) -> Mapping[str, Tensor]:
        batch = self.unpack(data)
        labels = self.labels_in_use(batch)
        images = self.views_of(batch)

        def objective() -> tuple[Tensor, Any]:
            features, plain = self.network(images, training=True)
            importance = self.importance_of(features)
            logits = importance[:, None] * plain
            cross_entropy = ops.mean(losses.cross_entropy(logits, labels))
            everyone = self.over_all_replicas(importance, batch)
            rank = losses.rank_regularization(everyone, self.ratio, self.rank_margin)
            loss = cross_entropy + self.rank_weight * rank
            parts = {"loss": loss, "cross_entropy": cross_entropy, "rank": rank}
            return loss, (logits, everyone, parts)

        logits, importance, parts = self.minimize(objective, batch.share)
        changed = self.relabel_batch(batch, labels, logits, importance)
        parts |= {
            "importance": ops.mean(importance),
            "importance_spread": ops.std(importance),
            "relabelled": ops.mean(ops.cast(changed, "float32")),
        }
        return self.report(batch, logits, parts)

    def labels_in_use(self, batch: Batch) -> Tensor:
        """`(n,)` int32: the labels of the batch, those that were changed as they are now."""
        if len(batch.labels.shape) != 1:
            raise ValueError("SCN changes labels: it takes class indices (n,), no soft labels")
        given = ops.cast(batch.labels, "int32")
        if self.memory is None:
            return given
        if batch.ids is None:
            raise ValueError(
                "SCN remembers labels by id: the data must yield (image, label, id), or give "
                "ids=None and relabel_epoch=None"
            )
        remembered = self.memory.read(
            "label", self.memory.rows(self._known_ids(batch, self.memory))
        )
        return ops.where(remembered >= 0, remembered, given)

    def importance_of(self, features: Tensor) -> Tensor:
        """The importance `(n,)`, in (0, 1), of samples with the last feature maps `features`."""
        pooled = ops.mean(ops.cast(features, "float32"), axis=(1, 2))
        return self.importance_head(pooled)[:, 0]

    def relabel_batch(
        self, batch: Batch, labels: Tensor, logits: Tensor, importance: Tensor
    ) -> Tensor:
        """Remember the labels of the global batch, changed where it is time and due.

        `labels` and `logits` are this replica's, `importance` is the whole batch's. Gives the
        global batch's `(N,)` booleans of which changed.
        """
        labels = self.over_all_replicas(labels, batch)
        if self.memory is None:
            return ops.zeros_like(labels, dtype="bool")
        ids = self.over_all_replicas(self._known_ids(batch, self.memory), batch)
        probabilities = self.over_all_replicas(ops.softmax(logits, axis=-1), batch)
        changes, new = losses.relabel_candidates(probabilities, labels, self.relabel_margin)
        if self.relabel == "low_importance":
            changes = ops.logical_and(changes, losses.low_group(importance, self.ratio))
        due = -1 if self.relabel_epoch is None else self.relabel_epoch
        is_time = ops.logical_and(due >= 0, ops.convert_to_tensor(self.epoch.value) + 1 >= due)
        changes = ops.logical_and(changes, is_time)
        own = ops.take_along_axis(probabilities, labels[:, None], axis=-1)[:, 0]
        rows = self.memory.rows(ids)
        self.memory.write("used", rows, labels)
        self.memory.write("label", rows, ops.where(changes, new, labels))
        self.memory.write("margin", rows, ops.max(probabilities, axis=-1) - own)
        return changes

    def end_epoch(self, epoch: int) -> None:
        """Enter the epoch's changes in the ledger."""
        if self.memory is None:
            return
        table = self.memory.table("used", "label", "margin")
        changed = np.flatnonzero(table["used"] != table["label"])
        ids, used, label, margin = (table[name][changed] for name in table)
        self.ledger = self.ledger.extended(epoch + 1, ids, used, label, margin)

    def sample_scores(self, images: Tensor) -> Mapping[str, Tensor]:
        """`importance` `(n,)` of images, in (0, 1), without augmentation."""
        features, _ = self.network(ops.cast(images, "float32"), training=False)
        return {"importance": self.importance_of(features)}

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "ids": None if self.memory is None else self.memory.size,
            "ratio": self.ratio,
            "rank_margin": self.rank_margin,
            "rank_weight": self.rank_weight,
            "relabel_epoch": self.relabel_epoch,
            "relabel_margin": self.relabel_margin,
            "relabel": self.relabel,
        }

    def _known_ids(self, batch: Batch, memory: SampleMemory) -> Tensor:
        """The batch's ids; a blank row has that of some sample, so that it is found."""
        blank = ops.arange(ops.shape(batch.ids)[0]) >= batch.count
        return ops.where(blank, ops.convert_to_tensor(memory.ids)[0], batch.ids)


def _importance_head(head: layers.Dense, seed: int) -> layers.Dense:
    """The dense layer of the importance, started as the classifier's own is."""
    inputs = int(head.kernel.shape[0])
    bound = inputs**-0.5
    importance = layers.Dense(
        1,
        activation="sigmoid",
        kernel_initializer=keras.initializers.RandomUniform(-bound, bound, seed=seed),
        bias_initializer=keras.initializers.RandomUniform(-bound, bound, seed=seed + 1),
        name="importance",
        dtype="float32",
    )
    importance.build((None, inputs))
    return importance


def _check(
    ids: Any,
    ratio: float,
    rank_margin: float,
    rank_weight: float,
    relabel_epoch: int | None,
    relabel_margin: float,
    relabel: str,
) -> None:
    if not 0 < ratio < 1:
        raise ValueError(f"ratio must be between 0 and 1; received {ratio!r}")
    for name, value in (("rank_margin", rank_margin), ("rank_weight", rank_weight)):
        if not value >= 0:
            raise ValueError(f"{name} must be >= 0; received {value!r}")
    if relabel not in ("all", "low_importance"):
        raise ValueError(f"relabel must be 'all' or 'low_importance'; received {relabel!r}")
    if not 0 <= relabel_margin < 1:
        raise ValueError(f"relabel_margin must be in [0, 1); received {relabel_margin!r}")
    if relabel_epoch is None:
        return
    if relabel_epoch < 1:
        raise ValueError(f"relabel_epoch counts from 1, None for never; received {relabel_epoch!r}")
    if ids is None:
        raise ValueError(
            "SCN changes labels by id: give ids= (the training samples' ids, or their number n for "
            "ids 0 to n - 1), or relabel_epoch=None to change none"
        )

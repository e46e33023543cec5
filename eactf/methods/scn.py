"""Self-Cure Network (Wang et al., "Suppressing Uncertainties", CVPR 2020).

Each sample gets an importance, learnt with the network; a rank regularisation parts the important
samples of a batch from the rest; from some epoch on a sample whose prediction speaks clearly
against its label gets another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import keras
import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from keras import layers, ops

from eactf import losses
from eactf.methods.arguments import check_arguments
from eactf.methods.base import Batch
from eactf.methods.erasing import OneViewMethod
from eactf.methods.ledger import RelabelLedger
from eactf.methods.memory import SampleMemory
from eactf.methods.views import Erasing, Views

__all__ = ["SCN"]

Tensor = Any

_LEDGER = "ledger_"  # the names of the ledger's columns in a file of weights begin so


@keras.saving.register_keras_serializable(package="eactf")
class SCN(OneViewMethod):
    """Train a classifier with the Self-Cure Network.

    importance = sigmoid of a dense layer on what the classifier's own is given, the pooled features
    (after dropout, where there is one); the logits are scaled by it (bias included, as the
    published code does), and
    loss = cross-entropy of the scaled logits + `rank_weight` * rank regularisation. In epoch
    `relabel_epoch` (from 1) and later, a sample whose most probable class in the step is more
    probable than its label by more than `relabel_margin` gets that class as its label, from the
    next epoch on. Of a sample that an epoch shows more than once the last step decides; one that it
    does not show keeps its label. The scale leaves the largest logit where it is: the classifier
    alone is kept, and predicts without it.

    - `ids`: the ids of the training samples, or their number n where the data's ids are 0 to
      n - 1. None: nothing can be remembered, and `relabel_epoch` must be None.
    - `ratio`: share of a batch in the important group.
    - `rank_margin`: distance the groups must keep (0.15; the authors advise 0.07 at batch 64).
    - `rank_weight`: weight of the rank regularisation (1: the published code). The paper's halves
      are this times one half.
    - `relabel_epoch`: first epoch that changes labels, from 1; null: none does.
    - `relabel_margin`: lead in probability that changes a label.
    - `relabel`: samples that may change: all (published code), or the less important group of the
      batch (paper).
    - `flip_probability`, `erasing` and `augmentation` are CrossEntropy's; the published code has
      0.25 for the first and for the pixel noise of the last.
    - `prior_adjustment`, `class_prior`: tau of the logit adjustment and how often each class is
      given as a label, before any change (see `Method`). It acts on the cross-entropy: the prior is
      added to the logits once they are scaled, for it does not depend on a sample's importance.
      Changes of labels go by the same probabilities, those that are trained to predict a label as
      it is given: by the others rare classes would draw labels to themselves.

    Weights of samples and classes (see `Method`) weigh the cross-entropy; a class's weight is that
    of the label in use, which may be a changed one. The rank regularisation and the changes of
    labels go by importance and prediction, and are not weighted.

    `ledger` records every change of a label (`RelabelLedger`) and is saved with the weights, in
    `.keras` and `.weights.h5` files; `memory.table("given", "label")` has each sample's label as
    first given and as it is now. Epochs count on from one `fit` to the next, in the ledger, for
    `relabel_epoch` and for the random draws: a second `fit` goes on where the first ended, with
    `initial_epoch` or without. (A loop of one's own calls `end_epoch` for changes to count.)

    Logs `loss`, `cross_entropy`, `rank`, the batches' mean `importance` and its
    `importance_spread` (importance tends to run to 1, the rank term then to be idle),
    `relabelled`, the share of samples given another label, and `changed_labels`, the share trained
    on a label that is not the given one. Metrics such as the training accuracy are against the
    labels as given (the published code's is against the changed ones). Raises `ValueError` on
    values out of range; soft labels are refused, for there is none to change.

    >>> import eactf
    >>> network = eactf.build_classifier("resnet10", image_size=32, channels=1, classes=3, width=4)
    >>> model = eactf.SCN(network, ids=4, relabel_epoch=2)
    >>> model.compile(optimizer=eactf.optimizers.Adam(1e-3, coupled_weight_decay=1e-4))
    >>> import tensorflow as tf
    >>> columns = np.zeros((4, 32, 32, 1), "uint8"), np.array([0, 1, 2, 0]), np.arange(4)
    >>> data = tf.data.Dataset.from_tensor_slices(columns).batch(4)
    >>> history = model.fit(data, epochs=1, verbose=0)
    >>> model.ledger.epochs.tolist()  # no label has changed: the second epoch is the first to
    []
    """

    loss_parts = (
        "cross_entropy",
        "rank",
        "importance",
        "importance_spread",
        "relabelled",
        "changed_labels",
    )

    def __init__(
        self,
        classifier: keras.Model,
        *,
        ids: Any = None,
        ratio: Annotated[float, Gt(0), Lt(1)] = 0.7,
        rank_margin: Annotated[float, Ge(0)] = 0.15,
        rank_weight: Annotated[float, Ge(0)] = 1.0,
        relabel_epoch: Annotated[int | None, Ge(1)] = 10,
        relabel_margin: Annotated[float, Ge(0), Lt(1)] = 0.2,
        relabel: Literal["all", "low_importance"] = "all",
        flip_probability: Annotated[float, Ge(0), Le(1)] = 0.5,
        erasing: Erasing = Erasing(),
        augmentation: Views = Views(),
        prior_adjustment: Annotated[float, Ge(0)] = 0.0,
        class_prior: Sequence[float] | None = None,
        seed: int = 0,
        name: str = "scn",
    ) -> None:
        check_arguments(SCN, locals())
        if relabel_epoch is not None and ids is None:
            raise ValueError(
                "SCN changes labels by id: give ids= (the training samples' ids, or their number n "
                "for ids 0 to n - 1), or relabel_epoch=None to change none"
            )
        self._start = (ids, int(seed))  # `open` builds from it, within the base's own start
        super().__init__(
            classifier,
            flip_probability=flip_probability,
            erasing=erasing,
            augmentation=augmentation,
            prior_adjustment=prior_adjustment,
            class_prior=class_prior,
            seed=seed,
            name=name,
        )
        self.ratio = float(ratio)
        self.rank_margin = float(rank_margin)
        self.rank_weight = float(rank_weight)
        self.relabel_epoch = relabel_epoch
        self.relabel_margin = float(relabel_margin)
        self.relabel = relabel
        self._ledger = RelabelLedger.empty()

    def open(self, classifier: keras.Model) -> None:
        """Add the importance's dense layer, and the memory of labels where there are ids.

        `heads_network` maps images to `(what the dense layer is given, logits)`. The memory's
        columns are the label as given, that of the running epoch, that of the next one, and the
        margin of probability that decided on it; -1 before a sample was seen.
        """
        super().open(classifier)
        ids, seed = self._start
        self.heads_network = _heads_network(self.network)
        self.importance_head = _importance_head(self.head, seed)
        self.finished = self._counter("finished")
        columns = {"given": -1, "label": -1, "next": -1, "margin": 0.0}
        self.memory = None if ids is None else SampleMemory(ids, columns)

    @property
    def ledger(self) -> RelabelLedger:
        """Every change of a label in the epochs that have ended."""
        # Weights may have been set back to an earlier epoch's, as EarlyStopping does.
        return self._ledger.through(int(ops.convert_to_numpy(self.finished.value)))

    def train_step(self, data: Any) -> Mapping[str, Tensor]:
        batch = self.unpack(data)
        labels = self.labels_in_use(batch)
        images = self.views_of(batch)
        weights = self.weights_of(batch, labels)

        def objective() -> tuple[Tensor, Any]:
            pooled, plain = self.heads_network(images, training=True)
            importance = self.importance_of(pooled)
            logits = importance[:, None] * ops.cast(plain, "float32")
            cross_entropy = self.cross_entropy(logits, labels, weights)
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
            "changed_labels": ops.mean(ops.cast(labels != _given(batch), "float32")),
        }
        return self.report(batch, logits, parts)

    def labels_in_use(self, batch: Batch) -> Tensor:
        """`(n,)` int32: the labels of the batch in this epoch, changes up to the last one in."""
        if len(batch.labels.shape) != 1:
            raise ValueError("SCN changes labels: it takes class indices (n,), no soft labels")
        given = _given(batch)
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

    def importance_of(self, pooled: Tensor) -> Tensor:
        """The importance `(n,)`, in (0, 1), of samples with the pooled features `(n, C)`."""
        return self.importance_head(ops.cast(pooled, "float32"))[:, 0]

    def relabel_batch(
        self, batch: Batch, labels: Tensor, logits: Tensor, importance: Tensor
    ) -> Tensor:
        """Remember the labels of the global batch and those of the next epoch, some changed.

        `labels` and `logits` are this replica's, `importance` is the whole batch's. Gives the
        global batch's `(N,)` booleans of which changed.
        """
        given = self.over_all_replicas(_given(batch), batch)
        labels = self.over_all_replicas(labels, batch)
        if self.memory is None:
            return ops.zeros_like(labels, dtype="bool")
        ids = self.over_all_replicas(self._known_ids(batch, self.memory), batch)
        probabilities = ops.softmax(self.adjusted(logits), axis=-1)
        probabilities = self.over_all_replicas(probabilities, batch)
        changes, new = losses.relabel_candidates(probabilities, labels, self.relabel_margin)
        if self.relabel == "low_importance":
            changes = ops.logical_and(changes, losses.low_group(importance, self.ratio))
        due = -1 if self.relabel_epoch is None else self.relabel_epoch
        is_time = ops.logical_and(due >= 0, ops.convert_to_tensor(self.epoch.value) + 1 >= due)
        changes = ops.logical_and(changes, is_time)
        own = ops.take_along_axis(probabilities, labels[:, None], axis=-1)[:, 0]
        rows = self.memory.rows(ids)
        first = self.memory.read("given", rows)
        self.memory.write("given", rows, ops.where(first >= 0, first, given))
        self.memory.write("label", rows, labels)
        self.memory.write("next", rows, ops.where(changes, new, labels))
        self.memory.write("margin", rows, ops.max(probabilities, axis=-1) - own)
        return changes

    def end_epoch(self, epoch: int) -> None:
        """Enter the epoch's changes in the ledger, and let them count."""
        number = self._counted_on(epoch) + 1
        if self.memory is not None:
            table = self.memory.table("label", "next", "margin")
            changed = np.flatnonzero(table["label"] != table["next"])
            ids, old, new, margin = (table[name][changed] for name in table)
            self._ledger = self.ledger.extended(number, ids, old, new, margin)
            self.memory.set("label", table["next"])
        self.finished.assign(number)

    def sample_scores(self, images: Tensor) -> Mapping[str, Tensor]:
        """`importance` `(n,)` of images, in (0, 1), without augmentation."""
        pooled, _ = self.heads_network(ops.cast(images, "float32"), training=False)
        return {"importance": self.importance_of(pooled)}

    def extra_state(self) -> Mapping[str, np.ndarray]:
        return self.ledger.columns()

    def restore_extra_state(self, state: Mapping[str, np.ndarray]) -> None:
        self._ledger = RelabelLedger.from_columns(state)

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        for name, column in self.ledger.columns().items():
            store[_LEDGER + name] = column

    def load_own_variables(self, store: Any) -> None:
        columns = [name for name in store.keys() if name.startswith(_LEDGER)]  # noqa: SIM118
        ledger = {name.removeprefix(_LEDGER): store[name] for name in columns}
        # Keras counts what it finds, and would find the ledger's columns too many.
        super().load_own_variables({n: store[n] for n in store.keys() if n.isdigit()})  # noqa: SIM118
        self._ledger = RelabelLedger.from_columns(ledger)

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

    def _start_epoch(self, epoch: int, steps: int | None) -> None:
        super()._start_epoch(self._counted_on(epoch), steps)

    def _counted_on(self, epoch: int) -> int:
        """The number from 0 of a `fit`'s `epoch`, over all fits."""
        return max(epoch, int(ops.convert_to_numpy(self.finished.value)))

    def _known_ids(self, batch: Batch, memory: SampleMemory) -> Tensor:
        """The batch's ids; a blank row has that of some sample, so that it is found."""
        blank = ops.arange(ops.shape(batch.ids)[0]) >= batch.count
        return ops.where(blank, ops.convert_to_tensor(memory.ids)[0], batch.ids)


def _given(batch: Batch) -> Tensor:
    return ops.cast(batch.labels, "int32")


def _heads_network(network: keras.Model) -> keras.Model:
    """`network` with the input of its dense layer in the place of the last map."""
    logits = network.outputs[1]
    history = logits._keras_history
    given = history.operation._inbound_nodes[history.node_index].input_tensors[0]
    return keras.Model(network.input, [given, logits], name="heads_network")


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

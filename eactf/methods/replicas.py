"""`ReplicatedModel` runs a Keras model on several devices with parts of a batch of any size."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from eactf.methods.batch import Batch, pad_rows

__all__ = ["ReplicatedModel"]

Tensor = Any


class ReplicatedModel(keras.Model):
    """What methods need in order to take the same step on several devices as on one.

    Each device holds a replica of the model and gets a part of every batch. Without a strategy
    there is one replica, and nothing here costs anything.
    """

    classifier: keras.Model

    def over_all_replicas(self, rows: Tensor, batch: Batch) -> Tensor:
        """This replica's `rows`, one a sample, with all others': those of the global batch.

        In the batch's order and without blank rows; the same on every replica. Gradients flow
        back to where each row came from.
        """
        own = batch.real(rows)
        if self._replicas() == 1:
            return own
        total = tf.distribute.get_replica_context().all_reduce("sum", batch.count)
        places = batch.first + ops.arange(batch.count, dtype="int32")
        return self.put_together(own, places, total)

    def put_together(self, rows: Tensor, places: Tensor, total: Tensor) -> Tensor:
        """This replica's `rows` and all others', each in its place `(n,)` among `total`."""
        if self._replicas() == 1:
            return rows
        shape = tf.concat([[total], tf.shape(rows)[1:]], axis=0)
        context = tf.distribute.get_replica_context()
        return context.all_reduce("sum", tf.scatter_nd(places[:, None], rows, shape))

    def own_places(self, batch: Batch, total: Tensor) -> Tensor:
        """Where this replica's rows stand in the global batch of `total` rows, `(n,)` int32.

        A blank row stands where some other row does.
        """
        places = batch.first + ops.arange(ops.shape(batch.images)[0], dtype="int32")
        return ops.minimum(places, total - 1)

    def averaging_one(self, weights: Tensor, batch: Batch) -> Tensor:
        """`weights` `(n,)` over their mean in the global batch; a blank row's is 0.

        Their weighted sum over the batch's count is then the weighted mean, on every number of
        devices. Weights that are 0 throughout stay so.
        """
        is_real = ops.arange(ops.shape(weights)[0]) < batch.count
        weights = ops.where(is_real, weights, 0.0)
        sums = ops.stack([ops.sum(weights), ops.cast(batch.count, "float32")])
        if self._replicas() > 1:
            sums = tf.distribute.get_replica_context().all_reduce("sum", sums)
        return weights * ops.divide_no_nan(sums[1], sums[0])

    def on_several_machines(self) -> bool:
        """Whether some of the replicas are other machines'."""
        replicas = self._replicas()
        return replicas > 1 and replicas > len(self.distribute_strategy.extended.worker_devices)

    def _replicas(self) -> int:
        return int(self.distribute_strategy.num_replicas_in_sync)

    def _without_empty(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Images with one blank row where a replica got none, and the count before that.

        The last batch of an epoch may hold fewer images than there are replicas; kernels and
        batch statistics of nothing are errors or not numbers.
        """
        count = ops.shape(images)[0]
        if self._replicas() == 1:
            return images, count
        return pad_rows(images, ops.cast(ops.equal(count, 0), "int32")), count

    def _place_in_batch(self, count: Tensor) -> tuple[Tensor, Tensor]:
        """Where this replica's samples start in the global batch, and their share of it."""
        replicas = self._replicas()
        if replicas == 1:
            return ops.zeros((), "int32"), ops.ones((), "float32")
        context = tf.distribute.get_replica_context()
        own = ops.one_hot(context.replica_id_in_sync_group, replicas, dtype="float32")
        counts = context.all_reduce("sum", own * ops.cast(count, "float32"))
        before = ops.sum(counts * ops.cast(ops.cumsum(own) == 0, "float32"))
        return ops.cast(before, "int32"), ops.sum(counts * own) / ops.sum(counts)

    def _row_weight(self, share: Tensor) -> Tensor | None:
        """1 for rows that the batch statistics are to count, 0 for an empty replica's blank."""
        return None if self._replicas() == 1 else ops.cast(share > 0, "float32")

    # Where Keras itself takes the replicas' parts to be of one size.

    def _make_function(self, step_function: Any) -> Any:
        """The function that takes a step; on several machines without Keras' own mean of its logs.

        That mean fails on scalars, and would cost two collective operations a value and step. The
        logs of a step are there those of this machine's first replica; what an epoch reports is
        put together below, over all of them.
        """
        if not self.on_several_machines():
            return super()._make_function(step_function)
        if self.steps_per_execution != 1:
            raise ValueError("on several machines steps_per_execution must be 1")
        strategy = self.distribute_strategy

        @tf.autograph.experimental.do_not_convert
        def take_step(iterator: Any) -> Any:
            outputs = strategy.run(step_function, args=(next(iterator),))
            return tf.nest.map_structure(
                lambda v: strategy.experimental_local_results(v)[0], outputs
            )

        return take_step if self.run_eagerly else tf.function(take_step, reduce_retracing=True)

    def running_values(self, logs: Any) -> Any:
        """What `logs` name, over all replicas; on several machines all have to ask."""
        return self._get_metrics_result_or_logs(logs)

    def _get_metrics_result_or_logs(self, logs: Any) -> Any:
        """The reported metrics over all replicas.

        Where a step leaves a metric out, Keras falls back on the mean of the replicas' own
        values, which is wrong as soon as one has more samples than another.
        """
        running = self.get_metrics_result()
        return {name: running.get(name, value) for name, value in logs.items()}

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Build metrics and optimizer before the first step, from shapes alone.

        A graph whose first run makes variables is traced twice. On several devices Keras builds
        them by averaging the replicas' parts of the first batch, which fails where they differ in
        size; on one it leaves them to the step.
        """
        labels = self._label_form(iterator)
        if labels is None:
            return
        images = keras.KerasTensor((None, *self.classifier.input_shape[1:]))
        with self.distribute_strategy.scope():
            self._symbolic_build(data_batch=(images, labels))

    def label_column(self, labels: Any) -> Any:
        """The labels that metrics see of those a data set yields; each method says."""
        return labels

    def _label_form(self, iterator: Any) -> Any:
        """Shape and dtype of the labels that metrics see; None for what no step takes.

        On several devices, where no step may make variables, they are told by one replica's part
        of the first batch, or taken for classes.
        """
        if self._distribute_strategy is not None:
            for _, _, batches in iterator or ():
                own = self.label_column(next(batches)[1])
                form = self._as_form(self.distribute_strategy.experimental_local_results(own)[0])
                if form is not None:
                    return form
            return keras.KerasTensor((None,), "int32")
        if iterator is None:
            return None
        columns = iterator._distributed_dataset.element_spec
        if not isinstance(columns, tuple) or len(columns) < 2:
            return None
        return self._as_form(self.label_column(columns[1]))

    def _as_form(self, labels: Any) -> Any:
        shape = getattr(labels, "shape", None)
        if shape is None or shape.rank is None:
            return None
        form = (None, *shape[1:])
        form = (None,) if form == (None, 1) else form
        if form not in ((None,), (None, self.classifier.output_shape[-1])):
            return None  # the step itself says what is wrong with them
        return keras.KerasTensor(form, keras.backend.standardize_dtype(labels.dtype))

"""These Keras metrics measure the macro recall and the lowest recall while a run trains."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

__all__ = ["LowestRecall", "MacroRecall"]


@keras.saving.register_keras_serializable(package="eactf")
class MacroRecall(keras.metrics.Metric):
    """Mean over classes of the share of a class's samples that are predicted as that class.

    Balanced accuracy is another name of it. Takes class indices `(n,)`, or soft labels
    `(n, classes)` whose largest share counts, and scores `(n, classes)`. Classes without samples
    are left out.
    """

    def __init__(self, classes: int, name: str = "macro_recall", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.classes = classes
        self.correct = self.add_weight(shape=(classes,), initializer="zeros", name="correct")
        self.total = self.add_weight(shape=(classes,), initializer="zeros", name="total")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        if len(y_true.shape) == 2 and y_true.shape[-1] == self.classes:
            y_true = ops.argmax(y_true, axis=-1)
        truth = ops.one_hot(ops.reshape(y_true, (-1,)), self.classes, dtype="float32")
        if sample_weight is not None:
            truth = truth * ops.reshape(ops.cast(sample_weight, "float32"), (-1, 1))
        guess = ops.one_hot(ops.argmax(y_pred, axis=-1), self.classes, dtype="float32")
        self.correct.assign_add(ops.sum(truth * guess, axis=0))
        self.total.assign_add(ops.sum(truth, axis=0))

    def result(self) -> Any:
        present = ops.cast(self.total > 0, "float32")
        recalls = ops.divide_no_nan(self.correct, self.total)
        return ops.divide_no_nan(ops.sum(recalls), ops.sum(present))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "classes": self.classes}


@keras.saving.register_keras_serializable(package="eactf")
class LowestRecall(MacroRecall):
    """The least of the classes' recalls: 0 as soon as one class that has samples is given up.

    Takes what `MacroRecall` takes; classes without samples are left out.
    """

    def __init__(self, classes: int, name: str = "lowest_recall", **kwargs: Any) -> None:
        super().__init__(classes, name=name, **kwargs)

    def result(self) -> Any:
        recalls = ops.divide_no_nan(self.correct, self.total)
        # A class without samples must not be the lowest; without any sample nothing is.
        present = ops.where(self.total > 0, recalls, 1.0)
        return ops.min(present) * ops.cast(ops.any(self.total > 0), "float32")

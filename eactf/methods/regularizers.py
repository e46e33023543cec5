"""Losses that layers bring along, which no method would add: refused instead of dropped."""

from __future__ import annotations

import keras

__all__ = ["refuse_regularizers"]


def refuse_regularizers(classifier: keras.Model) -> None:
    """`ValueError`, naming the layer, where a classifier has losses that no method would add.

    A method's loss is its own: what `kernel_regularizer` and the like ask for would be dropped.
    """
    for layer in classifier._flatten_layers(include_self=False):
        own = [*layer._trainable_variables, *layer._non_trainable_variables]
        weights = [v.name for v in own if getattr(v, "regularizer", None) is not None]
        if layer.activity_regularizer is not None:
            weights.append("output")
        if weights:
            raise ValueError(
                f"layer '{layer.name}' of the classifier has a regularizer on its {weights[0]}, "
                "which is not added to a method's loss. Build the layer without it and decay the "
                "weights in the optimizer: L2(x) is eactf.optimizers.Adam or SGD with "
                "coupled_weight_decay=2*x, for every weight"
            )

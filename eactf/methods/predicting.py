"""Prediction: a method's logits, and what else a subclass has to say of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from eactf.methods.following import FollowingModel

__all__ = ["PredictingModel"]

Tensor = Any


class PredictingModel(FollowingModel):
    """A model whose `predict` gives logits, and other things by name."""

    gives: str = ""
    """What `predict` gives instead of logits, within `predict_other`."""

    predict_function: Any

    def predict_step(self, data: Any) -> Tensor:
        images = data[0] if isinstance(data, tuple) else data
        images, count = self._without_empty(images)
        return self(images, training=False)[:count]

    def predict_other(self, what: str, *arguments: Any, **settings: Any) -> np.ndarray:
        """As `predict`, of something else than logits: `predict_step` asks `gives` what.

        The function that Keras has built for each is kept.
        """
        kept = f"_predict_function_of_{what}"
        ordinary, self.predict_function = self.predict_function, getattr(self, kept, None)
        self.gives = what
        try:
            return np.asarray(self.predict(*arguments, **settings))
        finally:
            self.gives = ""
            setattr(self, kept, self.predict_function)
            self.predict_function = ordinary

"""A model that follows its training samples: it notes what each step showed of them."""

from __future__ import annotations

from typing import Any

import keras

from eactf.methods.batch import Batch
from eactf.methods.state import RestorableModel
from eactf.methods.traces import SampleTraces

__all__ = ["FollowingModel"]

Tensor = Any


class FollowingModel(RestorableModel):
    """A model whose `traces`, once `follow` was called, are part of its state."""

    classifier: keras.Model

    def follow(self, ids: Any) -> None:
        """Note from now on what training shows of each of the samples `ids`, in `traces`.

        To be called before the first step, under the strategy that the model was made under.
        """
        self.traces = SampleTraces(ids, self.classifier.output_shape[-1])

    def note(self, batch: Batch, logits: Tensor) -> None:
        """Note what a step showed of the samples of a batch, where they are followed."""
        if self.traces is not None and batch.ids is not None:
            self.traces.add(*(batch.real(rows) for rows in (batch.ids, batch.labels, logits)))

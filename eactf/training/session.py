"""A session holds all that a run needs: data, devices, classifier, method and batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from eactf.data.pipeline import (
    ImageForm,
    Share,
    evaluation_batches,
    steps_per_epoch,
    training_batches,
)
from eactf.data.prepare import PreparedData
from eactf.evaluation.macro_recall import LowestRecall, MacroRecall
from eactf.evaluation.metrics import Scores, score
from eactf.methods.base import Method
from eactf.nn.weight_import import BackboneWeights
from eactf.packed.records import Samples
from eactf.recipe import Recipe
from eactf.training.build import (
    backbone_weights,
    build_method,
    build_model,
    build_optimizer,
    class_counts,
    image_form,
    pixel_statistics,
)
from eactf.training.strategy import choose_strategy
from eactf.training.workers import ALONE, Workers

__all__ = ["Session", "open_session"]


@dataclass(frozen=True)
class Session:
    """A run before its first step."""

    recipe: Recipe
    data: PreparedData
    strategy: Any
    form: ImageForm
    statistics: Any
    weights: BackboneWeights | None
    method: Method
    workers: Workers = ALONE

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return steps_per_epoch(len(self.data.train), self.recipe.train.batch_size)

    @property
    def judged(self) -> Samples:
        """The split that the result is about: test, validation where there is none."""
        return self.data.test if self.data.test else self.data.validation

    def training(self, first_epoch: int = 0, first_step: int = 0) -> Any:
        """Training batches, epoch after epoch, from a step of an epoch on (both from 0)."""

        def batches(share: Share | None) -> tf.data.Dataset:
            return training_batches(
                self.data.train,
                self.form,
                batch_size=self.recipe.train.batch_size,
                seed=self.recipe.seed,
                balance=self.recipe.data.balance,
                balance_from=self.recipe.data.balance_from,
                first_epoch=first_epoch,
                first_step=first_step,
                share=share,
            )

        return self.workers.shared(batches)

    def evaluation(self, samples: Samples) -> tf.data.Dataset:
        """`samples` once, in stored order."""
        return evaluation_batches(samples, self.form, batch_size=self.recipe.train.batch_size)

    def watched(self, samples: Samples) -> Any:
        """As `evaluation`, for the method's own `evaluate` and `predict`, with `passing` steps.

        On several machines each reads its share.
        """

        def batches(share: Share | None) -> tf.data.Dataset:
            size = self.recipe.train.batch_size
            return evaluation_batches(samples, self.form, batch_size=size, share=share)

        return self.workers.shared(batches, in_turn=True)

    def passing(self, samples: Samples) -> int | None:
        """The steps of a pass through `watched` where it does not end by itself; else None."""
        if self.workers.count == 1:
            return None
        return steps_per_epoch(len(samples), self.recipe.train.batch_size)

    def restore(self, state: Mapping[str, np.ndarray] | None) -> None:
        """Put a state of the method back, on all workers the one that the chief has."""
        self.method.restore(self.workers.told_arrays(state))

    def predict(self, samples: Samples, callbacks: Sequence[Any] = ()) -> np.ndarray:
        """Predicted class indices `(n,)`."""
        return np.asarray(np.argmax(self._logits(samples, callbacks), axis=-1))

    def judge(self, samples: Samples, callbacks: Sequence[Any] = ()) -> Scores:
        """How well the network of the moment predicts the given labels of `samples`."""
        logits = self._logits(samples, callbacks)
        guess = np.argmax(logits, axis=-1)
        return score(samples.given, guess, len(self.data.class_names), class_scores=logits)

    def _logits(self, samples: Samples, callbacks: Sequence[Any]) -> np.ndarray:
        batches, steps = self.watched(samples), self.passing(samples)
        found = self.method.predict(batches, verbose=0, steps=steps, callbacks=list(callbacks))
        return np.asarray(found)

    def facts(self) -> dict[str, Any]:
        """What a stored classifier says of itself."""
        return {
            "class_names": list(self.data.class_names),
            "image_size": self.form.size,
            "channels": self.form.channels,
            "source": self.data.dataset.source,
            "method": self.method.name,
        }

    def portable_classifier(self) -> keras.Model:
        """The classifier in float32, its weights copied: what is saved for others to open."""
        classes = len(self.data.class_names)
        plain = build_model(
            self.recipe, self.form, classes, self.statistics, weights=self.weights, dtype="float32"
        )
        # Not every method keeps the classifier as it was built: RUL gives it another head.
        counts = class_counts(self.recipe, self.data)
        plain = build_method(self.recipe, plain, self.data.train.ids, counts).classifier
        plain.set_weights(self.method.classifier.get_weights())
        return plain


def open_session(recipe: Recipe, data: PreparedData, workers: Workers = ALONE) -> Session:
    """Build the run a recipe describes, on the devices it asks for, or over all `workers`.

    The global seed is set for what keeps no seed of its own (foreign backbones, dropout).
    """
    keras.utils.set_random_seed(recipe.seed)
    strategy = workers.strategy or choose_strategy(recipe.train.devices)
    form = image_form(recipe, data.dataset)
    weights = backbone_weights(recipe, form)
    statistics = pixel_statistics(recipe, data.train, form, weights)
    classes = len(data.class_names)
    with strategy.scope():
        several = strategy.num_replicas_in_sync > 1
        classifier = build_model(
            recipe, form, classes, statistics, weights=weights, synchronized=several
        )
        method = build_method(recipe, classifier, data.train.ids, class_counts(recipe, data))
        method.compile(
            optimizer=build_optimizer(recipe),
            metrics=["accuracy", MacroRecall(classes), LowestRecall(classes)],
            jit_compile=recipe.train.xla,
        )
    return Session(recipe, data, strategy, form, statistics, weights, method, workers)

"""A session holds all that a run needs: data, devices, classifier, method and batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from eactf.data.pipeline import (
    ImageForm,
    ImageSource,
    Share,
    evaluation_batches,
    steps_per_epoch,
    training_batches,
)
from eactf.data.prepare import PreparedData
from eactf.errors import UsageError
from eactf.evaluation.macro_recall import LowestRecall, MacroRecall
from eactf.evaluation.metrics import Scores, score
from eactf.evaluation.values import concordances
from eactf.foreign import reason_of
from eactf.methods.base import Method
from eactf.methods.multi_task import MultiTask
from eactf.methods.pair import PairMethod
from eactf.methods.planned import PlannedMethod
from eactf.methods.training_rows import TrainingRows
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
from eactf.training.targets import training_labels
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

    def steps_in(self, epoch: int) -> int:
        """Steps of the epoch that is to be trained next, whose number from 0 is `epoch`."""
        if isinstance(self.method, PlannedMethod):
            return self.method.steps_in(epoch)
        return steps_per_epoch(len(self.data.train), self.recipe.train.batch_size)

    def images_in(self, epoch: int) -> int:
        """How many training images that epoch takes, each counted as often as it is taken."""
        if isinstance(self.method, PlannedMethod):
            return self.method.images_in(epoch)
        return len(self.data.train)

    def rows(self) -> TrainingRows:
        """All training samples, for a method that chooses among them."""
        train, recipe = self.data.train, self.recipe
        return TrainingRows(
            ImageSource(train, self.form).take,
            train.ids,
            train.given if train.targets is None else train.targets,
            recipe.train.batch_size,
            seed=recipe.seed,
            balance=recipe.data.balance,
            shared=self.workers.shared,
            steps_of_a_pass=self.passing(train),
        )

    @property
    def judged(self) -> Samples:
        """The split that the result is about: test, validation where there is none."""
        return self.data.test if self.data.test else self.data.validation

    def training(self, first_epoch: int = 0, first_step: int = 0) -> Any:
        """Training batches, epoch after epoch, from a step of an epoch on (both from 0)."""
        labels = training_labels(self.method, self.data.train)

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
                labels=labels,
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
        """How well the network of the moment predicts the given labels of `samples`.

        Continuous targets as well, where it predicts them and the samples' true ones are known.
        """
        if isinstance(self.method, MultiTask):
            return self._judged_by_all_heads(self.method, samples, callbacks)
        return self._scored(samples, self._logits(samples, callbacks))

    def judge_all(self, samples: Samples, callbacks: Sequence[Any] = ()) -> list[Scores]:
        """As `judge`, and behind it each network alone, where there are two."""
        if not isinstance(self.method, PairMethod):
            return [self.judge(samples, callbacks)]
        each = self._predicted(self.method.predict_each, samples, callbacks)
        alone = [each[:, number] for number in range(each.shape[1])]
        # Added up in float32, as the classifier itself does.
        return [self._scored(samples, logits) for logits in (np.sum(alone, axis=0), *alone)]

    def _judged_by_all_heads(
        self, method: MultiTask, samples: Samples, callbacks: Sequence[Any]
    ) -> Scores:
        outputs = self._predicted(method.predict_outputs, samples, callbacks)
        scored = self._scored(samples, outputs[method.tasks.label])
        return replace(scored, concordance=concordances(samples, method.tasks.numbers_of(outputs)))

    def _scored(self, samples: Samples, logits: np.ndarray) -> Scores:
        guess = np.argmax(logits, axis=-1)
        return score(samples.given, guess, len(self.data.class_names), class_scores=logits)

    def _logits(self, samples: Samples, callbacks: Sequence[Any]) -> np.ndarray:
        return np.asarray(self._predicted(self.method.predict, samples, callbacks))

    def _predicted(
        self, predict: Callable[..., Any], samples: Samples, callbacks: Sequence[Any]
    ) -> Any:
        batches, steps = self.watched(samples), self.passing(samples)
        return predict(batches, verbose=0, steps=steps, callbacks=list(callbacks))

    def facts(self) -> dict[str, Any]:
        """What a stored classifier says of itself."""
        return {
            "class_names": list(self.data.class_names),
            "image_size": self.form.size,
            "channels": self.form.channels,
            "source": self.data.dataset.source,
            "method": self.method.name,
            **(self.method.tasks.facts() if isinstance(self.method, MultiTask) else {}),
        }

    def portable_networks(self) -> dict[str, keras.Model]:
        """What is saved for others to open, by file name: in float32, the weights copied.

        `model.keras` is the classifier; of two networks it gives the sum, and each alone is there
        as well. Of an encoder of several kinds of labels it is the head of the label, and
        `encoder.keras` the whole.
        """
        own = self.method.stored_networks()
        plain = _method_around(self.recipe, self.data, self._plain_model).stored_networks()
        for name, network in plain.items():
            network.set_weights(own[name].get_weights())
        return plain

    def _plain_model(self, number: int = 1) -> keras.Model:
        classes = len(self.data.class_names)
        return build_model(
            self.recipe,
            self.form,
            classes,
            self.statistics,
            weights=self.weights,
            dtype="float32",
            number=number,
        )


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
    several = strategy.num_replicas_in_sync > 1

    def build(number: int = 1) -> keras.Model:
        return build_model(
            recipe,
            form,
            classes,
            statistics,
            weights=weights,
            synchronized=several,
            number=number,
        )

    with strategy.scope():
        method = _method_around(recipe, data, build)
        method.compile(
            optimizer=build_optimizer(recipe),
            metrics=["accuracy", MacroRecall(classes), LowestRecall(classes)],
            jit_compile=recipe.train.xla,
        )
        method.follow(data.train.ids)
    session = Session(recipe, data, strategy, form, statistics, weights, method, workers)
    training_labels(method, data.train)  # raises before a folder is made
    if isinstance(method, PlannedMethod):
        _attach(method, session)
    return session


def _attach(method: PlannedMethod, session: Session) -> None:
    try:
        method.attach(session.rows())
    except ValueError as reason:
        raise UsageError(
            f"method.name = {session.recipe.method.name} cannot train on these samples: "
            f"{reason_of(reason)}"
        ) from reason


def _method_around(recipe: Recipe, data: PreparedData, build: Callable[..., keras.Model]) -> Method:
    """The recipe's method around the networks that `build` builds, the second one by its number."""
    # Not every method keeps the classifier as it was built: RUL gives it another head.
    return build_method(
        recipe,
        build(),
        data.train.ids,
        class_counts(recipe, data),
        another=lambda: build(number=2),
    )

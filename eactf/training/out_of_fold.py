"""Quick networks predict every sample here, each trained only on the other samples.

They are trained by plain cross-entropy on purpose. At 40 % noise on 1,500 drawn faces EAC predicted
more of them rightly (48 % to 46 %), but its confidence told less: of the tenth it was surest of,
72 % were right, of cross-entropy's 82 %. The estimate of the noise lives on that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from eactf.data.pipeline import ImageForm, evaluation_batches, steps_per_epoch, training_batches
from eactf.errors import TrainingError
from eactf.methods.cross_entropy import CrossEntropy
from eactf.nn.classifier import build_classifier
from eactf.noise.folds import assign_folds
from eactf.optimizers import Adam
from eactf.packed.records import Samples
from eactf.recipe import Recipe
from eactf.recipe.schema import DataSettings
from eactf.training.build import pixel_statistics

__all__ = ["QuickPlan", "out_of_fold", "quick_plan"]

Progress = Callable[[int, int], None]

_LARGEST, _SMALLEST = 48, 16
_FEW = 5_000
_PASSES = 40_000
_EPOCHS = (6, 40)
_STEPS = 500
_BATCHES = (16, 128)
_SNAPSHOTS = 8
_PREDICTED_AT_ONCE = 256


@dataclass(frozen=True)
class QuickPlan:
    """How the quick networks are trained: one a fold, each over `epochs` of the other folds.

    `size` is the side in pixels to which images are brought, `steps` the training steps of all
    folds together.
    """

    folds: int
    size: int
    channels: int
    epochs: int
    batch_size: int
    learning_rate: float
    steps: int


def quick_plan(samples: Samples, folds: int | None = None) -> QuickPlan:
    """A plan that takes minutes: about 40,000 images and 500 steps a fold, 48 px at most.

    Without `folds`, 4 for up to 5,000 samples, so that the networks see more of them, else 2.
    """
    if folds is None:
        folds = 4 if len(samples) <= _FEW else 2
    count = len(samples) * (folds - 1) // folds
    height, width, channels = samples.images.shape[1:]
    epochs = int(np.clip(_PASSES // max(count, 1), *_EPOCHS))
    batch_size = int(np.clip(2 ** round(np.log2(max(epochs * count / _STEPS, 1))), *_BATCHES))
    return QuickPlan(
        folds=folds,
        size=int(np.clip(max(height, width), _SMALLEST, _LARGEST)),
        channels=channels,
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=1e-3 * (batch_size / 64) ** 0.5,
        steps=folds * epochs * steps_per_epoch(count, batch_size),
    )


def out_of_fold(
    samples: Samples,
    classes: int,
    plan: QuickPlan,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> np.ndarray:
    """Class probabilities `(n, classes)` float64 of every sample by the network of its fold.

    That network was trained on the given labels of the other folds. What it says is the mean over
    the later epochs, and over the image and its mirror image. `progress(done, steps)` is called
    after every training step. Raises `TrainingError` when a network diverges.
    """
    fold = assign_folds(samples, plan.folds, seed)
    # Soft labels are not what is judged.
    samples = replace(samples, targets=None)
    samples = _brought_down(samples, ImageForm(plan.size, plan.channels))
    quick = _QuickNetwork(samples, classes, plan, seed)
    watch = _Watch(plan, progress)
    probabilities = np.zeros((len(samples), classes))
    for number in range(plan.folds):
        held, rest = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        quick.start_again()
        probabilities[held] = quick.train(samples.take(rest), samples.take(held), watch)
    if not np.isfinite(probabilities).all():
        raise TrainingError("a quick network diverged", hint="try another --seed")
    return probabilities


def _brought_down(samples: Samples, form: ImageForm) -> Samples:
    """`samples` with images of the quick network's size: once, not every epoch, and in memory."""
    shape = (len(samples), form.size, form.size, form.channels)
    if samples.images.shape == shape:
        return samples
    images, filled = np.empty(shape, np.uint8), 0
    for batch, *_ in evaluation_batches(samples, form, batch_size=_PREDICTED_AT_ONCE):
        images[filled : filled + len(batch)] = batch.numpy()
        filled += len(batch)
    return replace(samples, images=images)


class _QuickNetwork:
    """One network and its compiled step, used fold after fold from the same first weights."""

    def __init__(self, samples: Samples, classes: int, plan: QuickPlan, seed: int) -> None:
        self.plan, self.seed = plan, seed
        self.form = ImageForm(plan.size, plan.channels)
        as_they_are = Recipe(data=DataSettings(normalization="dataset"))
        mean, deviation = pixel_statistics(as_they_are, samples, self.form)
        classifier = build_classifier(
            "resnet10",
            image_size=plan.size,
            channels=plan.channels,
            classes=classes,
            stem="compact",
            width=16,
            mean=mean,
            std=deviation,
            seed=seed,
        )
        self.method = CrossEntropy(classifier, seed=seed)
        optimizer = Adam(_rise_and_fall(plan), coupled_weight_decay=1e-4)
        self.method.compile(optimizer=optimizer)
        optimizer.build(self.method.trainable_variables)
        self._first_weights = self.method.get_weights()
        self._probabilities = tf.function(self._average_of_views, reduce_retracing=True)

    def start_again(self) -> None:
        """Back to the first weights: a network a fold would have its step compiled anew."""
        self.method.set_weights(self._first_weights)
        for variable in self.method.optimizer.variables:
            variable.assign(np.zeros(variable.shape, variable.dtype))

    def train(self, rest: Samples, held: Samples, watch: _Watch) -> np.ndarray:
        """Train on `rest`; the probabilities `(len(held), classes)` of `held`."""
        batches = training_batches(rest, self.form, batch_size=self.plan.batch_size, seed=self.seed)
        snapshots = _Snapshots(self.plan.epochs, lambda: self.predict(held))
        self.method.fit(
            batches,
            epochs=self.plan.epochs,
            steps_per_epoch=steps_per_epoch(len(rest), self.plan.batch_size),
            callbacks=[watch, snapshots],
            verbose=0,
        )
        return np.asarray(snapshots.total / snapshots.taken)

    def predict(self, samples: Samples) -> np.ndarray:
        """Class probabilities of `samples` by the weights of the moment."""
        batches = evaluation_batches(samples, self.form, batch_size=_PREDICTED_AT_ONCE)
        return np.concatenate([self._probabilities(images).numpy() for images, *_ in batches])

    def _average_of_views(self, images: Any) -> Any:
        images = tf.cast(images, tf.float32)
        views = (images, tf.reverse(images, axis=[2]))
        return sum(tf.nn.softmax(self.method(view)) for view in views) / 2.0


class _Snapshots(keras.callbacks.Callback):
    """The sum of what the network of several later epochs predicts."""

    def __init__(self, epochs: int, predict: Callable[[], np.ndarray]) -> None:
        super().__init__()
        self.at = set(_later_epochs(epochs))
        self.predict = predict
        self.total: Any = 0.0
        self.taken = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if epoch in self.at:
            self.total = self.total + self.predict().astype(np.float64)
            self.taken += 1


class _Watch(keras.callbacks.Callback):
    """Counts the steps of all folds."""

    def __init__(self, plan: QuickPlan, progress: Progress | None) -> None:
        super().__init__()
        self.plan, self.progress = plan, progress
        self.done = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(min(self.done, self.plan.steps), self.plan.steps)


def _rise_and_fall(plan: QuickPlan) -> Any:
    """The learning rate over the steps of one fold: up over a tenth of them, down as a cosine."""
    steps = plan.steps // plan.folds
    rise = max(steps // 10, 1)
    return keras.optimizers.schedules.CosineDecay(
        plan.learning_rate / 100,
        decay_steps=max(steps - rise, 1),
        alpha=0.01,
        warmup_target=plan.learning_rate,
        warmup_steps=rise,
    )


def _later_epochs(epochs: int) -> Iterator[int]:
    """Up to eight epochs, evenly spread over the second half, the last one among them."""
    later = epochs - epochs // 2
    every = -(-later // _SNAPSHOTS)
    yield from range(epochs - 1, epochs - 1 - later, -every)

"""Ada-CM: few labels, many images, and a margin of confidence for each class.

Li, Wang, Yang, Wang, Gao, "Towards semi-supervised deep facial expression recognition with an
adaptive confidence margin", CVPR 2022. Constants and order are those of the published code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import keras
import numpy as np
from annotated_types import Ge, Gt, Le, Lt
from keras import ops

from eactf import losses
from eactf.methods.arguments import check_arguments
from eactf.methods.batch import Batch
from eactf.methods.labelled_part import LabelledPart
from eactf.methods.margin_method import MarginMethod
from eactf.methods.margin_terms import guess, sure_cross_entropy, unsure_term
from eactf.methods.training_rows import Phase, TrainingRows
from eactf.methods.views import Views
from eactf.nn.strong_augmentation import random_strong, weak_view
from eactf.only import Anew, Only

__all__ = ["AdaCM"]

Tensor = Any

_WEAK, _STRONG = 11, 12
"""Streams of random draws: of the weak views, of what makes a view strong."""

_UNLABELLED = 8
"""The stream of orders of the unlabelled images; the labelled ones' rounds have 0, 256, 512, ..."""


@keras.saving.register_keras_serializable(package="eactf")
class AdaCM(MarginMethod):
    """Train a classifier on few labels and on its own sure guesses for all other images.

    A step takes a batch of labelled images in a weak view (cropped and mirrored at random) and one
    of unlabelled images in two weak views and a strong one (RandAugment and Cutout first). The mean
    prediction of the weak views is the guess. Where its confidence reaches the margin of the
    guessed class the guess is what the strong view is trained on; all other images, of low
    confidence, only have to tell their two weak views from other images (Ada-CM, section 3):
    loss = `labelled_weight` * cross-entropy + `unlabelled_weight` * sum(sure * cross-entropy) / B
    + `low_confidence_weight` * contrast. After the optimizer's step the moving average follows, and
    the trained weights, batch statistics among them, shrink. What is kept and judged by,
    `classifier`, is the average, with a head on features of unit length in the place of the given
    classifier's dense layer. Images must be in 0..255.

    After every epoch, numbered e from 1, the margin of a class becomes max(`margin_floor`,
    `margin_factor` * m / (1 + exp(-e))), m the average's mean confidence in the labelled images of
    the class that it predicts right: a margin can only rise above the floor.

    - `labelled_per_class`: how many labels of each class are used, drawn by the seed; null: all.
      All there are of a class that has fewer; the other images are unlabelled.
    - `labelled_from`: the folder of a run that divided these training labels (or its
      division.csv), whose kept labels are used; null: see labelled_per_class. Kept are those that
      both networks keep.
    - `steps_per_epoch`: steps of an epoch, whatever the number of images.
    - `labelled_weight`: weight of the cross-entropy of the labelled images.
    - `unlabelled_weight`: weight of the cross-entropy of sure images with what is guessed of them.
    - `low_confidence`: what is asked of images of low confidence. Contrastive: their two weak views
      be closer than those of others; kl: the weak and the strong view be predicted alike.
    - `low_confidence_weight`: weight of that term.
    - `temperature`: what the similarities of the contrast are divided by.
    - `margin_floor`: the margin of every class in the first epoch, and the least one later.
    - `margin_factor`: the share of the mean confidence that becomes a margin.
    - `margin_views`: what margins are measured on; training: weak views, an incomplete last batch
      left out, as published; plain: all labelled images as they are.
    - `ema`: how much of the average stays in each step.
    - `shrink`: the share of the learning rate by which trained weights shrink in each step.
    - `dropout`: the share of the pooled features that training drops.
    - `normalized`: false: the classifier's own dense layer on its pooled features.
    - `scale`: what unit features are multiplied by; null: 1, as published. Without it confidences
      rise slowly, and with few steps may never reach the margins.
    - `strong_operations`: operations of RandAugment that make a view strong.
    - `flip_probability`: the share of the views that is mirrored.
    - `augmentation`: its `crop_padding` is what is padded by before the random crop that half the
      views get (8 of 224 pixels in the paper), its `corruption` comes before all else; it has no
      pixel noise.
    - `prior_adjustment`, `class_prior`: tau of the logit adjustment of the labelled images'
      cross-entropy and how often each class is given as a label (see `Method`). Where only some
      labels are used, those are counted instead.

    In Python `labelled` may name the ids of the labelled samples, or `labelled_counts` the number
    of labels of each class (the published split has fewer of one class). One of the four ways is
    taken; without any all labels are used, and all images serve as unlabelled ones as well, as they
    do wherever no other image is left. Labels that are not used never reach a step. Weights of
    samples and classes (see `Method`) weigh the labelled cross-entropy.

    `fit` needs all samples at once, as DivideMix's; `batch_size` (16 in the paper, and thresholds
    and steps are tuned to it) is the number of labelled and of unlabelled images of a step.

    Logs `loss`, `labelled`, `unlabelled`, `low_confidence`, `sure`, the share of unlabelled images
    that reach their margin, and `confidence`, the mean confidence of the guesses; metrics are of
    the labelled images. `margin_record` has more, class by class. Raises `ValueError` on values out
    of range.

    >>> import eactf
    >>> network = eactf.build_classifier("resnet10", image_size=32, channels=1, classes=3, width=4)
    >>> model = eactf.AdaCM(network, labelled_per_class=2, steps_per_epoch=2)
    >>> model.compile(optimizer=eactf.optimizers.Adam(5e-4))
    >>> images, labels = np.zeros((12, 32, 32, 1), "uint8"), np.arange(12) % 3
    >>> history = model.fit(images, labels, batch_size=4, epochs=1, verbose=0)
    >>> model.margin_record["margins"]
    [0.8, 0.8, 0.8]
    """

    loss_parts = ("labelled", "unlabelled", "low_confidence", "sure", "confidence")
    views = 4

    def __init__(
        self,
        classifier: keras.Model,
        *,
        labelled_per_class: Annotated[int | None, Ge(1)] = None,
        labelled_counts: Sequence[int] | None = None,
        labelled_from: str | None = None,
        labelled: Sequence[int] | None = None,
        steps_per_epoch: Annotated[int, Ge(1)] = 800,
        labelled_weight: Annotated[float, Ge(0)] = 0.5,
        unlabelled_weight: Annotated[float, Ge(0), Anew()] = 1.0,
        low_confidence: Literal["contrastive", "kl", "none"] = "contrastive",
        low_confidence_weight: Annotated[
            float, Ge(0), Only("low_confidence", "contrastive", "kl")
        ] = 0.1,
        temperature: Annotated[float, Gt(0), Anew(), Only("low_confidence", "contrastive")] = 0.07,
        margin_floor: Annotated[float, Ge(0), Le(1)] = 0.8,
        margin_factor: Annotated[float, Ge(0), Le(1)] = 0.97,
        margin_views: Literal["training", "plain"] = "training",
        ema: Annotated[float, Ge(0), Le(1)] = 0.999,
        shrink: Annotated[float, Ge(0)] = 0.02,
        dropout: Annotated[float, Ge(0), Lt(1), Anew()] = 0.5,
        normalized: bool = True,
        scale: Annotated[float | None, Gt(0)] = None,
        strong_operations: Annotated[int, Ge(0)] = 3,
        flip_probability: Annotated[float, Ge(0), Le(1)] = 0.5,
        augmentation: Views = Views(crop_padding=8),
        prior_adjustment: Annotated[float, Ge(0)] = 0.0,
        class_prior: Sequence[float] | None = None,
        seed: int = 0,
        name: str = "ada_cm",
    ) -> None:
        check_arguments(AdaCM, locals())
        if augmentation.pixel_noise > 0.0:
            raise ValueError(
                f"Ada-CM has no pixel noise; received pixel_noise={augmentation.pixel_noise!r}"
            )
        self.margin_floor = float(margin_floor)  # the margins begin there, within the base's start
        super().__init__(
            classifier,
            ema=ema,
            shrink=shrink,
            dropout=dropout,
            normalized=normalized,
            scale=scale,
            augmentation=augmentation,
            prior_adjustment=prior_adjustment,
            class_prior=class_prior,
            seed=seed,
            name=name,
        )
        self.part = LabelledPart.of(labelled_per_class, labelled_counts, labelled_from, labelled)
        self.steps_per_epoch = int(steps_per_epoch)
        self.labelled_weight = float(labelled_weight)
        self.unlabelled_weight = float(unlabelled_weight)
        self.low_confidence = low_confidence
        self.low_confidence_weight = float(low_confidence_weight)
        self.temperature = float(temperature)
        self.margin_factor = float(margin_factor)
        self.margin_views = margin_views
        self.strong_operations = int(strong_operations)
        self.flip_probability = float(flip_probability)
        self._labelled: np.ndarray | None = None
        self._labelled_prior: np.ndarray | None = None

    # What an epoch consists of.

    def attach(self, rows: TrainingRows) -> None:
        """As every planned method's; says which labels are used. `ValueError` where none can be."""
        places = self.part.places(rows, self.margins.shape[0], self.seed)
        super().attach(rows)
        self._use(places)

    def _use(self, places: np.ndarray) -> None:
        """Use the labels at these places; the adjustment counts them, built into the step."""
        self._labelled = places
        if self.rows is None or self.prior_adjustment == 0.0 or self.part.is_all:
            return
        counts = np.bincount(self.rows.classes[places], minlength=self.margins.shape[0])
        before = self._labelled_prior
        if before is None or not np.array_equal(counts, before):
            self._labelled_prior = counts.astype(np.float32)
            self.train_function = None

    @property
    def labelled_places(self) -> np.ndarray:
        """Places `(n,)` of the training samples whose labels are used; known once attached."""
        self._attached()
        assert self._labelled is not None
        return self._labelled

    def phases(self, epoch: int, rows: TrainingRows) -> Sequence[Phase]:
        labelled = self.labelled_places
        others = np.setdiff1d(np.arange(len(rows)), labelled)
        count = self.steps_per_epoch * rows.batch_size
        # Rounds of all labelled samples, so that each comes equally often, balanced or not.
        rounds = range(-(-count // len(labelled)))
        known = [rows.order(labelled, epoch, stream=turn << 8) for turn in rounds]
        unknown = rows.cycled(others if len(others) else labelled, count, epoch, _UNLABELLED)
        return [Phase(0, np.concatenate(known)[:count], rows.batch_size, unknown)]

    # A step.

    def train_step(self, data: Any) -> Mapping[str, Tensor]:
        labelled, _, unlabelled = self.unpack_divided(data)
        # An epoch brings a labelled sample many times: each showing has a view of its own.
        known, labelled = labelled, replace(labelled, ids=None)
        weights = self.weights_of(labelled)
        weak = self.views_of(labelled)
        views = [self.views_of(unlabelled, view=number) for number in (1, 2)]
        views.append(self.views_of(unlabelled, self.strong, view=3))

        def objective() -> tuple[Tensor, Any]:
            logits, _ = self.outputs(labelled, weak, view=0)
            found = [self.outputs(unlabelled, view, number) for number, view in enumerate(views, 1)]
            guessed = guess(found[0][0], found[1][0], ops.convert_to_tensor(self.margins))
            everyone = self.guesses_of_all(guessed, unlabelled)
            parts = {
                "labelled": self.cross_entropy(logits, labelled.labels, weights),
                "unlabelled": sure_cross_entropy(found[2][0], guessed),
                "low_confidence": self._low_confidence_term(found, unlabelled, everyone.is_sure),
            }
            loss = (
                self.labelled_weight * parts["labelled"]
                + self.unlabelled_weight * parts["unlabelled"]
                + self.low_confidence_weight * parts["low_confidence"]
            )
            sure = ops.mean(ops.cast(guessed.is_sure, "float32"))
            more = {"loss": loss, "sure": sure, "confidence": ops.mean(guessed.confidence)}
            return loss, (logits, everyone, {**parts, **more})

        logits, everyone, parts = self.minimize_and_follow(objective, labelled.share)
        self.count_guesses(everyone)
        self.note(known, logits)
        return self.report(labelled, logits, parts)

    def adjusted(self, logits: Tensor) -> Tensor:
        """As every method's, by how often each class is given in the labels that are used."""
        if self._labelled_prior is None:
            return super().adjusted(logits)
        return losses.adjusted_logits(logits, self._labelled_prior, self.prior_adjustment)

    def make_views(self, images: Tensor) -> Tensor:
        """A weak view: half of the images cropped, some mirrored."""
        return self._weak(self.disturbed(images))

    def strong(self, images: Tensor) -> Tensor:
        """A strong view: random operations and a square cut out, then as a weak one."""
        images = self.disturbed(images)
        keys = self.sample_keys(images, _STRONG)
        return self._weak(random_strong(images, keys, self.strong_operations))

    def _weak(self, images: Tensor) -> Tensor:
        keys, padding = self.sample_keys(images, _WEAK), self.augmentation.crop_padding
        return weak_view(images, keys, padding, flip_probability=self.flip_probability)

    def _low_confidence_term(
        self, found: Sequence[tuple[Tensor, Tensor]], batch: Batch, is_sure: Tensor
    ) -> Tensor:
        """Of the images of low confidence in the global batch, whoever has them."""
        if self.low_confidence == "none":
            return ops.zeros(())
        (first, features), (_, other_features), (strong, _) = found
        both = [features, other_features]
        if self.low_confidence == "kl":
            both = [first, strong]
        pairs = self.over_all_replicas(ops.stack(both, axis=1), batch)
        return unsure_term(self.low_confidence, pairs, is_sure, self.temperature)

    # What it remembers.

    def extra_state(self) -> Mapping[str, np.ndarray]:
        known = {} if self._labelled is None else {"labelled": self._labelled}
        return {**super().extra_state(), **known}

    def restore_extra_state(self, state: Mapping[str, np.ndarray]) -> None:
        super().restore_extra_state(state)
        if "labelled" in state:
            # The file that said so may be another one by now.
            self._use(np.array(state["labelled"]))

    def get_config(self) -> dict[str, Any]:
        part = self.part
        return {
            **super().get_config(),
            "labelled_per_class": part.per_class,
            "labelled_counts": None if part.counts is None else list(part.counts),
            "labelled_from": part.path,
            "labelled": None if part.ids is None else list(part.ids),
            "steps_per_epoch": self.steps_per_epoch,
            "labelled_weight": self.labelled_weight,
            "unlabelled_weight": self.unlabelled_weight,
            "low_confidence": self.low_confidence,
            "low_confidence_weight": self.low_confidence_weight,
            "temperature": self.temperature,
            "margin_floor": self.margin_floor,
            "margin_factor": self.margin_factor,
            "margin_views": self.margin_views,
            "strong_operations": self.strong_operations,
            "flip_probability": self.flip_probability,
        }

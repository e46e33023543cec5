"""The two-network variant of "Modeling noisy labels for facial expression recognition".

A report's plan (Zhu, Ding, Yi): warm-up, a mixture fitted to the losses, a threshold for each
class, and cross-entropy with DivideMix's penalty on the labels that are kept, one network fixed
while the other is trained. What the report leaves open is taken from DivideMix and Ada-CM.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import keras
import numpy as np
from annotated_types import Ge, Gt, Le
from keras import ops

from eactf import losses, margins
from eactf.methods.arguments import check_arguments
from eactf.methods.batch import Batch
from eactf.methods.guessing import GuessingMethod
from eactf.methods.transforms import refuse_small_maps
from eactf.methods.views import Erasing, Views
from eactf.nn.normalization import weighing_rows
from eactf.only import Anew, Only

__all__ = ["TwoNetworks"]

Tensor = Any


@keras.saving.register_keras_serializable(package="eactf")
class TwoNetworks(GuessingMethod):
    """Train two classifiers, each on the labels that pass the other one's threshold of their class.

    After `warm_up` epochs on all labels a mixture of two Gaussians is fitted to each network's
    losses of all samples. A label is kept whose clean probability is above the threshold of its
    class: with `thresholds="adaptive"` `beta` times the mean clean probability of those samples of
    the class that the network predicts as labelled, by Ada-CM's rule (`margins.class_thresholds`),
    never below `floor`. Each network is trained on what the other one keeps, both divisions being
    made before either is trained:
    loss = cross-entropy + the penalty on the mean prediction of the batch (`losses.prior_penalty`).

    - `second`: another classifier of the same form, drawn anew where it is None.
    - `warm_up`: epochs of cross-entropy on all labels before the first division.
    - `confidence_penalty`: true: the warm-up also drives against certain predictions, for noise
      that depends on the class.
    - `thresholds`: how a class's threshold is found; fixed: `floor` for all.
    - `beta`: the share of the mean clean probability that a label must have.
    - `floor`: the least threshold, and where no label agrees with its prediction.
    - `least_of_each_class`: labels of each class that are kept whatever their clean probability.
    - `prior`: what the mean prediction is held to; uniform as published, or the shares of the given
      labels, which suits classes of unequal size. `"empirical"` needs `class_prior`.
    - `unlabelled`: what is done with images whose labels are set aside; none: nothing (the report).
      `"mixmatch"` takes them into DivideMix's step, `"ada_cm"` adds Ada-CM's terms: sure guesses
      are trained on a strong view, other images tell their two weak views from all others.
    - `unlabelled_weight`: lambda, the weight of the rows whose labels were set aside.
    - `unlabelled_ramp`: epochs over which that weight grows linearly, from the end of the warm-up.
    - `alpha`: the mixing coefficient is the larger share of a draw from Beta(alpha, alpha).
    - `temperature`: the exponent 1 / temperature sharpens labels; 1 leaves them.
    - `guess`: how the networks predict what becomes labels, as DivideMix's.
    - `pseudo_label_weight`: weight of the cross-entropy of sure guesses.
    - `low_confidence_weight`: weight of the contrast of images that no guess is sure of.
    - `contrast_temperature`: what the similarities of that contrast are divided by.
    - `margin_floor`: how confident a guess must be in the first epoch, and at least later on.
    - `margin_factor`: the share of the mean confidence in kept labels that becomes a margin.
    - `strong_operations`: operations of RandAugment that make a view strong.
    - `consistency_weight`: weight of EAC's flip consistency of the trained network's maps, on the
      labelled images (5 in EAC's paper); 0: the report.
    - `consistency_ramp`: epochs over which that weight grows linearly from 0.
    - `monotone`: true: a smaller loss is never taken for less clean.
    - `clip_quantile`: losses above this quantile are lowered to it before the fit; null: none.
    - `loss_history`: epochs whose losses are averaged for the fit.
    - `flip_probability`, `erasing` and `augmentation` are CrossEntropy's; nothing is erased unless
      it is asked for.
    - `prior_adjustment`, `class_prior`: tau of the logit adjustment and how often each class is
      given as a label (see `Method`).

    Weights of samples and classes (see `Method`) weigh the cross-entropies, where labels are not
    mixed. `fit`, `networks`, `classifier` and `division` are as DivideMix's.

    Logs `loss` and, after the warm-up, `cross_entropy`, `penalty` and `consistency`, or DivideMix's
    parts. Raises `ValueError` on values out of range.

    >>> import eactf
    >>> network = eactf.build_classifier("resnet10", image_size=32, channels=1, classes=3, width=4)
    >>> model = eactf.TwoNetworks(network, thresholds="fixed")
    >>> model.compile(optimizer=eactf.optimizers.SGD(0.02, momentum=0.9))
    >>> images, labels = np.zeros((12, 32, 32, 1), "uint8"), np.arange(12) % 3
    >>> history = model.fit(images, labels, batch_size=4, epochs=2, verbose=0)
    >>> model.division.thresholds[0]
    array([0.5, 0.5, 0.5])
    """

    loss_parts = (
        "cross_entropy",
        "penalty",
        "consistency",
        "labelled",
        "unlabelled",
        "unlabelled_weight",
        "low_confidence",
        "sure",
        "confidence",
    )

    def __init__(
        self,
        classifier: keras.Model,
        second: keras.Model | None = None,
        *,
        warm_up: Annotated[int, Ge(1)] = 1,
        confidence_penalty: bool = True,
        thresholds: Literal["adaptive", "fixed"] = "adaptive",
        beta: Annotated[float, Ge(0), Le(1), Only("thresholds", "adaptive")] = 0.97,
        floor: Annotated[float, Ge(0), Le(1)] = 0.5,
        least_of_each_class: Annotated[int, Ge(0)] = 8,
        prior: Literal["uniform", "empirical"] = "uniform",
        unlabelled: Literal["none", "mixmatch", "ada_cm"] = "none",
        unlabelled_weight: Annotated[float, Ge(0), Anew(), Only("unlabelled", "mixmatch")] = 0.0,
        unlabelled_ramp: Annotated[float, Ge(0), Only("unlabelled", "mixmatch")] = 16.0,
        alpha: Annotated[float, Gt(0), Only("unlabelled", "mixmatch")] = 4.0,
        temperature: Annotated[float, Gt(0), Anew(), Only("unlabelled", "mixmatch")] = 0.5,
        guess: Annotated[
            Literal["evaluation", "training"], Only("unlabelled", "mixmatch")
        ] = "evaluation",
        pseudo_label_weight: Annotated[float, Ge(0), Only("unlabelled", "ada_cm")] = 1.0,
        low_confidence_weight: Annotated[float, Ge(0), Only("unlabelled", "ada_cm")] = 0.1,
        contrast_temperature: Annotated[float, Gt(0), Only("unlabelled", "ada_cm")] = 0.07,
        margin_floor: Annotated[float, Ge(0), Le(1), Only("unlabelled", "ada_cm")] = 0.8,
        margin_factor: Annotated[float, Ge(0), Le(1), Only("unlabelled", "ada_cm")] = 0.97,
        strong_operations: Annotated[int, Ge(0), Only("unlabelled", "ada_cm")] = 3,
        consistency_weight: Annotated[float, Ge(0), Anew()] = 0.0,
        consistency_ramp: Annotated[float, Ge(0), Anew()] = 0.0,
        monotone: bool = False,
        clip_quantile: Annotated[float | None, Gt(0), Le(1)] = None,
        loss_history: Annotated[int, Ge(1)] = 1,
        flip_probability: Annotated[float, Ge(0), Le(1)] = 0.5,
        erasing: Erasing = Erasing(probability=0.0),
        augmentation: Views = Views(),
        prior_adjustment: Annotated[float, Ge(0)] = 0.0,
        class_prior: Sequence[float] | None = None,
        seed: int = 0,
        name: str = "two_networks",
    ) -> None:
        check_arguments(TwoNetworks, locals())
        if prior == "empirical" and class_prior is None:
            raise ValueError(
                'prior="empirical" needs class_prior: how often each class is given as a label'
            )
        # The margins begin with these, within the base's own start.
        self.takes_guesses, self.margin_floor = unlabelled == "ada_cm", float(margin_floor)
        super().__init__(
            classifier,
            second,
            warm_up=warm_up,
            confidence_penalty=confidence_penalty,
            monotone=monotone,
            clip_quantile=clip_quantile,
            loss_history=loss_history,
            flip_probability=flip_probability,
            erasing=erasing,
            augmentation=augmentation,
            prior_adjustment=prior_adjustment,
            class_prior=class_prior,
            seed=seed,
            name=name,
        )
        if consistency_weight > 0.0:
            refuse_small_maps(self.map_size)
        self.adaptive = thresholds == "adaptive"
        self.beta, self.floor = float(beta), float(floor)
        self.least_of_each_class = int(least_of_each_class)
        self.prior = prior
        self.unlabelled = unlabelled
        self.takes_unlabelled = unlabelled != "none"
        self.consistency_weight = float(consistency_weight)
        self.consistency_ramp = float(consistency_ramp)
        self.start_mixing(
            unlabelled_weight=unlabelled_weight,
            ramp=unlabelled_ramp,
            alpha=alpha,
            temperature=temperature,
            guess=guess,
            forward_unlabelled=False,
        )
        self.start_guessing(
            margin_factor=margin_factor,
            pseudo_label_weight=pseudo_label_weight,
            low_confidence_weight=low_confidence_weight,
            contrast_temperature=contrast_temperature,
            strong_operations=strong_operations,
        )
        if self.takes_guesses:
            self.views = 4

    def train_step(self, data: Any) -> Mapping[str, Tensor]:
        if not isinstance(data[0], tuple):
            return self.warm_up_step(data)
        if self.unlabelled == "none":
            return self.kept_step(data[0])
        if self.takes_guesses:
            return self.guessing_step(data)
        return self.mixing_step(data, self.expected_prior)

    def kept_step(self, data: Any) -> Mapping[str, Tensor]:
        """A step on labels that the other network keeps, and on nothing else."""
        batch = self.unpack(data)
        images = self.views_of(batch, view=self.view(0))
        weights = self.weights_of(batch)

        def objective() -> tuple[Tensor, Any]:
            own, of_all, logits, parts = self.kept_terms(images, batch, weights)
            return own + of_all, (logits, {"loss": own + of_all, **parts})

        logits, parts = self.minimize_own(objective, batch.share)
        return self.figures(batch, logits, parts)

    def guessing_step(self, data: Any) -> Mapping[str, Tensor]:
        """A step on kept labels, and on guesses of the images whose labels were set aside."""
        batch, _, others = self.unpack_divided(data)
        images, views = self.views_of(batch, view=self.view(0)), self.guessed_views(others)
        weights = self.weights_of(batch)
        # Replicas may have a part of one batch and none of the other.
        share = (batch.share + others.share) / 2.0

        def objective() -> tuple[Tensor, Any]:
            with weighing_rows(self._row_weight(batch.share)):
                own, of_all, logits, parts = self.kept_terms(images, batch, weights)
            guessed, more = self.guessed_terms(views, others)
            loss = own * ops.divide_no_nan(batch.share, share) + of_all + guessed
            return loss, (logits, {"loss": own + of_all + guessed, **parts, **more})

        logits, parts = self.minimize_own(objective, share)
        return self.figures(batch, logits, parts)

    def kept_terms(
        self, images: Tensor, batch: Batch, weights: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """What kept labels cost: a mean over this replica's samples, and a term of the batch.

        With the logits of this replica's samples, and the parts of both.
        """
        features, logits = self.opened_networks[self.trained](images, training=True)
        own = self.cross_entropy(logits, batch.labels, weights)
        everyone = self.over_all_replicas(logits, batch)
        penalty = losses.prior_penalty(everyone, self.expected_prior)
        parts = {"cross_entropy": own, "penalty": penalty}
        if self.consistency_weight > 0.0:
            parts["consistency"] = self.flip_consistency(features, images)
            own = own + self.ramped_consistency_weight() * parts["consistency"]
        return own, penalty, logits, parts

    def further_loss(self, images: Tensor, batch: Batch) -> tuple[Tensor, Mapping[str, Tensor]]:
        """EAC's consistency of the labelled images, in DivideMix's step."""
        if self.consistency_weight == 0.0:
            return super().further_loss(images, batch)
        features, _ = self.padded_outputs(images, training=True)
        consistency = self.flip_consistency(features, images)
        consistency = ops.where(batch.count > 0, consistency, 0.0)
        return self.ramped_consistency_weight() * consistency, {"consistency": consistency}

    def flip_consistency(self, features: Tensor, images: Tensor) -> Tensor:
        """How far the maps of `images` are from those of their mirror images (EAC, eq. 3)."""
        kernel = ops.stop_gradient(ops.cast(self.heads[self.trained].kernel, "float32"))
        mirrored, _ = self.padded_outputs(ops.flip(images, axis=2), training=True)
        both = (ops.cast(maps, "float32") for maps in (features, mirrored))
        return losses.flip_consistency(
            *(losses.class_activation_maps(maps, kernel) for maps in both)
        )

    def ramped_consistency_weight(self) -> Tensor:
        """The consistency's weight at this step."""
        return self.ramped(self.consistency_weight, self.consistency_ramp)

    @property
    def expected_prior(self) -> Any:
        """What the mean prediction is held to, None for all classes alike."""
        return self.class_prior if self.prior == "empirical" else None

    def thresholds(
        self, clean: np.ndarray, given: np.ndarray, logits: np.ndarray, epoch: int
    ) -> np.ndarray:
        """The threshold of each class, for the epoch to come."""
        classes = logits.shape[1]
        if not self.adaptive:
            return np.full(classes, self.floor)
        after_warm_up = epoch - self.warm_up + 1
        found = logits.argmax(axis=1)
        return margins.class_thresholds(
            clean, given, found, classes, after_warm_up, self.beta, self.floor
        )

    def get_config(self) -> dict[str, Any]:
        mixing = self.mixing_config()
        return {
            **super().get_config(),
            "thresholds": "adaptive" if self.adaptive else "fixed",
            "beta": self.beta,
            "floor": self.floor,
            "least_of_each_class": self.least_of_each_class,
            "prior": self.prior,
            "unlabelled": self.unlabelled,
            "unlabelled_weight": mixing["unlabelled_weight"],
            "unlabelled_ramp": mixing["ramp"],
            "alpha": mixing["alpha"],
            "temperature": mixing["temperature"],
            "guess": mixing["guess"],
            **self.guessing_config(),
            "consistency_weight": self.consistency_weight,
            "consistency_ramp": self.consistency_ramp,
        }

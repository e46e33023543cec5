"""DivideMix (Li, Socher, Hoi, "Learning with noisy labels as semi-supervised learning", ICLR 2020).

Each network's losses divide the labels for the other one: what is likely clean is labelled, the
rest is not. Labels are refined and guessed by the networks themselves, and images mixed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import keras
import numpy as np
from annotated_types import Ge, Gt, Le, Lt

from eactf.methods.arguments import check_arguments
from eactf.methods.mixmatch import MixingMethod
from eactf.methods.training_rows import Phase
from eactf.methods.views import Erasing, Views
from eactf.only import Anew

__all__ = ["DivideMix"]

Tensor = Any


@keras.saving.register_keras_serializable(package="eactf")
class DivideMix(MixingMethod):
    """Train two classifiers with DivideMix, each on the labels that the other one takes for clean.

    After `warm_up` epochs of cross-entropy a mixture of two Gaussians is fitted to each network's
    losses of all samples (`eactf.mixture`), in evaluation mode and without augmentation. Labels of
    a clean probability above `threshold` train the other network. Its step takes a batch of them
    and one of the others, two views of each: a label becomes the mean of label and own prediction,
    weighed by the clean probability, an image whose label was set aside gets the mean prediction of
    both networks, both sharpened; all rows are mixed at random, and
    loss = cross-entropy of the labelled rows + lambda * squared error of the others + the penalty
    on the mean prediction (`losses.dividemix_loss`).

    `fit` takes all training samples (arrays, or a data set that it reads once) and `batch_size` B:
    a step of the warm-up takes 2 B images, one after it B labelled and B others, twice each.
    `networks` are the two; `classifier`, what is kept, gives the sum of their logits. `division` is
    the last one made (`eactf.division`).

    - `second`: another classifier of the same form, drawn anew where it is None.
    - `warm_up`: epochs of cross-entropy on all labels before the first division.
    - `confidence_penalty`: true: the warm-up also drives against certain predictions, for noise
      that depends on the class (published: on for such noise, off for symmetric noise).
    - `threshold`: a label is kept whose clean probability is above it (0.5; 0.6 at 90 % noise).
    - `unlabelled_weight`: lambda, the weight of the rows whose labels were set aside; 0 under
      little or class-dependent noise, 25 to 150 under much symmetric noise (the published default
      of 25 costs up to 10 points where 0 is right).
    - `unlabelled_ramp`: epochs over which that weight grows linearly, from the end of the warm-up
      on.
    - `alpha`: the mixing coefficient is the larger share of a draw from Beta(alpha, alpha).
    - `temperature`: the exponent 1 / temperature sharpens labels; 1 leaves them.
    - `guess`: how the networks predict what becomes labels; evaluation: as a trained network does,
      all views at once. `"training"` is the published form: the trained network predicts with the
      statistics of each batch, which moves its running ones too.
    - `forward_unlabelled`: true: with an `unlabelled_weight` of 0 too all rows pass the network, as
      in the published code for CIFAR. They then count in batch statistics and penalty, at half as
      much cost again.
    - `monotone`: true: a smaller loss is never taken for less clean.
    - `clip_quantile`: losses above this quantile are lowered to it before the fit; null: none.
    - `loss_history`: epochs whose losses are averaged for the fit (1; 5 at 90 % noise).
    - `flip_probability`, `erasing` and `augmentation` are CrossEntropy's; nothing is erased unless
      it is asked for. The published code mirrors half the images and crops (`crop_padding=4`).
    - `prior_adjustment`, `class_prior`: tau of the logit adjustment and how often each class is
      given as a label (see `Method`); it acts in the warm-up and in the step.

    Weights of samples and classes (see `Method`) weigh the cross-entropy of the warm-up. In the
    steps after it labels are mixed, and all count alike.

    Logs `loss` and, after the warm-up, `labelled`, `unlabelled`, `penalty` and `unlabelled_weight`;
    metrics are of the labels that are trained on. Raises `ValueError` on values out of range.

    >>> import eactf
    >>> network = eactf.build_classifier("resnet10", image_size=32, channels=1, classes=3, width=4)
    >>> model = eactf.DivideMix(network, warm_up=1)
    >>> model.compile(optimizer=eactf.optimizers.SGD(0.02, momentum=0.9))
    >>> images, labels = np.zeros((12, 32, 32, 1), "uint8"), np.arange(12) % 3
    >>> history = model.fit(images, labels, batch_size=4, epochs=2, verbose=0)
    >>> model.division.kept.shape
    (12, 2)
    """

    loss_parts = ("labelled", "unlabelled", "penalty", "unlabelled_weight")
    views = 4

    def __init__(
        self,
        classifier: keras.Model,
        second: keras.Model | None = None,
        *,
        warm_up: Annotated[int, Ge(1)] = 10,
        confidence_penalty: bool = False,
        threshold: Annotated[float, Ge(0), Lt(1)] = 0.5,
        unlabelled_weight: Annotated[float, Ge(0), Anew()] = 0.0,
        unlabelled_ramp: Annotated[float, Ge(0)] = 16.0,
        alpha: Annotated[float, Gt(0)] = 4.0,
        temperature: Annotated[float, Gt(0), Anew()] = 0.5,
        guess: Literal["evaluation", "training"] = "evaluation",
        forward_unlabelled: bool = False,
        monotone: bool = False,
        clip_quantile: Annotated[float | None, Gt(0), Le(1)] = None,
        loss_history: Annotated[int, Ge(1)] = 1,
        flip_probability: Annotated[float, Ge(0), Le(1)] = 0.5,
        erasing: Erasing = Erasing(probability=0.0),
        augmentation: Views = Views(),
        prior_adjustment: Annotated[float, Ge(0)] = 0.0,
        class_prior: Sequence[float] | None = None,
        seed: int = 0,
        name: str = "dividemix",
    ) -> None:
        check_arguments(DivideMix, locals())
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
        self.threshold = float(threshold)
        self.start_mixing(
            unlabelled_weight=unlabelled_weight,
            ramp=unlabelled_ramp,
            alpha=alpha,
            temperature=temperature,
            guess=guess,
            forward_unlabelled=forward_unlabelled,
        )

    def train_step(self, data: Any) -> Mapping[str, Tensor]:
        return self.mixing_step(data) if isinstance(data[0], tuple) else self.warm_up_step(data)

    def thresholds(
        self, clean: np.ndarray, given: np.ndarray, logits: np.ndarray, epoch: int
    ) -> np.ndarray:
        """The same for all classes."""
        return np.full(logits.shape[1], self.threshold)

    def warm_up_batch(self, batch_size: int) -> int:
        """Twice what a step of either kind takes later, as published."""
        return 2 * batch_size

    def counted_steps(self, phase: Phase) -> int:
        """The published count, by which the unlabelled weight's ramp goes."""
        if phase.unlabelled is None:
            return phase.steps
        return len(phase.labelled) // phase.batch_size + 1

    def get_config(self) -> dict[str, Any]:
        mixing = self.mixing_config()
        ramp = mixing.pop("ramp")
        return {
            **super().get_config(),
            **mixing,
            "unlabelled_ramp": ramp,
            "threshold": self.threshold,
        }

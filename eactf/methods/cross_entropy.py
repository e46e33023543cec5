"""The papers' baseline: plain cross-entropy on images that are erased and mirrored at random."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import keras
from annotated_types import Ge, Gt, Le, Lt

from eactf import losses
from eactf.methods.arguments import check_arguments
from eactf.methods.erasing import OneViewMethod
from eactf.methods.views import Erasing, Views

__all__ = ["CrossEntropy"]

Tensor = Any


@keras.saving.register_keras_serializable(package="eactf")
class CrossEntropy(OneViewMethod):
    """Train a classifier with softmax cross-entropy, erasing and mirroring each image at random.

    The baseline that EAC's tables are read against ("also trained with erase and flip", EAC,
    section 4.3).

    - `flip_probability`: the share of the images that are mirrored, in [0, 1].
    - `erasing`, `augmentation` and `seed` are EAC's. An image is mirrored or gets pixel noise or
      neither, never both: the two probabilities are at most 1 together.
    - `label_smoothing`: share of each label spread over all classes. Often tried first against
      wrong labels (`losses.smooth_labels`).
    - `generalized`: exponent q of generalised cross-entropy (0.7 in its paper); null: plain. The
      other thing that is often tried first (`losses.generalized_cross_entropy`).
    - `prior_adjustment`, `class_prior`: tau of the logit adjustment and how often each class is
      given as a label (see `Method`). It acts on the whole loss, generalised and of smoothed labels
      too.

    Weights of samples and classes (see `Method`) weigh the whole loss, generalised and of smoothed
    labels too; a class's weight is that of the label before smoothing.

    Logs `loss`. Raises `ValueError` on values out of range.
    """

    def __init__(
        self,
        classifier: keras.Model,
        *,
        label_smoothing: Annotated[float, Ge(0), Lt(1)] = 0.0,
        generalized: Annotated[float | None, Gt(0), Le(1)] = None,
        flip_probability: Annotated[float, Ge(0), Le(1)] = 0.5,
        erasing: Erasing = Erasing(),
        augmentation: Views = Views(),
        prior_adjustment: Annotated[float, Ge(0)] = 0.0,
        class_prior: Sequence[float] | None = None,
        seed: int = 0,
        name: str = "cross_entropy",
    ) -> None:
        check_arguments(CrossEntropy, locals())
        super().__init__(
            classifier,
            flip_probability=flip_probability,
            erasing=erasing,
            augmentation=augmentation,
            prior_adjustment=prior_adjustment,
            class_prior=class_prior,
            seed=seed,
            name=name,
        )
        self.label_smoothing = float(label_smoothing)
        self.generalized = None if generalized is None else float(generalized)

    def train_step(self, data: Any) -> Mapping[str, Tensor]:
        batch = self.unpack(data)
        images = self.views_of(batch)
        weights = self.weights_of(batch)

        def objective() -> tuple[Tensor, Any]:
            logits = self.network(images, training=True)[1]
            values = self.sample_losses(self.adjusted(logits), batch.labels)
            loss = losses.weighted_mean(values, weights)
            return loss, (logits, {"loss": loss})

        logits, parts = self.minimize(objective, batch.share)
        return self.report(batch, logits, parts)

    def sample_losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of each sample, `(n,)`, by the options chosen."""
        if self.label_smoothing > 0.0:
            labels = losses.smooth_labels(labels, logits.shape[-1], self.label_smoothing)
        if self.generalized is not None:
            return losses.generalized_cross_entropy(logits, labels, self.generalized)
        return losses.cross_entropy(logits, labels)

    def get_config(self) -> dict[str, Any]:
        options = {"label_smoothing": self.label_smoothing, "generalized": self.generalized}
        return {**super().get_config(), **options}

"""Erasing Attention Consistency (Zhang et al., "Learn From All", ECCV 2022).

Two views, two maps, one loss: the original view alone is classified, and the class activation
maps of both views must agree once the mirrored one is flipped back. Blocks erased at random keep
the maps from being learnt by heart, which makes it hard to memorise a wrong label from a part of
the face.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import keras
from annotated_types import Ge, Le
from keras import ops

from eactf import losses
from eactf.methods.arguments import check_arguments
from eactf.methods.erasing import ErasingMethod
from eactf.methods.transforms import (
    map_consistency,
    refuse_small_maps,
    smaller_network,
    transform_images,
)
from eactf.methods.views import Erasing, Views
from eactf.nn.counter_random import uniform

__all__ = ["EAC"]

Tensor = Any

_ORIGINAL, _SECOND, _PART = 0, 1, 8


@keras.saving.register_keras_serializable(package="eactf")
class EAC(ErasingMethod):
    """Train a classifier with Erasing Attention Consistency.

    loss = cross-entropy of the original view + `consistency_weight` * mean squared distance
    between its maps and the flipped-back maps of the mirrored view (eq. 2 to 4). The dense kernel
    enters the maps behind a stop-gradient; the gradient reaches both views.

    - `consistency_weight`: weight of the flip consistency (lambda of eq. 4; 5 in the paper).
    - `consistency_ramp`: epochs over which the weight grows linearly from 0; 0: the paper. A
      network from random weights needs it in short runs: flat maps satisfy the consistency
      before there are features, and the network stays at the largest class.
    - `pair`: the second view is the first one mirrored (paper), or erased anew (published code).
      `"mirrored"` mirrors the erased image, block and all (the paper; its code on clean labels);
      `"independent"` erases each view by itself (its code on noisy labels, a stronger regulariser).
    - `classify`: the views that are classified; both: without the paper's imbalanced framework.
      With `"both"` the loss has the mean of both views' cross-entropies (table 3).
    - `transform`: how the second view is made (table 4 of the paper). `"flip"`, `"rotate"` (a
      quarter turn) or `"scale"` (shrunk so that its map has one row and column less, for square
      images); its maps are compared turned back, or at the least common size (the paper does not
      say how far it turned and scaled).
    - `batch_views`: true: both views in one forward pass, with shared batch statistics; false: one
      view after the other, as the published code. The two differ in training: shared statistics
      move once a step instead of twice.
    - `consistency_share`: share of each batch that has a second view; 1: the paper; a step costs
      about 1 + this share of a cross-entropy step. Which samples is drawn anew in every epoch, the
      mean is over that part. 1/3 was no less accurate than 1 where it was measured
      (benchmarks/README.md). On several devices each draws from its own samples.
    - `erasing`: how blocks are erased, an `eactf.Erasing`; the published code's by default.
    - `augmentation`: what is done to the images before that, an `eactf.Views`; nothing by default,
      which is the paper ("only flip and erasing"). Both views share the corruption and the crop. A
      mirrored pair shares the pixel noise too, of an independent pair the second view has none.
    - `prior_adjustment`, `class_prior`: tau of the logit adjustment and how often each class is
      given as a label (see `Method`). It acts on the cross-entropy of every view that is
      classified; the maps are compared as they are.
    - `seed`: with the epoch and the sample's id, decides every crop, noise and erased block.

    Weights of samples and classes (see `Method`) weigh the cross-entropies, not the consistency: it
    looks at no label. With `classify="both"` and a `consistency_share` below 1 the second view's is
    the mean over its part of the batch, of weights that average one over the whole.

    Logs `loss`, `cross_entropy`, `consistency` and `map_spread` (`losses.map_spread`): a spread
    that does not grow is a collapse. Raises `ValueError` on values out of range, on a
    classifier that does not end in global average pooling and a dense layer, and where the last
    map of either view has a single row or column.

    >>> import numpy as np
    >>> import eactf
    >>> network = eactf.build_classifier("resnet10", image_size=64, channels=1, classes=3, width=4)
    >>> model = eactf.EAC(network, consistency_weight=5.0, erasing=eactf.Erasing(probability=0.7))
    >>> model.compile(optimizer=eactf.optimizers.Adam(2e-4, coupled_weight_decay=1e-4))
    >>> images = np.zeros((4, 64, 64, 1), "uint8")
    >>> history = model.fit(images, np.array([0, 1, 2, 0]), epochs=1, verbose=0)
    >>> sorted(history.history)
    ['consistency', 'cross_entropy', 'loss', 'map_spread']
    """

    loss_parts = ("cross_entropy", "consistency", "map_spread")
    views = 2

    def __init__(
        self,
        classifier: keras.Model,
        consistency_weight: Annotated[float, Ge(0)] = 5.0,
        *,
        consistency_ramp: Annotated[float, Ge(0)] = 0.0,
        pair: Literal["mirrored", "independent"] = "mirrored",
        classify: Literal["original", "both"] = "original",
        transform: Literal["flip", "rotate", "scale"] = "flip",
        batch_views: bool = False,
        consistency_share: Annotated[float, Ge(0.001), Le(1)] = 1.0,
        erasing: Erasing = Erasing(),
        augmentation: Views = Views(),
        prior_adjustment: Annotated[float, Ge(0)] = 0.0,
        class_prior: Sequence[float] | None = None,
        seed: int = 0,
        name: str = "eac",
    ) -> None:
        check_arguments(EAC, locals())
        if batch_views and transform == "scale":
            raise ValueError("views of two sizes do not go into one batch: batch_views=False")
        self.transform = transform  # `open` builds from it, within the base's own start
        super().__init__(
            classifier,
            erasing=erasing,
            augmentation=augmentation,
            prior_adjustment=prior_adjustment,
            class_prior=class_prior,
            seed=seed,
            name=name,
        )
        self.consistency_weight = float(consistency_weight)
        self.consistency_ramp = float(consistency_ramp)
        self.pair = pair
        self.classify = classify
        self.batch_views = bool(batch_views)
        self.consistency_share = float(consistency_share)

    def open(self, classifier: keras.Model) -> None:
        """Reach the last map; for the scale transform also that of a smaller image."""
        super().open(classifier)
        refuse_small_maps(self.map_size, self.transform)
        self.second_network = self.network
        if self.transform == "scale":
            self.second_network = smaller_network(classifier, self.map_size)

    def train_step(self, data: Any) -> Mapping[str, Tensor]:
        batch = self.unpack(data)
        original, second = self.views_of(batch)
        part = self.views_of(batch, self.compared_part)
        second, labels = _rows(second, part), _rows(batch.labels, part)
        weights = self.weights_of(batch)

        def objective() -> tuple[Tensor, Any]:
            (features, logits), (second_features, second_logits) = self.forward_views(
                original, second
            )
            kernel = ops.stop_gradient(ops.cast(self.head.kernel, "float32"))
            cam = losses.class_activation_maps(features, kernel)
            second_cam = losses.class_activation_maps(second_features, kernel)
            cross_entropy = self.cross_entropy(logits, batch.labels, weights)
            if self.classify == "both":
                other = self.cross_entropy(second_logits, labels, _rows(weights, part))
                cross_entropy = (cross_entropy + other) / 2
            consistency = map_consistency(self.transform, _rows(cam, part), second_cam)
            weight = self.ramped(self.consistency_weight, self.consistency_ramp)
            loss = cross_entropy + weight * consistency
            parts = {
                "loss": loss,
                "cross_entropy": cross_entropy,
                "consistency": consistency,
                "map_spread": losses.map_spread(ops.stop_gradient(cam)),
            }
            return loss, (logits, parts)

        logits, parts = self.minimize(objective, batch.share)
        return self.report(batch, logits, parts)

    def make_views(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The original and the transformed view of `images`, `(n, H, W, C)`.

        Override to try other views; the second is expected as the network is to see it, that is
        mirrored (turned, shrunk).
        """
        images = self.corrupted(images)
        probability = self.augmentation.pixel_noise
        noisy = self.noisy(images, probability) if probability > 0.0 else images
        original = self.erased(noisy, _ORIGINAL)
        if self.pair == "mirrored":
            return original, self.transformed(original)
        return original, self.erased(self.transformed(images), _SECOND)

    def compared_part(self, images: Tensor) -> Tensor | None:
        """Places `(m,)` in the batch of the samples to be compared; None for all of them.

        m is `consistency_share` of the batch, rounded up. Which they are depends on the seed, the
        epoch and the ids.
        """
        if self.consistency_share == 1.0:
            return None
        draws = uniform(self.sample_keys(images, _PART), 1)[:, 0]
        thousandths = round(1000 * self.consistency_share)
        return ops.argsort(draws)[: -(-ops.shape(draws)[0] * thousandths // 1000)]

    def transformed(self, images: Tensor) -> Tensor:
        """`images` under the transform of the second view."""
        size = self.second_network.input_shape[1]
        return transform_images(self.transform, images, size)

    def forward_views(self, original: Tensor, second: Tensor) -> tuple[Any, Any]:
        """`(features, logits)` of each view in training mode, features in float32."""
        if self.batch_views:
            features, logits = self.network(ops.concatenate([original, second]), training=True)
            count = ops.shape(original)[0]
            outputs = [(features[:count], logits[:count]), (features[count:], logits[count:])]
        else:
            outputs = [
                self.network(original, training=True),
                self.second_network(second, training=True),
            ]
        first, other = ((ops.cast(features, "float32"), logits) for features, logits in outputs)
        return first, other

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "consistency_weight": self.consistency_weight,
            "consistency_ramp": self.consistency_ramp,
            "pair": self.pair,
            "classify": self.classify,
            "transform": self.transform,
            "batch_views": self.batch_views,
            "consistency_share": self.consistency_share,
        }


def _rows(values: Tensor | None, places: Tensor | None) -> Tensor | None:
    """The rows of `values` at `places`; all of them where that is None."""
    if values is None or places is None:
        return values
    return ops.take(values, places, axis=0)

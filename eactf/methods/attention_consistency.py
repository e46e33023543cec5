"""Attention Consistency (Guo et al., "Visual Attention Consistency", CVPR 2019).

An image and its mirror image are both classified, and must be looked at in the same places; the
original method does so at two sizes, and compares the sizes too. Nothing is erased.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import keras
from annotated_types import Ge
from keras import ops

from eactf import losses
from eactf.methods.arguments import check_arguments
from eactf.methods.erasing import CorruptingMethod
from eactf.methods.transforms import refuse_small_maps, smaller_network, transform_images
from eactf.methods.views import Views
from eactf.only import Only

__all__ = ["AttentionConsistency"]

Tensor = Any


@keras.saving.register_keras_serializable(package="eactf")
class AttentionConsistency(CorruptingMethod):
    """Train a classifier with attention consistency under mirroring and, optionally, scaling.

    loss = cross-entropy, the mean over all views, + `consistency_weight` * (distance of the maps to
    the flipped-back maps of the mirror image, at each size) + `scale_weight` * (distance of the
    maps of both sizes). The dense kernel enters the maps behind a stop-gradient.

    - `consistency_weight`: weight of the distance between the maps of an image and its mirror
      image. 1 is the original method's on WIDER (0.6 on COCO); EAC's paper does not say what it
      gave this method.
    - `consistency_ramp`: epochs over which the weight grows linearly from 0; 0: the paper. So does
      that of the distance between sizes. As for EAC, a network from random weights may need it in
      short runs.
    - `scale_weight`: weight of the distance between the sizes; null: consistency_weight. As the
      original method has it on WIDER (0.8 on COCO).
    - `views`: 2: the image and its mirror image; 4: both at two sizes, the original method. Two are
      what EAC's authors compare with: EAC without erasing, both views classified. With four both
      are also taken at the size whose map has one row and column less (192 for 224, maps 6 x 6 and
      7 x 7), and the maps of both sizes compared at their least common multiple. Square images
      only.
    - `batch_views`: true: image and mirror image in one forward pass, as the published code; false:
      one after the other, as EAC's code. In one pass of 2n they share their statistics, which move
      once a size. Each by itself, as in the code of EAC, with which EAC's authors compare, has its
      own statistics and moves them.
    - `augmentation`: a corruption and a crop that come first, one for all views of an image
      (`eactf.Views`); none by default. It takes no pixel noise.
    - `prior_adjustment`, `class_prior`: tau of the logit adjustment and how often each class is
      given as a label (see `Method`). It acts on the cross-entropy of every view; the maps are
      compared as they are.

    Weights of samples and classes (see `Method`) weigh the cross-entropy of every view, not the
    distances between maps, which look at no label.

    Deviates: the original is for several labels an image (weighted sigmoid); this is for one.
    Logs `loss`, `cross_entropy`, `consistency`, `map_spread` and, with four views,
    `scale_consistency`. Raises `ValueError` on values out of range, on a `scale_weight` for two
    views, and where the last map at either size has a single row or column.

    >>> import numpy as np
    >>> import eactf
    >>> network = eactf.build_classifier("resnet10", image_size=96, channels=1, classes=3, width=4)
    >>> model = eactf.AttentionConsistency(network, views=4)
    >>> model.compile(optimizer=eactf.optimizers.SGD(1e-3, coupled_weight_decay=5e-4))
    >>> history = model.fit(np.zeros((4, 96, 96, 1), "uint8"), np.array([0, 1, 2, 0]), verbose=0)
    >>> sorted(history.history)
    ['consistency', 'cross_entropy', 'loss', 'map_spread', 'scale_consistency']
    """

    loss_parts = ("cross_entropy", "consistency", "scale_consistency", "map_spread")

    def __init__(
        self,
        classifier: keras.Model,
        consistency_weight: Annotated[float, Ge(0)] = 1.0,
        *,
        consistency_ramp: Annotated[float, Ge(0)] = 0.0,
        scale_weight: Annotated[float | None, Ge(0), Only("views", "4")] = None,
        views: Literal[2, 4] = 2,
        batch_views: bool = True,
        augmentation: Views = Views(),
        prior_adjustment: Annotated[float, Ge(0)] = 0.0,
        class_prior: Sequence[float] | None = None,
        seed: int = 0,
        name: str = "attention_consistency",
    ) -> None:
        check_arguments(AttentionConsistency, locals())
        if augmentation.pixel_noise > 0.0:
            raise ValueError(
                "AttentionConsistency puts no noise on pixels: leave pixel_noise out; received "
                f"{augmentation.pixel_noise!r}"
            )
        self.views = views  # `open` builds from it, within the base's own start
        super().__init__(
            classifier,
            augmentation=augmentation,
            prior_adjustment=prior_adjustment,
            class_prior=class_prior,
            seed=seed,
            name=name,
        )
        self.consistency_weight = float(consistency_weight)
        self.consistency_ramp = float(consistency_ramp)
        self.scale_weight = None if scale_weight is None else float(scale_weight)
        self.batch_views = bool(batch_views)

    def open(self, classifier: keras.Model) -> None:
        """Reach the last map, with four views also that of a smaller image."""
        super().open(classifier)
        refuse_small_maps(self.map_size)
        self.networks = [self.network]
        if self.views == 4:
            self.networks.append(smaller_network(classifier, self.map_size))

    def train_step(self, data: Any) -> Mapping[str, Tensor]:
        batch = self.unpack(data)
        sizes = self.views_of(batch)
        weights = self.weights_of(batch)

        def objective() -> tuple[Tensor, Any]:
            kernel = ops.stop_gradient(ops.cast(self.head.kernel, "float32"))
            cams, logits = [], []
            for network, images in zip(self.networks, sizes, strict=True):
                features, scores = self.forward(network, images)
                cams.append(losses.class_activation_maps(ops.cast(features, "float32"), kernel))
                logits += ops.split(scores, 2)
            cross_entropy = sum(
                self.cross_entropy(view, batch.labels, weights) for view in logits
            ) / len(logits)
            parts = {"cross_entropy": cross_entropy, **self.consistencies(cams)}
            loss = cross_entropy + self.weighed(parts)
            return loss, (logits[0], {"loss": loss, **parts})

        logits, parts = self.minimize(objective, batch.share)
        return self.report(batch, logits, parts)

    def make_views(self, images: Tensor) -> list[Tensor]:
        """A batch for each size, `(2n, H, W, C)`: the images, then their mirror images."""
        images = self.corrupted(images)
        both = ops.concatenate([images, ops.flip(images, axis=2)])
        smaller = [
            transform_images("scale", both, network.input_shape[1]) for network in self.networks[1:]
        ]
        return [both, *smaller]

    def forward(self, network: keras.Model, images: Tensor) -> tuple[Tensor, Tensor]:
        """`(features, logits)` of a batch of `make_views` in training mode, one pass or two."""
        if self.batch_views:
            features, logits = network(images, training=True)
            return features, logits
        outputs = [network(view, training=True) for view in ops.split(images, 2)]
        features, logits = (ops.concatenate(pair) for pair in zip(*outputs, strict=True))
        return features, logits

    def weighed(self, distances: Mapping[str, Tensor]) -> Tensor:
        """The sum of the distances between maps, each with its weight at this step."""
        weight = self.ramped(self.consistency_weight, self.consistency_ramp)
        if self.scale_weight is None or self.views == 2:
            return weight * (distances["consistency"] + distances.get("scale_consistency", 0.0))
        scale_weight = self.ramped(self.scale_weight, self.consistency_ramp)
        return weight * distances["consistency"] + scale_weight * distances["scale_consistency"]

    def consistencies(self, cams: list[Tensor]) -> dict[str, Tensor]:
        """The distances between the maps of all views, and the spread of the first."""
        pairs = [ops.split(cam, 2) for cam in cams]
        found = {
            "consistency": sum(losses.flip_consistency(*pair) for pair in pairs),
            "map_spread": losses.map_spread(ops.stop_gradient(pairs[0][0])),
        }
        if len(cams) == 2:
            found["scale_consistency"] = losses.scale_consistency(*cams)
        return found

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "consistency_weight": self.consistency_weight,
            "consistency_ramp": self.consistency_ramp,
            "scale_weight": self.scale_weight,
            "views": self.views,
            "batch_views": self.batch_views,
        }

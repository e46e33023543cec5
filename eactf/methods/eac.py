"""Erasing Attention Consistency (Zhang et al., "Learn From All", ECCV 2022).

Two views, two maps, one loss: the original view alone is classified, and the class activation
maps of both views must agree once the mirrored one is flipped back. Blocks erased at random keep
the maps from being learnt by heart, which makes it hard to memorise a wrong label from a part of
the face.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from eactf import losses
from eactf.methods.erasing import ErasingMethod

__all__ = ["EAC"]

Tensor = Any

_ORIGINAL, _MIRRORED = 0, 1


@keras.saving.register_keras_serializable(package="eactf")
class EAC(ErasingMethod):
    """Train a classifier with Erasing Attention Consistency.

    loss = cross-entropy of the original view + `consistency_weight` * mean squared distance
    between its maps and the flipped-back maps of the mirrored view (eq. 2 to 4). The dense kernel
    enters the maps behind a stop-gradient; the gradient reaches both views.

    - `consistency_weight`: lambda of eq. 4, >= 0; 5 in the paper.
    - `consistency_ramp`: epochs over which lambda grows linearly from nought; 0 is the paper. A
      network from random weights needs it in short runs: flat maps satisfy the consistency
      before there are features, and the network stays at the largest class.
    - `pair`: `"mirrored"` mirrors the erased image, block and all (the paper; its code on clean
      labels); `"independent"` erases each view by itself (its code on noisy labels, a stronger
      regulariser).
    - `batch_views`: False passes the views one after the other, each with its own batch
      statistics, as the published code does; True passes them as one batch of 2n. The two differ
      in training: statistics are shared and move once a step instead of twice.
    - `erase_probability`, `erase_area`, `erase_aspect`: see `eactf.nn.erase`; the published
      code's values by default. `erase_fill`: one value or one a channel; by default the mean
      that the classifier's normalisation takes away, 0 where it has none.
    - `corruption`: a callable or Keras layer `images -> images` applied before erasing
      (`keras_cv.layers.RandomGaussianBlur`, ...).
    - `seed`: with the epoch and the sample's id, decides every erased block.

    Logs `loss`, `cross_entropy`, `consistency` and `map_spread` (`losses.map_spread`): a spread
    that does not grow is a collapse. Raises `ValueError` on values out of range and on a
    classifier that does not end in global average pooling and a dense layer.

    >>> import numpy as np
    >>> import eactf
    >>> network = eactf.build_classifier("resnet10", image_size=32, channels=1, classes=3, width=4)
    >>> model = eactf.EAC(network, consistency_weight=5.0, pair="mirrored")
    >>> model.compile(optimizer=eactf.optimizers.Adam(2e-4, coupled_weight_decay=1e-4))
    >>> images = np.zeros((4, 32, 32, 1), "uint8")
    >>> history = model.fit(images, np.array([0, 1, 2, 0]), epochs=1, verbose=0)
    >>> sorted(history.history)
    ['consistency', 'cross_entropy', 'loss', 'map_spread']
    """

    loss_parts = ("cross_entropy", "consistency", "map_spread")
    views = 2

    def __init__(
        self,
        classifier: keras.Model,
        consistency_weight: float = 5.0,
        *,
        consistency_ramp: float = 0.0,
        pair: str = "mirrored",
        batch_views: bool = False,
        erase_probability: float = 0.5,
        erase_area: tuple[float, float] = (0.02, 0.25),
        erase_aspect: tuple[float, float] = (0.3, 3.3),
        erase_fill: float | Sequence[float] | None = None,
        corruption: Callable[[Tensor], Tensor] | None = None,
        seed: int = 0,
        name: str = "eac",
    ) -> None:
        if pair not in ("mirrored", "independent"):
            raise ValueError(f"pair must be 'mirrored' or 'independent'; received {pair!r}")
        if not consistency_weight >= 0 or not consistency_ramp >= 0:
            raise ValueError(
                "consistency_weight and consistency_ramp must be >= 0; received "
                f"{consistency_weight!r} and {consistency_ramp!r}"
            )
        super().__init__(
            classifier,
            erase_probability=erase_probability,
            erase_area=erase_area,
            erase_aspect=erase_aspect,
            erase_fill=erase_fill,
            corruption=corruption,
            seed=seed,
            name=name,
        )
        self.consistency_weight = float(consistency_weight)
        self.consistency_ramp = float(consistency_ramp)
        self.pair = pair
        self.batch_views = bool(batch_views)

    def train_step(self, data: Any) -> Mapping[str, Tensor]:
        batch = self.unpack(data)
        original, mirrored = self.views_of(batch)

        def objective() -> tuple[Tensor, Any]:
            (features, logits), (mirrored_features, _) = self.forward_views(original, mirrored)
            kernel = ops.stop_gradient(ops.cast(self.head.kernel, "float32"))
            cam = losses.class_activation_maps(features, kernel)
            mirrored_cam = losses.class_activation_maps(mirrored_features, kernel)
            cross_entropy = ops.mean(losses.cross_entropy(logits, batch.labels))
            consistency = losses.flip_consistency(cam, mirrored_cam)
            loss = cross_entropy + self.ramped_weight() * consistency
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
        """The original and the mirrored view of `images`, each `(n, H, W, C)`.

        Override to try other views; the second is expected as the network is to see it, that is
        mirrored.
        """
        images = self.corrupted(images)
        original = self.erased(images, _ORIGINAL)
        if self.pair == "mirrored":
            return original, ops.flip(original, axis=2)
        return original, self.erased(ops.flip(images, axis=2), _MIRRORED)

    def forward_views(self, original: Tensor, mirrored: Tensor) -> tuple[Any, Any]:
        """`(features, logits)` of each view in training mode, features in float32."""
        if self.batch_views:
            both = self.network(ops.concatenate([original, mirrored]), training=True)
            features, logits = (ops.split(output, 2) for output in both)
            outputs = list(zip(features, logits, strict=True))
        else:
            outputs = [self.network(view, training=True) for view in (original, mirrored)]
        first, second = ((ops.cast(features, "float32"), logits) for features, logits in outputs)
        return first, second

    def ramped_weight(self) -> Tensor:
        """Lambda at this step: linear from nought over `consistency_ramp` epochs."""
        if self.consistency_ramp == 0.0:
            return self.consistency_weight
        return self.consistency_weight * ops.minimum(self.progress / self.consistency_ramp, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "consistency_weight": self.consistency_weight,
            "consistency_ramp": self.consistency_ramp,
            "pair": self.pair,
            "batch_views": self.batch_views,
        }

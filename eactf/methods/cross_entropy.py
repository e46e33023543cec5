"""The papers' baseline: plain cross-entropy on images that are erased and mirrored at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from eactf import losses
from eactf.methods.erasing import ErasingMethod
from eactf.nn.counter_random import uniform

__all__ = ["CrossEntropy"]

Tensor = Any

_ERASE, _FLIP = 0, 2


@keras.saving.register_keras_serializable(package="eactf")
class CrossEntropy(ErasingMethod):
    """Train a classifier with softmax cross-entropy, erasing and mirroring each image at random.

    The baseline that EAC's tables are read against ("also trained with erase and flip", EAC,
    section 4.3). `flip_probability` is in [0, 1]; the erasing settings, `corruption` and `seed`
    are EAC's. Logs `loss`.
    """

    def __init__(
        self,
        classifier: keras.Model,
        *,
        flip_probability: float = 0.5,
        erase_probability: float = 0.5,
        erase_area: tuple[float, float] = (0.02, 0.25),
        erase_aspect: tuple[float, float] = (0.3, 3.3),
        erase_fill: float | Sequence[float] | None = None,
        corruption: Callable[[Tensor], Tensor] | None = None,
        seed: int = 0,
        name: str = "cross_entropy",
    ) -> None:
        if not 0.0 <= flip_probability <= 1.0:
            raise ValueError(f"flip_probability must be in [0, 1]; received {flip_probability!r}")
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
        self.flip_probability = float(flip_probability)

    def train_step(self, data: Any) -> Mapping[str, Tensor]:
        batch = self.unpack(data)
        images = self.views_of(batch)

        def objective() -> tuple[Tensor, Any]:
            logits = self.network(images, training=True)[1]
            loss = ops.mean(losses.cross_entropy(logits, batch.labels))
            return loss, (logits, {"loss": loss})

        logits, parts = self.minimize(objective, batch.share)
        return self.report(batch, logits, parts)

    def make_views(self, images: Tensor) -> Tensor:
        """The one view the network is trained on: erased and mirrored, each at random."""
        images = self.erased(self.corrupted(images), _ERASE)
        mirrored = uniform(self.sample_keys(images, _FLIP), 1) < self.flip_probability
        return ops.where(mirrored[:, :, None, None], ops.flip(images, axis=2), images)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "flip_probability": self.flip_probability}

"""The papers' baseline: plain cross-entropy on images that are erased and mirrored at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from eactf import losses
from eactf.methods.base import Method
from eactf.nn.counter_random import uniform
from eactf.nn.erasing import check_erasing, erase
from eactf.nn.pixels import mean_pixel

__all__ = ["CrossEntropy"]

Tensor = Any

_ERASE, _FLIP = 0, 2


@keras.saving.register_keras_serializable(package="eactf")
class CrossEntropy(Method):
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
        check_erasing(erase_probability, erase_area, erase_aspect)
        super().__init__(classifier, seed=seed, name=name)
        self.flip_probability = float(flip_probability)
        self.erase_probability = float(erase_probability)
        self.erase_area = erase_area
        self.erase_aspect = erase_aspect
        self.erase_fill = mean_pixel(classifier) if erase_fill is None else erase_fill
        self.corruption = corruption

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
        if self.corruption is not None:
            images = ops.cast(self.corruption(images), images.dtype)
        images = erase(
            images,
            self.sample_keys(images, _ERASE),
            self.erase_probability,
            self.erase_area,
            self.erase_aspect,
            self.erase_fill,
        )
        mirrored = uniform(self.sample_keys(images, _FLIP), 1) < self.flip_probability
        return ops.where(mirrored[:, :, None, None], ops.flip(images, axis=2), images)

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        corruption = self.corruption
        return {
            "classifier": serialize(self.classifier),
            "flip_probability": self.flip_probability,
            "erase_probability": self.erase_probability,
            "erase_area": list(self.erase_area),
            "erase_aspect": list(self.erase_aspect),
            "erase_fill": self.erase_fill,
            "corruption": None if corruption is None else serialize(corruption),
            "seed": self.seed,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> CrossEntropy:
        deserialize = keras.saving.deserialize_keras_object
        built = {key: deserialize(config[key]) for key in ("classifier", "corruption")}
        return cls(**{**config, **built})

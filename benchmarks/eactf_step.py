"""The steps of eactf, run by the very function that `fit` runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from workers import NETWORKS, Case, Settings

__all__ = ["Framework"]


class Framework:
    """`eactf.EAC` and `eactf.CrossEntropy` on one of `NETWORKS`."""

    def __init__(self, settings: Settings) -> None:
        from eactf.quiet import start_tensorflow

        start_tensorflow()
        self.settings = settings
        self.parameters: set[int] = set()
        self.flops = 0
        self._steps = {case: self._prepare(case) for case in settings.cases}
        self._product: Any = None

    def step(self, case: Case) -> float:
        return self._steps[case]()

    def calibrate(self) -> float:
        import tensorflow as tf

        if self._product is None:
            # An argument, not a constant: grappler folds products of constants.
            self._operand = tf.random.stateless_uniform((2048, 2048), seed=(1, 1))
            self._product = tf.function(lambda a: tf.reduce_sum(tf.matmul(a, a)))
            self._product(self._operand).numpy()
        start = time.perf_counter()
        self._product(self._operand).numpy()
        return 2 * 2048**3 / (time.perf_counter() - start) / 1e9

    def describe(self) -> dict[str, Any]:
        import keras
        import tensorflow as tf

        from eactf.kernels import describe_kernels

        return {
            "name": "eactf",
            "versions": {"tensorflow": tf.__version__, "keras": keras.__version__},
            "kernels": describe_kernels(),
            "flops": self.flops,
            "threads": self.settings.threads,
            "parameters": sorted(self.parameters),
        }

    def _prepare(self, case: Case) -> Callable[[], float]:
        import tensorflow as tf

        import eactf

        settings = self.settings
        network = NETWORKS[settings.network]
        classifier = eactf.build_classifier(
            network.backbone,
            stem=network.stem,
            width=network.width,
            image_size=settings.size,
            channels=settings.channels,
            classes=settings.classes,
            dtype="mixed_bfloat16" if case.precision == "bfloat16" else "float32",
            seed=1,
        )
        self.parameters.add(sum(int(np.prod(v.shape)) for v in classifier.trainable_variables))
        self.flops = forward_flops(classifier)
        name, _, share = case.method.partition(" of ")
        if name == "eac":
            model = eactf.EAC(classifier, consistency_share=float(share or 1.0))
        else:
            model = eactf.CrossEntropy(classifier)
        optimizer = eactf.optimizers.Adam(1e-4, coupled_weight_decay=1e-4)
        model.compile(optimizer=optimizer, metrics=["accuracy"])
        optimizer.build(model.trainable_variables)
        model.make_train_function()
        batches = iter(tf.data.Dataset.from_tensors(make_batch(settings)).repeat())

        def step() -> float:
            # The running mean of the loss; reading it waits for the step to be over.
            return float(model.train_function(batches)["loss"])

        return step


def forward_flops(classifier: Any) -> int:
    """Floating point operations of one image's forward pass, two a multiplication and addition.

    Convolutions and dense layers alone: the rest is a few operations a pixel.
    """
    import keras

    flops = 0
    for layer in classifier._flatten_layers(include_self=False):
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
            positions = int(np.prod(layer.output.shape[1:-1]))
            flops += 2 * positions * int(np.prod(layer.kernel.shape))
    return flops


def make_batch(settings: Settings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random images `(n, size, size, channels)` in 0..255, labels and ids."""
    random = np.random.default_rng(1)
    shape = (settings.batch, settings.size, settings.size, settings.channels)
    images = random.integers(0, 256, shape, "uint8").astype(settings.pixels)
    labels = random.integers(0, settings.classes, settings.batch)
    return images, labels, np.arange(settings.batch, dtype="int32")

"""Relative Uncertainty Learning (Zhang, Wang, Deng, NeurIPS 2021).

Two branches on the last feature map, one for features, one for how uncertain a sample is. Features
of two samples are mixed, the more uncertain one's heavier, and both labels must be readable from
the mixture: an ambiguous face must be given more weight, which teaches the uncertainty.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import keras
from annotated_types import Ge, Gt, Le, Lt
from keras import layers, ops

from eactf import losses
from eactf.methods.arguments import check_arguments
from eactf.methods.base import Batch
from eactf.methods.erasing import OneViewMethod
from eactf.methods.regularizers import refuse_regularizers
from eactf.methods.unscaled import unscaled
from eactf.methods.views import Erasing, Views
from eactf.nn.classifier import open_classifier
from eactf.nn.counter_random import uniform
from eactf.nn.dropout import drop
from eactf.nn.normalization import composed_normalization

__all__ = ["RUL"]

Tensor = Any

_MIX, _DROP, _DROP_UNCERTAINTY = 3, 4, 5


@keras.saving.register_keras_serializable(package="eactf")
class RUL(OneViewMethod):
    """Train a classifier with Relative Uncertainty Learning.

    The classifier's pooling and dense layer are put aside. On its last feature map stand two equal
    branches (batch normalisation without scale and offset, dropout, a dense layer to `embedding`
    numbers, batch normalisation); one gives the features mu, the other the log-variance v, and a
    new dense layer classifies mu. In training each sample is mixed with another of the batch
    (`losses.mix_by_uncertainty`) and the loss is `losses.add_up_loss` of the mixture. There is no
    sampling: the permutation and the dropout are all that is drawn.

    `classifier` of the method is the new one, plain Keras, without the uncertainty branch.
    `sample_scores(images)["uncertainty"]` is mean exp(v) of each image, > 0, as the published code
    reads it: relative to the training set, not a probability.

    - `embedding`: numbers that each branch ends in.
    - `dropout`: dropout before each branch's dense layer, element by element.
    - `head_rate`: the last dense layer's learning rate over the others' (10: the published code).
      Other than 1 it needs an optimizer of `eactf.optimizers`.
    - `flip_probability`, `erasing` and `augmentation` are CrossEntropy's; the published code has
      0.25 for the first and for the pixel noise of the last.
    - `prior_adjustment`, `class_prior`: tau of the logit adjustment and how often each class is
      given as a label (see `Method`). It acts on both cross-entropies of a mixture: either label is
      drawn from the same prior.

    Weights of samples and classes (see `Method`) weigh both cross-entropies of a mixture, each with
    the weight of the sample whose label it is, whatever its part in the mixture.

    The map has a fixed size, so the classifier must have one too. The embedding of a batch of one
    sample has no variance (the published code stops there with an error): it is normalised by the
    moving averages, which it leaves alone, and the sample is mixed with itself.

    Logs `loss`, `mixing`, the mean distance of the mixing weights from one half, and the batches'
    mean `uncertainty`. Raises `ValueError` on values out of range and for a classifier that takes
    images of any size.

    >>> import numpy as np
    >>> import eactf
    >>> network = eactf.build_classifier("resnet10", image_size=32, channels=1, classes=3, width=4)
    >>> model = eactf.RUL(network, embedding=8)
    >>> model.compile(optimizer=eactf.optimizers.Adam(2e-4, coupled_weight_decay=1e-4))
    >>> images = np.zeros((4, 32, 32, 1), "uint8")
    >>> history = model.fit(images, np.array([0, 1, 2, 0]), epochs=1, verbose=0)
    >>> model.sample_scores(images)["uncertainty"].shape
    TensorShape([4])
    """

    loss_parts = ("mixing", "uncertainty")

    def __init__(
        self,
        classifier: keras.Model,
        *,
        embedding: Annotated[int, Ge(1), Le(4096)] = 64,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.4,
        head_rate: Annotated[float, Gt(0)] = 10.0,
        flip_probability: Annotated[float, Ge(0), Le(1)] = 0.5,
        erasing: Erasing = Erasing(),
        augmentation: Views = Views(),
        prior_adjustment: Annotated[float, Ge(0)] = 0.0,
        class_prior: Sequence[float] | None = None,
        seed: int = 0,
        name: str = "rul",
    ) -> None:
        check_arguments(RUL, locals())
        # `open` builds from it, within the base's own start.
        self._shape = (int(embedding), float(dropout), int(seed))
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
        self.head_rate = float(head_rate)

    def open(self, classifier: keras.Model) -> None:
        """Build the branches on the classifier's last map, and the classifier that is kept."""
        opened = open_classifier(classifier)
        refuse_regularizers(classifier)
        if None in opened.map_size:
            raise ValueError(
                "RUL's branches see the whole map: the classifier must take images of one size; "
                f"its last map is {opened.map_size}. Build it with image_size=."
            )
        self._start = json.dumps(keras.saving.serialize_keras_object(classifier))
        self.map_size = opened.map_size
        embedding, dropout, seed = self._shape
        synchronized = any(getattr(layer, "synchronized", False) for layer in classifier.layers)
        made = [_Branch(n, embedding, dropout, seed, synchronized) for n in ("mu", "uncertainty")]
        self.features_branch, self.uncertainty_branch = made
        self.head = _dense("logits_of_mu", opened.head.units, seed, bias_inputs=embedding)
        logits = self.head(self.features_branch.extend(opened.features))
        self.uncertainty_branch.extend(opened.features)  # builds it
        self.classifier = keras.Model(classifier.input, logits, name=classifier.name)
        self.network = keras.Model(opened.network.input, opened.network.outputs[0], name="network")

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        """Logits `(n, classes)` of images, unmixed."""
        return self.head(self.features_branch(self.network(inputs, training=training)))

    def compile(self, optimizer: Any = "rmsprop", **settings: Any) -> None:
        """As `Method.compile`; the head's rate is multiplied in the optimizer."""
        super().compile(optimizer, **settings)
        if self.head_rate == 1.0:
            return
        inner: Any = unscaled(self.optimizer)
        if not hasattr(inner, "multiply_rate"):
            raise ValueError(
                f"head_rate = {self.head_rate:g} needs eactf.optimizers.Adam or SGD; received "
                f"{type(inner).__name__}. With head_rate=1.0 any optimizer does."
            )
        inner.multiply_rate(self.head.trainable_variables, self.head_rate)

    def train_step(self, data: Any) -> Mapping[str, Tensor]:
        batch = self.unpack(data)
        images, draws, keys = self.views_of(batch, self.drawn)
        weights = self.weights_of(batch)

        def objective() -> tuple[Tensor, Any]:
            features = self.network(images, training=True)
            mu = self.features_branch.train(features, keys[0])
            log_variance = self.uncertainty_branch.train(features, keys[1])
            mixed, mixing, partners = self.mixed(batch, mu, log_variance, draws)
            labels = ops.take(self.over_all_replicas(batch.labels, batch), partners, axis=0)
            others = None
            if weights is not None:
                others = ops.take(self.over_all_replicas(weights, batch), partners)
            logits = self.head(mixed)
            adjusted = self.adjusted(logits)
            loss = losses.add_up_loss(adjusted, batch.labels, labels, weights, others)
            uncertainty = ops.mean(ops.exp(log_variance))
            mixing = ops.mean(ops.abs(mixing - 0.5))
            parts = {"loss": loss, "mixing": mixing, "uncertainty": uncertainty}
            return loss, (logits, parts)

        logits, parts = self.minimize(objective, batch.share)
        return self.report(batch, logits, parts)

    def mixed(
        self, batch: Batch, mu: Tensor, log_variance: Tensor, draws: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """This replica's mixtures `(n, D)`, their own samples' part in them, and the partners.

        The partners are the places `(n,)` in the global batch of the samples mixed in. The
        permutation is over that batch, in the order of the samples' `draws`.
        """
        mu, log_variance = (self.over_all_replicas(rows, batch) for rows in (mu, log_variance))
        permutation = ops.argsort(self.over_all_replicas(draws, batch))
        mixtures, parts = losses.mix_by_uncertainty(mu, log_variance, permutation)
        own = self.own_places(batch, ops.shape(permutation)[0])
        return ops.take(mixtures, own, axis=0), ops.take(parts, own), ops.take(permutation, own)

    def drawn(self, images: Tensor) -> tuple[Tensor, Tensor, Any]:
        """The view, a draw `(n,)` that orders the permutation, and the keys of both dropouts."""
        order = uniform(self.sample_keys(images, _MIX), 1)[:, 0]
        streams = (_DROP, _DROP_UNCERTAINTY)
        keys = [self.sample_keys(images, stream) for stream in streams]
        return self.make_views(images), order, keys

    def sample_scores(self, images: Tensor) -> Mapping[str, Tensor]:
        """`uncertainty` `(n,)` of images, > 0: mean exp(v), without augmentation."""
        features = self.network(ops.cast(images, "float32"), training=False)
        log_variance = self.uncertainty_branch(features)
        return {"uncertainty": ops.mean(ops.exp(log_variance), axis=-1)}

    def get_config(self) -> dict[str, Any]:
        embedding, dropout, _ = self._shape
        own = {"embedding": embedding, "dropout": dropout, "head_rate": self.head_rate}
        return {**super().get_config(), "classifier": json.loads(self._start), **own}


class _Branch(keras.layers.Layer):
    """Batch normalisation, dropout, dense, batch normalisation: plain Keras layers in a row.

    `extend` builds them in a functional graph, calling applies them as in evaluation, `train` as in
    training, with statistics over all replicas and dropout drawn from the samples' keys.
    """

    def __init__(
        self, name: str, embedding: int, dropout: float, seed: int, synchronized: bool
    ) -> None:
        super().__init__(name=name, dtype="float32")
        shared = {
            "momentum": 0.9,
            "epsilon": 2e-5,
            "synchronized": synchronized,
            "dtype": "float32",
        }
        self.normalize_map = layers.BatchNormalization(
            center=False, scale=False, name=f"{name}_map_normalization", **shared
        )
        self.dropout = layers.Dropout(dropout, name=f"{name}_dropout", dtype="float32")
        self.flatten = layers.Flatten(name=f"{name}_flatten")
        self.dense = _dense(f"{name}_dense", embedding, seed)
        self.normalize = layers.BatchNormalization(name=f"{name}_normalization", **shared)

    def extend(self, features: Any) -> Any:
        """The layers in a functional graph, which may be saved without eactf."""
        row = (self.normalize_map, self.dropout, self.flatten, self.dense, self.normalize)
        x = features
        for layer in row:
            x = layer(x)
        self.built = True
        return x

    def call(self, features: Tensor) -> Tensor:
        flat = self.flatten(self.normalize_map(features, training=False))
        return self.normalize(self.dense(flat), training=False)

    def train(self, features: Tensor, keys: Tensor) -> Tensor:
        """Features `(n, embedding)` of maps `(n, H, W, C)`; `keys` `(n, 4)` draw the dropout."""
        features = ops.cast(features, "float32")
        flat = self.flatten(composed_normalization(self.normalize_map, features))
        flat = drop(flat, keys, self.dropout.rate)
        return composed_normalization(self.normalize, self.dense(flat))


def _dense(name: str, units: int, seed: int, bias_inputs: int | None = None) -> layers.Dense:
    """A dense layer whose kernel starts uniform in +-1/sqrt(inputs), as the published code's.

    So does the bias where `bias_inputs` says how many they are; else it starts at 0, which a batch
    normalisation after it makes the same.
    """

    def number(of: str) -> int:
        return zlib.crc32(f"{seed}/{of}".encode())

    kernel = keras.initializers.VarianceScaling(
        1.0 / 3.0, mode="fan_in", distribution="uniform", seed=number(name)
    )
    bias: Any = "zeros"
    if bias_inputs is not None:
        bound = bias_inputs**-0.5
        bias = keras.initializers.RandomUniform(-bound, bound, seed=number(f"{name}/bias"))
    return layers.Dense(
        units, kernel_initializer=kernel, bias_initializer=bias, name=name, dtype="float32"
    )

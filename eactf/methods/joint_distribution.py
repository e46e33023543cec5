"""Joint-distribution learning from several noisy labels (Zhang, Huang, Ni, Gomes, WACV 2021).

"Facial emotion recognition with noisy multi-task annotations". An encoder reads labels and latent
noise from an image, a decoder makes an image of the given labels and noise, and a discriminator
tells their tuples apart. Where it cannot, predicted labels follow the joint law of images and given
labels, however wrong single ones are.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

import keras
import numpy as np
from annotated_types import Ge, Le
from keras import ops

from eactf import losses
from eactf.methods.arguments import check_arguments
from eactf.methods.batch import Batch
from eactf.methods.multi_task import MultiTask
from eactf.methods.players import given_rows, players_of, weights_of_scores, with_fused_norm
from eactf.methods.unscaled import unscaled
from eactf.methods.views import Erasing, Views
from eactf.nn.counter_random import normal

__all__ = ["JointDistribution"]

Tensor = Any

_LATENT, _NOISE = 16, 17
"""The streams of random draws that the encoder's noise and the decoder's have."""

_FIGURES = (
    "joint_loss",
    "discriminator_loss",
    "discriminator_accuracy",
    "encoder_score",
    "decoder_score",
)


@keras.saving.register_keras_serializable(package="eactf")
class JointDistribution(MultiTask):
    """Train an encoder on several kinds of labels, against a discriminator of their joint law.

    A step is, in the order of the published code (the supplement has the encoder's and decoder's
    before the discriminator's): encoder and decoder make their tuples once; the discriminator takes
    `discriminator_steps` steps on them; encoder and decoder take one step, judged by what the
    discriminator has become:

    loss = MultiTask's + joint_weight * (mean score of the encoder's tuples - mean score of the
    decoder's), `losses.encoder_decoder_score`; the discriminator's is
    `losses.discriminator_hinge`.

    The encoder's tuple is the image, the noise that it reads from it, mean + exp(log_variance / 2)
    eps, and its raw outputs; the decoder's is the image that it makes, the noise and the given
    labels that it makes it of. A given label that is not known is the encoder's own there. The
    networks are `encoder`, `decoder` and `discriminator`; what is kept is MultiTask's. Each has an
    optimizer as compiled, the decoder's also moving the encoder's heads of latent noise, which the
    labels do not train: what joins late starts afresh, as it does in PyTorch. An optimizer whose
    rate follows a schedule by its own steps would be ahead with the discriminator's.

    - `decoder`, `discriminator`: those of `eactf.nn.adversarial`; by default they are made to fit
      the encoder, in its width.
    - `values`, `label`, `task_weights`, `flip_probability`, `erasing`, `augmentation`,
      `prior_adjustment` and `class_prior` are MultiTask's.
    - `joint_weight`: weight of the joint law against the labels (lambda; 1.0 for RAF-DB, 0.4 for
      AffectNet and 0.8 for CIFAR in the paper). 0 is MultiTask.
    - `score_weights`: the weights of the discriminator's scores, by name: `image`, `noise`, each
      head, `joint`; 1 where it is not named (gamma, always 1 in the supplement).
    - `adversarial_start`: the epoch, from 0, from which on the joint law counts; before it is
      MultiTask (6 for RAF-DB, 0 for AffectNet, 1 for CIFAR in the published code).
    - `discriminator_steps`: steps that the discriminator takes for one of the others.
    - `stop_below`: the joint law counts no longer after an epoch in which the mean loss of the
      discriminator is below; 0: never. It has won then, and teaches nothing more.

    Weights are MultiTask's; scores are not weighted. Random draws depend on seed, epoch and id
    alone. Where the joint law is stopped a warning says so, and `stopped` is true. In a loop of
    one's own, without `fit`, it counts from the first step.

    Logs MultiTask's, and while the joint law counts `joint_loss` (that of encoder and decoder),
    `discriminator_loss`, `discriminator_accuracy` (how many tuples the sign of the joint score
    tells apart) and `encoder_score`, `decoder_score` (the mean of all weighted scores). The
    supplement found its best weights where `joint_loss` settles at about 2.6 and
    `discriminator_loss` at about 0.45. Raises `ValueError` on values out of range.

    >>> import eactf
    >>> encoder = eactf.nn.adversarial.encoder(32, {"expression": 3, "affect": 1}, width=1 / 64)
    >>> model = eactf.JointDistribution(encoder, values={"affect": ("valence",)}, joint_weight=0.4)
    >>> model.compile(optimizer=eactf.optimizers.Adam(1e-4))
    >>> model.decoder.output_shape, model.discriminator.output_shape
    ((None, 32, 32, 3), (None, 5))
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model | None = None,
        discriminator: keras.Model | None = None,
        *,
        values: Mapping[str, Sequence[str]] | None = None,
        label: str | None = None,
        task_weights: Mapping[str, float] | None = None,
        joint_weight: Annotated[float, Ge(0)] = 1.0,
        score_weights: Mapping[str, float] | None = None,
        adversarial_start: Annotated[int, Ge(0)] = 0,
        discriminator_steps: Annotated[int, Ge(1)] = 2,
        stop_below: Annotated[float, Ge(0)] = 0.05,
        flip_probability: Annotated[float, Ge(0), Le(1)] = 0.5,
        erasing: Erasing = Erasing(probability=0.0),
        augmentation: Views = Views(),
        prior_adjustment: Annotated[float, Ge(0)] = 0.0,
        class_prior: Sequence[float] | None = None,
        seed: int = 0,
        name: str = "joint_distribution",
    ) -> None:
        check_arguments(JointDistribution, locals())
        # `open` builds from it, within the base's own start. As a function: see `PairMethod`.
        self._make_players = lambda: players_of(
            encoder, self.tasks, decoder, discriminator, int(seed)
        )
        super().__init__(
            encoder,
            values=values,
            label=label,
            task_weights=task_weights,
            flip_probability=flip_probability,
            erasing=erasing,
            augmentation=augmentation,
            prior_adjustment=prior_adjustment,
            class_prior=class_prior,
            seed=seed,
            name=name,
        )
        self.score_weights = weights_of_scores(self.discriminator, score_weights)
        self.joint_weight = float(joint_weight)
        self.adversarial_start = int(adversarial_start)
        self.discriminator_steps = int(discriminator_steps)
        self.stop_below = float(stop_below)
        self.stopped = False
        self.playing = self.joint_weight > 0.0

    def open(self, classifier: keras.Model) -> None:
        """Open an encoder, with its decoder and discriminator."""
        super().open(classifier)
        self.decoder, self.discriminator = self._make_players()
        self._making = with_fused_norm(self.decoder)
        self.joint_optimizer: Any = None
        self.discriminator_optimizer: Any = None

    def parts(self) -> tuple[str, ...]:
        return (*super().parts(), *_FIGURES)

    # The optimizers.

    @property
    def joint_variables(self) -> list[Any]:
        """What the joint law alone trains: the decoder, and the encoder's heads of noise."""
        heads = [self.encoder.get_layer(name) for name in ("mean", "log_variance")]
        own = [variable for layer in heads for variable in layer.trainable_variables]
        return [*own, *self.decoder.trainable_variables]

    @property
    def optimizers(self) -> tuple[Any, ...]:
        """Those of what the labels train, of what the joint law alone does, of who judges it."""
        all_three = (self.optimizer, self.joint_optimizer, self.discriminator_optimizer)
        return tuple(optimizer for optimizer in all_three if optimizer is not None)

    def compile(self, optimizer: Any = "rmsprop", **settings: Any) -> None:
        """As `Method.compile`; the other two optimizers are made as the first one is.

        Raises `ValueError` for an optimizer with `use_ema`, whose averages Keras' `fit` would put
        into all networks at once.
        """
        super().compile(optimizer, **settings)
        if unscaled(self.optimizer).use_ema:
            raise ValueError(f"{type(self).__name__} takes no optimizer with use_ema")
        self.joint_optimizer, self.discriminator_optimizer = (
            type(self.optimizer).from_config(self.optimizer.get_config()) for _ in range(2)
        )
        self.build_optimizers()

    def build_optimizers(self) -> None:
        groups = (
            self.task_variables,
            self.joint_variables,
            self.discriminator.trainable_variables,
        )
        for optimizer, variables in zip(self.optimizers, groups, strict=False):
            if not optimizer.built:
                optimizer.build(variables)

    # The step.

    def make_train_function(self, force: bool = False) -> Any:
        """As `Method.make_train_function`, a function for steps with the joint law and without."""
        if force or self.train_function is None:
            without, playing = (make(force=True) for make in 2 * [super().make_train_function])
            self.train_function = lambda data: (playing if self.playing else without)(data)
        return self.train_function

    def train_step(self, data: Any) -> Mapping[str, Tensor]:
        if not self.playing:
            return super().train_step(data)
        batch = self.unpack(data)
        images = self.views_of(batch)

        def objective() -> tuple[Tensor, Any]:
            features = self.features(images, batch)
            predictions = self.predictions(features)
            parts = self.task_parts(predictions, batch)
            figures = self._play(images, features, predictions, batch)
            loss = parts["loss"] + self.joint_weight * figures["joint_loss"]
            return loss, (predictions[self.tasks.label], {**parts, **figures, "loss": loss})

        logits, parts = self.minimize(objective, batch.share, self.task_variables)
        return self.report(batch, logits, parts)

    def _play(
        self, images: Tensor, features: Tensor, predictions: Mapping[str, Tensor], batch: Batch
    ) -> dict[str, Tensor]:
        """Move the discriminator, then what the joint law alone trains; what the step reports.

        Within the tape of what the labels train: `joint_loss` has the gradient that moves that, by
        the discriminator that has been moved. The decoder, moved first, is no part of it.
        """

        def objective() -> tuple[Tensor, Any]:
            tuples = self._tuples(images, features, predictions, batch)
            figures = self._move_discriminator(tuples, batch.share)
            encoded, decoded = self._scores(tuples)
            joint = losses.encoder_decoder_score(encoded, decoded, self._weights())
            return self.joint_weight * joint, {"joint_loss": joint, **figures}

        return dict(
            self.minimize(objective, batch.share, self.joint_variables, self.joint_optimizer)
        )

    def _tuples(
        self, images: Tensor, features: Tensor, predictions: Mapping[str, Tensor], batch: Batch
    ) -> list[dict[str, Tensor]]:
        """The encoder's tuples and the decoder's, rows of each part by name."""
        mean, log_variance = (
            self.encoder.get_layer(name)(features) for name in ("mean", "log_variance")
        )
        with self.keys_of(batch):
            keys = [self.sample_keys(features, stream) for stream in (_LATENT, _NOISE)]
        eps, noise = (normal(key, mean.shape[-1]) for key in keys)
        latent = mean + ops.exp(0.5 * log_variance) * eps
        shown = self.encoder.get_layer("scaled")(images)
        given = given_rows(self.tasks, self._targets_of(batch), predictions)
        code = {"noise": noise, **given}
        return [
            {"image": shown, "noise": latent, **predictions},
            {"image": self._making(code, training=True), **code},
        ]

    def _move_discriminator(
        self, tuples: Sequence[Mapping[str, Tensor]], share: Tensor
    ) -> dict[str, Tensor]:
        """The discriminator's steps, which reach no other network; figures of the last."""
        fixed = [{name: ops.stop_gradient(rows) for name, rows in one.items()} for one in tuples]

        def objective() -> tuple[Tensor, Any]:
            encoded, decoded = self._scores(fixed)
            loss = losses.discriminator_hinge(encoded, decoded, self._weights())
            return loss, (loss, [encoded, decoded])

        for _ in range(self.discriminator_steps):
            loss, scores = self.minimize(
                objective,
                share,
                self.discriminator.trainable_variables,
                self.discriminator_optimizer,
            )
        return {"discriminator_loss": loss, **self._figures(scores)}

    def _figures(self, scores: Sequence[Tensor]) -> dict[str, Tensor]:
        place = list(self.score_weights).index("joint")
        encoded, decoded = scores
        right = [encoded[:, place] > 0, decoded[:, place] < 0]
        means = [ops.mean(rows * self._weights()) for rows in scores]
        return {
            "discriminator_accuracy": ops.mean(ops.cast(ops.stack(right), "float32")),
            "encoder_score": means[0],
            "decoder_score": means[1],
        }

    def _scores(self, tuples: Sequence[Mapping[str, Tensor]]) -> list[Tensor]:
        """The discriminator's scores `(n, S)` of each of the two, its power iterations running."""
        return [self.discriminator(dict(one), training=True) for one in tuples]

    def _weights(self) -> Tensor:
        return ops.convert_to_tensor(list(self.score_weights.values()), "float32")

    # From epoch to epoch.

    def _start_epoch(self, epoch: int, steps: int | None) -> None:
        super()._start_epoch(epoch, steps)
        self._decide()
        self._same_learning_rates()

    def _decide(self) -> None:
        """Let the joint law count from its first epoch on, until it is stopped."""
        epoch, steps = (int(ops.convert_to_numpy(n)) for n in (self.epoch, self._steps_per_epoch))
        begun = steps < 0 or epoch >= self.adversarial_start  # below 0 there is no clock
        self.playing = begun and not self.stopped and self.joint_weight > 0.0

    def look_back(self, epoch: int, logs: Mapping[str, float]) -> None:
        """Stop the joint law where the discriminator has won."""
        loss = logs.get("discriminator_loss", self.stop_below)
        if self.playing and loss < self.stop_below:
            self.stopped = True
            warnings.warn(
                f"the discriminator's mean loss was {loss:.3g} in epoch {epoch + 1}, below "
                f"{self.stop_below:g}: it tells all tuples apart, and the joint law teaches no "
                "more. From here on the labels alone do; a lower learning rate or joint_weight "
                "may keep the two in balance",
                stacklevel=2,
            )

    def epoch_record(
        self, ids: Any, given: Any, truth: Any, class_names: Sequence[str]
    ) -> Mapping[str, Any]:
        """Whether the joint law counted in the epoch that has ended, and is stopped by now."""
        return {"joint": {"counted": self.playing, "stopped": self.stopped}}

    def extra_state(self) -> Mapping[str, np.ndarray]:
        return {**super().extra_state(), "stopped": np.array(self.stopped)}

    def restore_extra_state(self, state: Mapping[str, np.ndarray]) -> None:
        super().restore_extra_state(state)
        self.stopped = bool(state["stopped"])
        self._decide()  # within an epoch, which has begun by now

    def _same_learning_rates(self) -> None:
        """Give the other optimizers the learning rate that callbacks have given the first."""
        first, *others = map(unscaled, self.optimizers)
        if isinstance(first._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
            return
        for other in others:
            other.learning_rate = float(ops.convert_to_numpy(first.learning_rate))

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "decoder": serialize(self.decoder),
            "discriminator": serialize(self.discriminator),
            "joint_weight": self.joint_weight,
            "score_weights": dict(self.score_weights),
            "adversarial_start": self.adversarial_start,
            "discriminator_steps": self.discriminator_steps,
            "stop_below": self.stop_below,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        names = ("decoder", "discriminator")
        players = {n: keras.saving.deserialize_keras_object(config[n]) for n in names}
        return super().from_config({**config, **players}, custom_objects)

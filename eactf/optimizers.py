"""These Adam and SGD add their weight decay to the gradient, as the papers' code does ("coupled").

Keras' own `weight_decay` is decoupled (AdamW: the weights shrink by `rate * decay` beside the
step). The reference code of EAC, SCN and RUL adds `decay * weight` to the gradient of every
variable, biases and batch-normalisation scales included, before momentum and scaling see it.
Those are two different methods; use these classes to follow the papers. The steps themselves are
torch's too: Keras' Adam adds epsilon before the bias correction, and its SGD keeps the learning
rate inside the velocity.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

__all__ = ["SGD", "Adam"]


class _Rates:
    """An optimizer that steps some variables at a multiple of its learning rate."""

    def multiply_rate(self, variables: Iterable[Any], factor: float) -> None:
        """Let `variables` move at `factor` times the learning rate (RUL's head: ten times).

        Not kept in the optimizer's configuration: the method that asks for it asks again.
        """
        if not factor > 0:
            raise ValueError(f"factor must be above 0; received {factor!r}")
        rates = self.__dict__.setdefault("_rate_factors", {})
        rates.update({self._var_key(variable): float(factor) for variable in variables})  # type: ignore[attr-defined]

    def _rate(self, learning_rate: Any, variable: Any) -> Any:
        rates = self.__dict__.get("_rate_factors", {})
        factor = rates.get(self._var_key(variable), 1.0)  # type: ignore[attr-defined]
        return ops.cast(learning_rate, variable.dtype) * factor


@keras.saving.register_keras_serializable(package="eactf")
class Adam(_Rates, keras.optimizers.Adam):
    """Adam with coupled (L2) weight decay, step for step `torch.optim.Adam`.

    `learning_rate` is a float or a Keras schedule, `coupled_weight_decay` >= 0. `epsilon` is the
    papers' 1e-8 (Keras' own default is 1e-7), added after the bias correction.
    Raises `ValueError` on a negative decay.

    >>> Adam(2e-4, coupled_weight_decay=1e-4).coupled_weight_decay
    0.0001
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        coupled_weight_decay: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, **kwargs)
        self.coupled_weight_decay = _checked_decay(coupled_weight_decay)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable; `gradient` is already summed over the replicas."""
        gradient = _with_decay(gradient, variable, self.coupled_weight_decay)
        learning_rate = self._rate(learning_rate, variable)
        step = ops.cast(self.iterations + 1, variable.dtype)
        index = self._get_variable_index(variable)
        mean, square = self._momentums[index], self._velocities[index]
        if keras.backend.backend() == "tensorflow" and not self.amsgrad:
            self._fused_step(gradient, variable, mean, square, learning_rate, step)
            return
        self.assign_add(mean, (gradient - mean) * (1.0 - self.beta_1))
        self.assign_add(square, (ops.square(gradient) - square) * (1.0 - self.beta_2))
        if self.amsgrad:
            largest = self._velocity_hats[index]
            self.assign(largest, ops.maximum(largest, square))
            square = largest
        deviation = ops.sqrt(square / _bias_correction(self.beta_2, step)) + self.epsilon
        rate = learning_rate / _bias_correction(self.beta_1, step)
        self.assign_sub(variable, rate * mean / deviation)

    def _fused_step(
        self, gradient: Any, variable: Any, mean: Any, square: Any, learning_rate: Any, step: Any
    ) -> None:
        """The same step in TensorFlow's one kernel: half the time of the separate operations.

        The kernel's own form is rate * mean / (sqrt(square) + epsilon), with the moments fed by
        1 - beta in float32. Bias corrections and what that rounding does (5e-5 of `square` at
        beta 0.999) go into the rate and the epsilon handed to it.
        """
        import tensorflow as tf

        rounding_1, rounding_2 = (
            float(np.float32(1) - np.float32(beta)) / (1.0 - beta)
            for beta in (self.beta_1, self.beta_2)
        )
        scale = ops.sqrt(_bias_correction(self.beta_2, step) * rounding_2)
        rate = learning_rate / _bias_correction(self.beta_1, step)
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(mean),
            v=_handle(square),
            beta1_power=0.0,
            beta2_power=0.0,
            lr=rate * scale / rounding_1,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon * scale,
            grad=gradient,
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "coupled_weight_decay": self.coupled_weight_decay}


@keras.saving.register_keras_serializable(package="eactf")
class SGD(_Rates, keras.optimizers.SGD):
    """SGD with momentum and coupled (L2) weight decay, step for step `torch.optim.SGD`.

    The velocity holds gradients, not steps: a new learning rate acts on all of it at once.
    Raises `ValueError` on a negative decay.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        coupled_weight_decay: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, momentum=momentum, nesterov=nesterov, **kwargs)
        self.coupled_weight_decay = _checked_decay(coupled_weight_decay)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Update one variable; `gradient` is already summed over the replicas."""
        move = gradient = _with_decay(gradient, variable, self.coupled_weight_decay)
        if self.momentum:
            velocity = self.momentums[self._get_variable_index(variable)]
            self.assign(velocity, velocity * self.momentum + gradient)
            move = gradient + self.momentum * velocity if self.nesterov else velocity
        self.assign_sub(variable, self._rate(learning_rate, variable) * move)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "coupled_weight_decay": self.coupled_weight_decay}


def _checked_decay(decay: float) -> float:
    if not decay >= 0:
        raise ValueError(f"coupled_weight_decay must be >= 0; received {decay!r}")
    return float(decay)


def _with_decay(gradient: Any, variable: Any, decay: float) -> Any:
    gradient = ops.cast(gradient, variable.dtype)
    return gradient if decay == 0.0 else gradient + decay * variable


def _handle(variable: Any) -> Any:
    """The resource of a Keras variable, or of the TensorFlow one that a strategy updates."""
    return variable.value.handle if isinstance(variable, keras.Variable) else variable.handle


def _bias_correction(beta: float, step: Any) -> Any:
    """1 - beta ** step, without the digits that the difference would lose for beta near 1."""
    return 1.0 if beta == 0.0 else -ops.expm1(step * math.log(beta))

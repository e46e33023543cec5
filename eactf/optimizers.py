"""Adam and SGD whose weight decay is coupled: added to the gradient, as in the papers' code.

Keras' own `weight_decay` is decoupled (AdamW: the weights shrink by `rate * decay` beside the
step). The reference code of EAC, SCN and RUL adds `decay * weight` to the gradient of every
variable, biases and batch-normalisation scales included, before momentum and scaling see it.
Those are two different methods; use these classes to follow the papers.
"""

from __future__ import annotations

from typing import Any

import keras

__all__ = ["SGD", "Adam"]


@keras.saving.register_keras_serializable(package="eactf")
class Adam(keras.optimizers.Adam):
    """Adam with coupled (L2) weight decay.

    `learning_rate` is a float or a Keras schedule, `coupled_weight_decay` >= 0. `epsilon` is the
    papers' 1e-8 (Keras' own default is 1e-7). Raises `ValueError` on a negative decay.

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
        coupled = _add_decay(gradient, variable, self.coupled_weight_decay)
        super().update_step(coupled, variable, learning_rate)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "coupled_weight_decay": self.coupled_weight_decay}


@keras.saving.register_keras_serializable(package="eactf")
class SGD(keras.optimizers.SGD):
    """Stochastic gradient descent with momentum and coupled (L2) weight decay.

    At a constant learning rate the trajectory is torch's. After a drop of the rate it differs
    for a few steps: Keras' velocity already contains the rate, torch's buffer does not.
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
        coupled = _add_decay(gradient, variable, self.coupled_weight_decay)
        super().update_step(coupled, variable, learning_rate)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "coupled_weight_decay": self.coupled_weight_decay}


def _checked_decay(decay: float) -> float:
    if not decay >= 0:
        raise ValueError(f"coupled_weight_decay must be >= 0; received {decay!r}")
    return float(decay)


def _add_decay(gradient: Any, variable: Any, decay: float) -> Any:
    if decay == 0.0:
        return gradient
    return keras.ops.cast(gradient, variable.dtype) + decay * variable

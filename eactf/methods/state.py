"""The whole state of a method in training, so that a run can be taken up as if it had not stopped.

Every variable is in it: weights, optimizer and loss scale, the clock, tables by id, a second
network, running metrics, seed generators. What a method remembers outside variables it tells in
`extra_state`. Keras' own files leave out seed generators, metrics and all that is no variable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from eactf.methods.clock import ClockedModel
from eactf.methods.traces import SampleTraces

__all__ = ["RestorableModel"]

_EXTRA = "extra/"


class RestorableModel(ClockedModel):
    """A model whose state can be taken out as arrays and put back."""

    @property
    def optimizers(self) -> tuple[Any, ...]:
        """The optimizers that train the method, one a network; the first is the compiled one."""
        return () if self.optimizer is None else (self.optimizer,)

    def extra_state(self) -> Mapping[str, np.ndarray]:
        """What the method remembers outside its variables, by name; each method says."""
        return {}

    def restore_extra_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Put back what `extra_state` gave."""

    def extra_variables(self) -> list[Any]:
        """Variables that Keras does not find by itself, such as those of layers in other values."""
        return []

    traces: SampleTraces | None = None
    """What the steps showed of each sample, where that is followed (`Method.follow`)."""

    def state(self) -> dict[str, np.ndarray]:
        """Copies of all that training changes, as arrays by name.

        On several devices a variable that each keeps for itself, as running metrics are, is
        `(devices, ...)`; on several machines it is the sum of all, and all have to ask. The
        optimizer must have been built and the metrics used once.
        """
        read = _read_sum if self.on_several_machines() else _read
        arrays = {name: read(variable) for name, variable in self._named_variables()}
        extra = {_EXTRA + name: np.asarray(array) for name, array in self.extra_state().items()}
        return {**arrays, **extra}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Put back what `state` gave, for the same method, network and optimizer.

        Raises `ValueError` that names the first variable which is not there or has another shape;
        nothing has been changed then.
        """
        variables = dict(self._named_variables())
        if not any(name.startswith("traces/") for name in state):
            # Written before samples were followed: what is known of them begins anew.
            variables = {n: v for n, v in variables.items() if not n.startswith("traces/")}
        stored = {name: array for name, array in state.items() if not name.startswith(_EXTRA)}
        for name in [*variables, *stored]:
            if name not in stored or name not in variables:
                where = "the stored state" if name not in stored else "the method"
                raise ValueError(f"the stored state is another method's: {where} has no {name}")
            _refuse_other_shape(name, variables[name], stored[name])
        leads = self.distribute_strategy.extended.should_checkpoint
        for name, variable in variables.items():
            # A sum over all machines is the first one's part: the others begin theirs anew.
            anew = self.on_several_machines() and not leads and _is_summed(variable)
            _write(variable, np.zeros_like(stored[name]) if anew else stored[name])
        self.restore_extra_state(
            {name.removeprefix(_EXTRA): a for name, a in state.items() if name.startswith(_EXTRA)}
        )

    def _named_variables(self) -> Iterator[tuple[str, Any]]:
        """Every variable once. Names go by order: Keras' own count the layers of the process."""
        groups = {
            "model": [*self.variables, *self.extra_variables()],
            "optimizer": [variable for one in self.optimizers for variable in one.variables],
            "metrics": self.metrics_variables,
            "traces": [] if self.traces is None else self.traces.variables,
        }
        seen: set[int] = set()
        for group, variables in groups.items():
            fresh = [v for v in variables if id(v) not in seen and not seen.add(id(v))]  # type: ignore[func-returns-value]
            for number, variable in enumerate(fresh):
                yield f"{group}/{number:04d}", variable


def _is_summed(variable: Any) -> bool:
    """Whether every replica keeps a part of its own, whose sum is the value."""
    value = getattr(variable, "value", variable)
    return bool(getattr(value, "synchronization", None) == tf.VariableSynchronization.ON_READ)


def _parts(variable: Any) -> list[Any]:
    """The variables of each device, where they differ; else the one there is."""
    value = getattr(variable, "value", variable)
    apart = _is_summed(variable) and hasattr(value, "values")
    return list(value.values) if apart else [value]


def _read(variable: Any) -> np.ndarray:
    parts = [np.array(part.numpy()) for part in _parts(variable)]
    return np.stack(parts) if len(parts) > 1 else parts[0]


def _read_sum(variable: Any) -> np.ndarray:
    """As `_read`; of what each keeps for itself the sum over all machines, as the first's part."""
    if not _is_summed(variable):
        return _read(variable)
    parts = _parts(variable)
    total = np.array(tf.convert_to_tensor(getattr(variable, "value", variable)))
    return np.stack([total, *[np.zeros_like(total)] * (len(parts) - 1)]) if parts[1:] else total


def _write(variable: Any, array: np.ndarray) -> None:
    parts, shape = _parts(variable), tuple(variable.shape)
    rows = array if array.shape != shape else array[None]
    if len(rows) != len(parts):
        # Written by another number of devices. Running metrics are sums: one device has them all.
        rows = np.concatenate([rows.sum(0, keepdims=True), np.zeros((len(parts) - 1, *shape))])
    for part, own in zip(parts, rows, strict=True):
        part.assign(own.astype(array.dtype))


def _refuse_other_shape(name: str, variable: Any, array: np.ndarray) -> None:
    shape = tuple(variable.shape)
    summed = name.startswith(("metrics/", "traces/"))
    shapes = [array.shape, array.shape[1:]] if summed else [array.shape]
    if shape not in shapes:
        raise ValueError(
            f"the stored state is another method's: {name}, {variable.path}, has the shape {shape},"
            f" in the stored state {array.shape}"
        )

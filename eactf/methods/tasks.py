"""What a network of several heads is taught: labels of classes, and numbers, each under a name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import keras

from eactf.nn.adversarial.labels import TAKEN

__all__ = ["Tasks", "checked_task_weights", "tasks_of"]


@dataclass(frozen=True)
class Tasks:
    """The heads of an encoder that are trained.

    `sizes` are how many outputs each head has, by name. Heads in `values` are of numbers, and their
    columns' names stand there; all others are of classes. `label` is the head of classes whose
    classifier is kept and judged.
    """

    sizes: Mapping[str, int]
    values: Mapping[str, tuple[str, ...]]
    label: str

    @property
    def classes(self) -> dict[str, int]:
        """How many classes each head of classes has."""
        return {name: size for name, size in self.sizes.items() if name not in self.values}

    @property
    def columns(self) -> tuple[str, ...]:
        """What a data set must give of each sample, by name."""
        return (*self.classes, *(name for names in self.values.values() for name in names))

    def numbers_of(self, outputs: Mapping[str, Any]) -> dict[str, Any]:
        """The numbers `(n,)` by their columns' names, of the outputs of all heads by name."""
        return {
            column: outputs[head][:, place]
            for head, columns in self.values.items()
            for place, column in enumerate(columns)
        }

    def facts(self) -> dict[str, Any]:
        """What a stored encoder says of its outputs: plain values."""
        values = {head: list(columns) for head, columns in self.values.items()}
        return {"label": self.label, "values": values}


def tasks_of(
    encoder: keras.Model, values: Mapping[str, Sequence[str]] | None, label: str | None
) -> Tasks:
    """The tasks of an encoder of `eactf.nn.adversarial.encoder`.

    `label` None is the first head of classes. Raises `ValueError` for a model of another form, for
    `values` that do not fit its heads, and where no head is of classes.
    """
    sizes = _heads_of(encoder)
    named = {name: tuple(columns) for name, columns in (values or {}).items()}
    for name, columns in named.items():
        if len(columns) != sizes.get(name):
            raise ValueError(
                f"values must name the numbers of heads, one an output: {name!r} has "
                f"{sizes.get(name, 'no')} outputs; received {columns!r}"
            )
    classes = [name for name in sizes if name not in named]
    if not classes or label not in (None, *classes):
        raise ValueError(
            f"label must be a head of classes, of which there must be one; there are "
            f"{', '.join(classes) or 'none'}, received {label!r}"
        )
    tasks = Tasks(sizes, named, label or classes[0])
    if len(set(tasks.columns)) < len(tasks.columns):
        raise ValueError(f"two targets have one name: {', '.join(tasks.columns)}")
    return tasks


def checked_task_weights(tasks: Tasks, weights: Mapping[str, float] | None) -> dict[str, float]:
    """A weight for each head, 1 where `weights` does not name it.

    Raises `ValueError` for names that are no head and for what is no number >= 0.
    """
    weights = dict(weights or {})
    wrong = [name for name in weights if name not in tasks.sizes]
    if wrong:
        heads = ", ".join(tasks.sizes)
        raise ValueError(f"task_weights names {wrong[0]!r}, but the heads are {heads}")
    for name, weight in weights.items():
        if not (isinstance(weight, Real) and 0.0 <= float(weight) < math.inf):
            raise ValueError(f"task_weights must be >= 0; received {name} = {weight!r}")
    return {name: float(weights.get(name, 1.0)) for name in tasks.sizes}


def _heads_of(encoder: Any) -> dict[str, int]:
    """How many outputs each head of labels has, in the encoder's own order."""
    outputs = getattr(encoder, "output", None)
    noise = {"mean", "log_variance"}
    if not isinstance(outputs, Mapping) or not noise < set(outputs):
        raise ValueError(
            "encoder must be one of eactf.nn.adversarial.encoder, whose outputs go by name; "
            f"received {type(encoder).__name__}"
        )
    return {name: int(output.shape[-1]) for name, output in outputs.items() if name not in TAKEN}

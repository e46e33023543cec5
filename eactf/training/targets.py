"""The labels of several kinds that a method of several heads is taught, taken from the samples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from eactf.errors import DataError
from eactf.methods.base import Method
from eactf.methods.multi_task import MultiTask
from eactf.packed.records import Samples

__all__ = ["training_labels"]


def training_labels(method: Method, samples: Samples) -> Mapping[str, np.ndarray] | None:
    """What `method` is taught of `samples`, columns by name; None where it is the label alone.

    Raises `DataError` where the samples lack a label set or a continuous target, or where none of
    them has a value of it.
    """
    if not isinstance(method, MultiTask):
        return None
    tasks = method.tasks
    own = samples.given if samples.targets is None else samples.targets
    further = [name for name in tasks.classes if name != tasks.label]
    numbers = [name for names in tasks.values.values() for name in names]
    missing = [f"label set {name!r}" for name in further if not _some(samples.labels, name)]
    missing += [
        f"continuous target {name!r}" for name in numbers if not _some(samples.values, name)
    ]
    if missing:
        raise DataError(
            f"the training samples have no {' and no '.join(missing)} to learn",
            hint=f"label sets: {', '.join(samples.labels) or 'none'}; continuous targets: "
            f"{', '.join(samples.values) or 'none'}. Set method.label_sets and method.values to "
            "those, or pack data that has them: eactf data pack --help",
        )
    return {
        tasks.label: own,
        **{name: samples.labels[name] for name in further},
        **{name: samples.values[name] for name in numbers},
    }


def _some(columns: Mapping[str, np.ndarray], name: str) -> bool:
    """Whether there is a column with anything in it: a class, or a number."""
    column = columns.get(name)
    if column is None:
        return False
    known = np.isfinite(column) if column.dtype.kind == "f" else column >= 0
    return bool(known.any())

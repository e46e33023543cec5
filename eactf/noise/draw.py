"""`draw_noise` draws noisy labels from a seed and the ids of samples, so that they can be cited.

The two numbers behind a sample's label depend on the seed and the sample's id only, so the noise
stays the same whatever the order or the subset. At one seed a higher rate changes further labels
and keeps the changes of a lower one. (With `count="exact"` which labels are changed depends on the
whole set, what they become does not.)
"""

from __future__ import annotations

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.packed.hashing import uniform

__all__ = ["COUNTS", "KINDS", "draw_noise", "noise_matrix", "realised_rate"]

KINDS = ("symmetric", "pair", "matrix", "machine", "annotators", "human", "file")
"""The kinds of noise; `human` and `file` take labels that exist, see `apply_noise`.

`machine` is drawn as `matrix` from `machine_law`, `annotators` as `symmetric` among all classes.
"""

COUNTS = ("bernoulli", "exact")

_FLIP = 1001  # stream: is the label changed
_CLASS = 1002  # stream: to which class


def draw_noise(
    labels: np.ndarray,
    ids: np.ndarray,
    classes: int,
    *,
    kind: str,
    rate: float | None = None,
    count: str = "bernoulli",
    include_true: bool = False,
    seed: int = 0,
    matrix: np.ndarray | None = None,
) -> np.ndarray:
    """Noisy labels `(n,)` int64 for `labels` `(n,)` in 0..classes-1 of the samples `ids` `(n,)`.

    `symmetric` changes a label to a class drawn uniformly, among the others or, with
    `include_true`, among all (then only `rate * (classes - 1) / classes` differ). `pair` changes
    class `i` to `i + 1`, the last to the first. `matrix` draws from row `label` of the
    row-stochastic `(classes, classes)` matrix; `rate`, where given, tempers it, see `noise_matrix`.
    `count="bernoulli"` changes each label with probability `rate`; `"exact"` changes those of the
    `rate * n` (rounded) samples with the smallest hashes.

    Raises `UsageError` for settings that make no sense, `DataError` for labels out of range.

    >>> draw_noise(np.array([0, 1, 2]), np.array([7, 8, 9]), 3, kind="pair", rate=1.0)
    array([1, 2, 0])
    """
    labels = _checked_labels(labels, ids, classes)
    if kind == "matrix":
        _refuse(count == "exact", "count 'exact' has no meaning for noise from a matrix")
        if matrix is None:
            raise UsageError("noise of kind 'matrix' needs a matrix")
        return _draw_from_rows(noise_matrix(matrix, classes, rate), labels, ids, seed)
    _refuse(kind not in ("symmetric", "pair"), f"cannot draw noise of kind {kind!r}")
    _refuse(matrix is not None, f"noise of kind {kind!r} takes no matrix")
    _refuse(include_true and kind == "pair", "include_true belongs to symmetric noise only")
    changed = _changed(ids, rate, count, seed)
    new = (labels + 1) % classes
    if kind == "symmetric":
        new = _other_class(labels, uniform(seed, ids, _CLASS), classes, include_true)
    return np.where(changed, new, labels)


def noise_matrix(matrix: np.ndarray, classes: int, rate: float | None = None) -> np.ndarray:
    """The row-stochastic matrix, checked and, for a `rate`, tempered to `(1 - s) I + s matrix`.

    `s` is such that the mean over the classes of the probability to change equals `rate`: a
    property of the matrix alone, so that a sample's draw does not hang on the other samples. The
    realised rate therefore differs from it where classes are imbalanced. With `rate=None` the
    matrix is used as it is.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.shape != (classes, classes):
        raise UsageError(
            f"noise matrix: expected shape ({classes}, {classes}), received {matrix.shape}"
        )
    rows = np.isfinite(matrix).all() and (matrix >= 0).all()
    if not rows or not np.allclose(matrix.sum(axis=1), 1, atol=1e-6):
        raise UsageError(
            "noise matrix: expected rows of probabilities that sum to 1",
            hint="row i holds the probabilities of the labels that class i is given",
        )
    return matrix if rate is None else _tempered(matrix, _checked_rate(rate))


def realised_rate(given: np.ndarray, clean: np.ndarray) -> float:
    """Share of the samples of known clean label (>= 0) whose given label differs; nan for none."""
    known = clean >= 0
    return float((given[known] != clean[known]).mean()) if known.any() else float("nan")


def _tempered(matrix: np.ndarray, rate: float) -> np.ndarray:
    change = 1 - np.diag(matrix)
    if rate == 0:
        return np.eye(len(matrix))
    highest = change.mean() / change.max() if change.any() else 0.0
    if rate > highest + 1e-9:
        raise UsageError(
            f"the noise matrix cannot be tempered to a rate of {rate:g}:"
            f" at {highest:.3f} a class keeps none of its labels",
            hint="lower the rate, or leave it out to use the matrix as it is",
        )
    strength = rate / change.mean()
    return np.asarray((1 - strength) * np.eye(len(matrix)) + strength * matrix)


def _draw_from_rows(
    matrix: np.ndarray, labels: np.ndarray, ids: np.ndarray, seed: int
) -> np.ndarray:
    # The label itself comes first in the order, so that milder noise changes fewer labels.
    draw = uniform(seed, ids, _CLASS)
    new = labels.copy()
    for label in np.unique(labels):
        order = np.roll(np.arange(len(matrix)), -label)
        edges = np.cumsum(matrix[label][order])
        rows = labels == label
        # Rounding may leave the last edge below 1: then the last class with any probability.
        last = int(np.flatnonzero(matrix[label][order])[-1])
        new[rows] = order[np.minimum(np.searchsorted(edges, draw[rows], side="right"), last)]
    return new


def _changed(ids: np.ndarray, rate: float | None, count: str, seed: int) -> np.ndarray:
    if rate is None:
        raise UsageError("this noise needs a rate", hint="for twenty percent write 0.2")
    rate = _checked_rate(rate)
    _refuse(count not in COUNTS, f"count {count!r}: expected {' or '.join(COUNTS)}")
    draw = uniform(seed, ids, _FLIP)
    if count == "bernoulli":
        return draw < rate
    changed = np.zeros(len(ids), dtype=bool)
    changed[np.lexsort((ids, draw))[: int(np.floor(rate * len(ids) + 0.5))]] = True
    return changed


def _other_class(
    labels: np.ndarray, draw: np.ndarray, classes: int, include_true: bool
) -> np.ndarray:
    if include_true:
        return (draw * classes).astype(np.int64)
    other = (draw * (classes - 1)).astype(np.int64)
    return other + (other >= labels)


def _checked_labels(labels: np.ndarray, ids: np.ndarray, classes: int) -> np.ndarray:
    _refuse(classes < 2, f"label noise needs at least 2 classes, received {classes}")
    labels = np.asarray(labels)
    if labels.shape != np.shape(ids):
        raise DataError(f"{len(labels)} labels for {len(ids)} ids")
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        raise DataError(
            f"labels: expected 0 to {classes - 1}, received {labels.min()} to {labels.max()}"
        )
    return labels.astype(np.int64)


def _checked_rate(rate: float) -> float:
    if not 0 <= rate <= 1:
        raise UsageError(
            f"noise rate {rate:g}: expected 0 <= rate <= 1", hint="for twenty percent write 0.2"
        )
    return float(rate)


def _refuse(condition: bool, message: str) -> None:
    if condition:
        raise UsageError(message)

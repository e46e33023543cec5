"""This module decides, class by class, how sure one must be before a sample counts. NumPy only.

`confidence_margins` are Ada-CM's thresholds of a prediction's confidence; `class_thresholds` apply
the same rule to the probability that a label is clean, and `kept` says which samples then stay.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eactf.wording import counted, enumerated

__all__ = ["class_thresholds", "confidence_margins", "kept", "probabilities"]


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Logits `(..., C)` as probabilities, float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    powers = np.exp(shifted)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def confidence_margins(
    probabilities: Any, labels: Any, epoch: int, floor: float = 0.8, factor: float = 0.97
) -> np.ndarray:
    """How confident a prediction of each class must be to be learnt from, `(C,)` float64.

    max(`floor`, `factor` * m_c / (1 + exp(-`epoch`))), where m_c is the mean confidence in those
    labelled samples of class c that are predicted right; `floor` for a class without any (Li et
    al., "Towards semi-supervised deep facial expression recognition with an adaptive confidence
    margin", CVPR 2022, with the published code's constants). `probabilities` is `(N, C)`, `labels`
    `(N,)` class indices, `epoch` the epoch just finished, counted from 1. The rule can only raise a
    threshold above the floor. Raises `ValueError` for other shapes, probabilities outside [0, 1],
    labels that are no class, and numbers out of range.

    >>> confidence_margins([[0.98, 0.02], [0.9, 0.1], [0.7, 0.3]], [0, 0, 1], epoch=5).round(4)
    array([0.9057, 0.8   ])
    """
    rows = np.asarray(probabilities, np.float64)
    if rows.ndim != 2 or not rows.shape[1]:
        raise ValueError(f"probabilities must be (n, classes); received shape {rows.shape}")
    _check_within("probabilities", rows)
    own = _classes("labels", labels, rows.shape[0], rows.shape[1])
    is_right = rows.argmax(axis=1) == own
    confidence = rows.max(axis=1)
    _check_share("factor", factor)
    return _thresholds(confidence, own, is_right, rows.shape[1], epoch, factor, floor)


def class_thresholds(
    clean_probability: Any,
    labels: Any,
    predictions: Any,
    classes: int,
    epoch: int,
    beta: float = 0.97,
    floor: float = 0.5,
) -> np.ndarray:
    """How likely clean a label of each class must be to be kept, `(C,)` float64 in [floor, beta].

    max(`floor`, `beta` * m_c / (1 + exp(-`epoch`))), where m_c is the mean clean probability of
    those samples of given label c that the network predicts to be c; `floor` for a class without
    any. Ada-CM's rule applied to the probability by loss instead of the confidence. All three
    arrays are `(N,)`; `epoch` counts the epochs after the warm-up from 1. For the same threshold in
    all classes use `np.full(classes, 0.5)`. Raises `ValueError` as `confidence_margins`.

    >>> class_thresholds([0.99, 0.95, 0.6, 0.1], [0, 0, 1, 1], [0, 0, 1, 0], 3, epoch=4).round(4)
    array([0.924 , 0.5715, 0.5   ])
    """
    clean = _checked_probability(clean_probability)
    if classes != int(classes) or classes < 1:
        raise ValueError(f"classes must be a whole number above 0; received {classes!r}")
    own = _classes("labels", labels, len(clean), int(classes))
    agrees = _classes("predictions", predictions, len(clean), int(classes)) == own
    _check_share("beta", beta)
    return _thresholds(clean, own, agrees, int(classes), epoch, beta, floor)


def kept(clean_probability: Any, labels: Any, thresholds: Any, minimum: int = 8) -> np.ndarray:
    """Which samples' labels are kept, `(N,)` bool: those above the threshold of their class.

    Strictly above, as in DivideMix. Of a class with fewer than `minimum` such samples those with
    the greatest clean probability are kept, `minimum` of them or all there are: no class goes
    empty. `clean_probability` is `(N,)`, `labels` `(N,)` class indices, `thresholds` `(C,)`. Of
    equal probabilities the first sample is kept. Raises `ValueError` for other shapes,
    probabilities outside [0, 1], thresholds that are no numbers, labels that are no class, and a
    minimum below 0.

    >>> kept([0.9, 0.4, 0.3, 0.2, 0.6], [0, 0, 1, 1, 0], [0.5, 0.5], minimum=1)
    array([ True, False,  True, False,  True])
    """
    clean, levels = _checked_probability(clean_probability), np.asarray(thresholds, np.float64)
    if levels.ndim != 1:
        raise ValueError(f"thresholds must be (classes,); received shape {levels.shape}")
    if np.isnan(levels).any():
        raise ValueError(f"thresholds must be numbers; received {levels}")
    if minimum != int(minimum) or minimum < 0:
        raise ValueError(f"minimum must be a whole number >= 0; received {minimum!r}")
    own = _classes("labels", labels, len(clean), len(levels))
    mask: np.ndarray = clean > levels[own]
    for label in range(len(levels)):
        members = np.flatnonzero(own == label)
        best = members[np.argsort(-clean[members], kind="stable")]
        mask[best[: int(minimum)]] = True
    return mask


def _thresholds(
    values: np.ndarray,
    labels: np.ndarray,
    counts: np.ndarray,
    classes: int,
    epoch: int,
    factor: float,
    floor: float,
) -> np.ndarray:
    """The rule of both kinds of thresholds, with the mean of the values that count."""
    _check_share("floor", floor)
    if not epoch >= 0:
        raise ValueError(f"epoch must be >= 0; received {epoch!r}")
    found = np.full(classes, float(floor))
    for label in range(classes):
        chosen = values[counts & (labels == label)]
        if len(chosen):
            found[label] = max(floor, factor * chosen.mean() / (1.0 + np.exp(-float(epoch))))
    return found


def _check_share(name: str, number: float) -> None:
    if not 0 <= number <= 1:
        raise ValueError(f"{name} must be in [0, 1]; received {number!r}")


def _checked_probability(clean_probability: Any) -> np.ndarray:
    clean = np.asarray(clean_probability, np.float64)
    if clean.ndim != 1:
        raise ValueError(f"clean_probability must be (n,); received shape {clean.shape}")
    _check_within("clean_probability", clean)
    return clean


_SLACK = 1e-2
"""How far a probability may be above 1: half types round it by as much."""


def _check_within(name: str, values: np.ndarray) -> None:
    wrong = values[~((values >= 0) & (values <= 1 + _SLACK))]
    if len(wrong):
        received = enumerated(map(str, wrong), most=4)
        raise ValueError(f"{name} must be in [0, 1]; {counted(len(wrong), 'number')}: {received}")


def _classes(name: str, labels: Any, count: int, classes: int) -> np.ndarray:
    """Class indices `(count,)` as int64; refused where one is no class."""
    given = np.asarray(labels)
    if given.shape != (count,):
        raise ValueError(f"{name} must be ({count},) class indices; received shape {given.shape}")
    wrong = given[~((given >= 0) & (given < classes) & (given == np.floor(given)))]
    if len(wrong):
        received = enumerated(map(str, wrong), most=4)
        raise ValueError(f"{name} must be whole numbers in 0..{classes - 1}; received {received}")
    return given.astype(np.int64)

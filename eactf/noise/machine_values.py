"""`machine_values` draws the valence and arousal that a network gives to faces of each expression.

The figures are means and deviations over RAF-DB's training images of what a network trained on
AffectNet said of them, in the files of noisyFER that `machine_law` has its counts from: by the
class that people gave the image, and by the class that the machine gave it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.noise.draw import draw_noise
from eactf.noise.expressions import BASIC_EXPRESSIONS, basic_expression
from eactf.noise.machine import machine_law
from eactf.packed.hashing import uniform
from eactf.packed.records import Samples
from eactf.packed.values import AFFECT

__all__ = ["MACHINE_VALUES", "label_by_machine", "machine_values", "value_by_machine"]

MACHINE_VALUES: Final = {
    "human": (
        (-0.2310, 0.1661, 0.0273, 0.2210),
        (0.5592, 0.3169, 0.1722, 0.2198),
        (-0.6140, 0.2743, -0.1175, 0.3118),
        (-0.0220, 0.1629, 0.8549, 0.2610),
        (-0.1714, 0.2555, 0.8019, 0.3381),
        (-0.4593, 0.2382, 0.4445, 0.3481),
        (-0.4708, 0.1822, 0.8631, 0.2263),
    ),
    "machine": (
        (-0.2103, 0.1908, 0.0345, 0.2421),
        (0.5798, 0.2983, 0.1729, 0.2148),
        (-0.6394, 0.2717, -0.1301, 0.3045),
        (0.0182, 0.1538, 0.8583, 0.2508),
        (-0.1620, 0.1973, 0.8065, 0.3296),
        (-0.5427, 0.2120, 0.5785, 0.3349),
        (-0.4736, 0.1574, 0.7070, 0.3440),
    ),
}
"""Mean and deviation of valence, then of arousal, by the class that people or the machine gave; the
rows are in the order of `BASIC_EXPRESSIONS`."""

_STREAMS = {"valence": 1100, "arousal": 1200}
_SUMMED = 12  # uniform numbers, whose sum has variance 1


def machine_values(
    labels: np.ndarray,
    class_names: Sequence[str],
    ids: np.ndarray,
    *,
    given: str = "machine",
    seed: int = 0,
    true: Mapping[str, np.ndarray] | None = None,
    strength: float = 1.0,
) -> dict[str, np.ndarray]:
    """`valence` and `arousal`, `(n,)` float32 in [-1, 1], as a machine would give them.

    `labels` `(n,)` are class indices, -1 where there is none, given by people or by the `machine`
    as `given` says. Each value is drawn from the normal distribution of its class's figures, by
    `seed` and the sample's id alone, and clipped. With the `true` values it is `(1 - s) true + s
    drawn`, `strength` s in [0, 1]. A class that is no basic expression has no figures: there the
    true value stays, NaN where it is not known.

    Raises `UsageError` for settings out of range, `DataError` for arrays that do not fit.

    >>> names = ["happiness", "contempt"]
    >>> machine_values(np.array([0, 0, 1]), names, np.array([4, 5, 6]))["valence"].round(2)
    array([0.37, 0.76,  nan], dtype=float32)
    """
    _check(labels, class_names, ids, given, true, strength)
    figures = _figures(class_names, given)[labels]
    values = {}
    for place, name in enumerate(AFFECT):
        mean, deviation = figures[:, 2 * place], figures[:, 2 * place + 1]
        drawn = np.clip(mean + deviation * _normal(seed, ids, _STREAMS[name]), -1, 1)
        if true is not None and name in true:
            drawn = _tempered(np.asarray(true[name], np.float64), drawn, strength)
        values[name] = drawn.astype(np.float32)
    return values


def label_by_machine(
    samples: Samples, class_names: Sequence[str], *, seed: int = 0, strength: float = 1.0
) -> Samples:
    """`samples` as a machine that learned elsewhere would label them, in class and in value.

    The label set `machine` is drawn from `machine_law` by the clean labels where they are known,
    else the given ones; the values `valence` and `arousal` from `machine_values` by the machine's
    classes. Values that were there are kept as `clean_valence` and `clean_arousal`; the given
    labels stay.

    Raises what these do, and `DataError` where there is a label set `machine` or a clean value
    already.
    """
    taken = [f"the label set {name!r}" for name in ("machine",) if name in samples.labels]
    taken += [f"the values 'clean_{name}'" for name in AFFECT if f"clean_{name}" in samples.values]
    if taken:
        raise DataError(
            f"these samples have {' and '.join(taken)} already, which would be lost",
            hint="put machine noise on samples that have none",
        )
    known = samples.clean if samples.clean is not None else samples.given
    labels = np.where(known >= 0, known, samples.given)
    law = machine_law(class_names, strength)
    machine = draw_noise(
        labels, samples.ids, len(class_names), kind="matrix", seed=seed, matrix=law
    )
    labelled = replace(samples, labels={**samples.labels, "machine": machine})
    return value_by_machine(labelled, machine, class_names, seed=seed, strength=strength)


def value_by_machine(
    samples: Samples,
    machine: np.ndarray,
    class_names: Sequence[str],
    *,
    seed: int = 0,
    strength: float = 1.0,
) -> Samples:
    """`samples` with valence and arousal as a machine gives them that labels them `machine` `(n,)`.

    Values that were there are kept as `clean_valence` and `clean_arousal`, but where those are
    there already. Raises what `machine_values` does.
    """
    true = {name: samples.values[name] for name in AFFECT if name in samples.values}
    drawn = machine_values(
        machine, class_names, samples.ids, seed=seed, true=true or None, strength=strength
    )
    kept = {f"clean_{name}": values for name, values in true.items()}
    return replace(samples, values={**kept, **samples.values, **drawn})


def _figures(class_names: Sequence[str], given: str) -> np.ndarray:
    """`(classes + 1, 4)`: the figures of each class; NaN where there are none, as in the last row.

    The last row serves the label -1.
    """
    rows = np.full((len(class_names) + 1, 4), np.nan)
    for row, name in enumerate(class_names):
        expression = basic_expression(name)
        if expression is not None:
            rows[row] = MACHINE_VALUES[given][BASIC_EXPRESSIONS.index(expression)]
    return rows


def _normal(seed: int, ids: np.ndarray, stream: int) -> np.ndarray:
    """`(n,)` numbers of mean 0 and variance 1, normal but for tails that end at 6 deviations.

    A sum of uniform numbers, for logarithms are not the same bits on every platform.
    """
    streams = stream + np.arange(_SUMMED)
    return np.asarray(uniform(seed, ids, streams[:, None]).sum(axis=0) - _SUMMED / 2)


def _tempered(true: np.ndarray, drawn: np.ndarray, strength: float) -> np.ndarray:
    mixed = (1 - strength) * true + strength * drawn
    return np.where(np.isnan(drawn), true, np.where(np.isnan(true), drawn, mixed))


def _check(
    labels: np.ndarray,
    class_names: Sequence[str],
    ids: np.ndarray,
    given: str,
    true: Mapping[str, np.ndarray] | None,
    strength: float,
) -> None:
    if given not in MACHINE_VALUES:
        raise UsageError(f"values given by {given!r}: expected {' or '.join(MACHINE_VALUES)}")
    if not 0 <= strength <= 1:
        raise UsageError(f"noise strength {strength:g}: expected 0 <= strength <= 1")
    if strength < 1 and true is None:
        raise UsageError(
            f"noise strength {strength:g}: below 1 it mixes in the true values, which are not here",
            hint="use strength 1, or data with valence and arousal",
        )
    if labels.shape != np.shape(ids):
        raise DataError(f"{len(labels)} labels for {len(ids)} ids")
    if labels.size and not (labels.min() >= -1 and labels.max() < len(class_names)):
        found = f"{labels.min()} to {labels.max()}"
        raise DataError(f"labels: expected -1 to {len(class_names) - 1}, received {found}")

"""How well predicted numbers, such as valence and arousal, agree with those that samples have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from eactf.metrics import concordance
from eactf.packed.records import Samples

__all__ = ["concordances", "given_concordances", "true_values"]


def true_values(samples: Samples, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The true values `(n,)` of continuous targets by name, as far as the samples have any.

    `clean_valence` stands for `valence` where it is there; NaN is a value that is not known.
    """
    nothing = np.empty(0)
    found = {
        name: samples.values.get(f"clean_{name}", samples.values.get(name, nothing))
        for name in names
    }
    return {name: values for name, values in found.items() if np.isfinite(values).any()}


def concordances(samples: Samples, predicted: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The concordance of each continuous target over all samples whose true value is known.

    `predicted` are `(n,)` by name, nan where there is no prediction. A target without true values,
    or whose concordance is not defined (neither varies), is left out.
    """
    found = {}
    for name, values in true_values(samples, list(predicted)).items():
        known = np.isfinite(values) & np.isfinite(predicted[name])
        if known.any():
            found[name] = float(concordance(predicted[name][known], values[known]))
    return {name: value for name, value in found.items() if np.isfinite(value)}


def given_concordances(samples: Samples) -> dict[str, float]:
    """As `concordances`, of the values that the samples were given and that are not the true ones.

    What the labelling of people or of a machine is worth, where the truth is known as well.
    """
    noisy = [name for name in samples.values if f"clean_{name}" in samples.values]
    return concordances(samples, {name: samples.values[name] for name in noisy})

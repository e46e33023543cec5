"""`noise_interval` says how far an estimate of label noise may be off."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from eactf.noise.latent import LatentFit, LatentModel, even_noise

__all__ = ["MODEL_ERROR", "noise_interval"]

MODEL_ERROR = 0.03
"""What the model itself is off, on either side."""

_DROP = 1.353
"""Drop in log-likelihood at the ends of an interval of nine in ten (half of chi-square's 2.706)."""

_SAMPLES = 8_000
"""Of more samples a part is refitted, its likelihood weighed up: the error is the model's then."""

_PARTS = 10

_LEAST_KAPPA = 0.1
"""Below this agreement of predictions and labels (Cohen's kappa) nothing is told from anything."""


def noise_interval(model: LatentModel, fit: LatentFit) -> tuple[float, float]:
    """The rates, lowest and highest, at which the labels are nearly as likely as at the fit's.

    The profile likelihood: at each rate all other parameters are fitted anew. Where networks know
    too little to tell noise from their own mistakes, all rates explain the labels as well, and the
    interval is as wide. It ends where the networks' contradictions do, as if they never erred.
    `MODEL_ERROR` is added on both sides.
    """
    contradicted = model.contradicted
    spread = (contradicted * (1 - contradicted) / len(model.given)) ** 0.5
    most = min(contradicted + 1.645 * spread, 1.0)
    if model.kappa < _LEAST_KAPPA:
        return 0.0, most
    step = max(fit.rate, 0.1) / _PARTS
    upwards = (fit.rate + step * k * (k + 1) / 2 for k in range(1, 3 * _PARTS))
    downwards = (fit.rate * (1 - k / _PARTS) for k in range(1, _PARTS + 1))
    low = _end(model, fit, downwards, 0.0)
    high = _end(model, fit, (rate for rate in upwards if rate < most), most)
    return max(low - MODEL_ERROR, 0.0), min(max(high, fit.rate) + MODEL_ERROR, 1.0)


def _end(model: LatentModel, fit: LatentFit, rates: Iterable[float], otherwise: float) -> float:
    """The first of `rates` at which the likelihood has dropped, or `otherwise` if it never does."""
    part = model.part(_SAMPLES)
    weight = len(model.given) / len(part.given)
    best = part.fit_to(fit.noise, fit.weights)
    weights, reached, root = best.weights, fit.rate, 0.0
    for rate in rates:
        noise = _scaled(fit, rate)
        if (noise < 0).any():
            break
        here = part.fit_to(noise, weights)
        drop = max(weight * (best.log_likelihood - here.log_likelihood), 0.0)
        if drop >= _DROP:
            share = (_DROP**0.5 - root) / (drop**0.5 - root)
            return float(reached + share * (rate - reached))
        weights, reached, root = here.weights, rate, drop**0.5
    return otherwise


def _scaled(fit: LatentFit, rate: float) -> np.ndarray:
    """The fit's noise matrix brought to another rate; even noise where it has next to none."""
    classes = len(fit.noise)
    if fit.rate < 1e-3:
        return even_noise(rate, classes)
    unchanged = np.eye(classes)
    return np.asarray(unchanged + rate / fit.rate * (fit.noise - unchanged))

"""A second network of the same form, whose weights are drawn anew."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import count
from typing import Any

import keras

__all__ = ["redrawn"]


def redrawn(classifier: keras.Model, seed: int) -> keras.Model:
    """A functional classifier of the form of `classifier` with initial weights of its own.

    Each initialiser gets another seed, a function of `seed`, of the one it had and of its place:
    two networks that begin alike would stay alike. Fixed statistics of a normalisation are the
    classifier's own; trained weights are not taken over.
    """
    other: keras.Model = type(classifier).from_config(
        _with_other_seeds(classifier.get_config(), seed, count())
    )
    pairs = zip(_normalizations(classifier), _normalizations(other), strict=True)
    for own, new in pairs:
        if own.get_weights():
            new.set_weights(own.get_weights())
            new.finalize_state()
    return other


def _normalizations(model: keras.Model) -> Iterator[keras.layers.Normalization]:
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.Normalization):
            yield layer


def _with_other_seeds(config: Any, seed: int, places: Iterator[int]) -> Any:
    """A configuration, nested, in which every `seed` is another."""
    if isinstance(config, dict):
        return {
            key: _other(seed, value, next(places))
            if key == "seed" and (value is None or isinstance(value, int))
            else _with_other_seeds(value, seed, places)
            for key, value in config.items()
        }
    if isinstance(config, (list, tuple)):
        return type(config)(_with_other_seeds(value, seed, places) for value in config)
    return config


def _other(seed: int, value: int | None, place: int) -> int:
    return zlib.crc32(f"{seed}/{value}/{place}".encode())

"""Writing a classifier as TensorFlow's SavedModel, and running such a folder in TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from eactf.export.facts import FACTS, facts_json
from eactf.quiet import held_back

__all__ = ["EXTRA", "run_saved_model", "write_saved_model"]

EXTRA = "assets.extra"
"""Where a SavedModel has its owner's own files, by TensorFlow's convention."""


def write_saved_model(path: Path, model: keras.Model, facts: Mapping[str, Any]) -> None:
    """Write `model`, images to a dictionary of outputs, into the new folder `path`.

    Its signature is `serving_default`.
    """
    with held_back():
        model.export(path, format="tf_saved_model", verbose=False)
    (path / EXTRA).mkdir()
    (path / EXTRA / FACTS).write_text(facts_json(facts) + "\n", encoding="ascii")


def run_saved_model(path: Path, batches: list[np.ndarray]) -> list[dict[str, np.ndarray]]:
    """What TensorFlow makes of each batch `(n, size, size, channels)`, by output."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]
    (taken,) = serve.structured_input_signature[1]
    found = [serve(**{taken: tf.constant(batch)}) for batch in batches]
    return [{name: values.numpy() for name, values in outputs.items()} for outputs in found]

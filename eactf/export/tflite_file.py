"""Writing a classifier as a TFLite file, in floats or 8-bit integers, and running it in LiteRT."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from eactf.export.facts import FACTS, facts_json
from eactf.quiet import held_back

__all__ = ["run_tflite", "write_tflite"]

LABELS = "labels.txt"
"""The class names, a line each: what apps with TFLite classifiers look for."""


def write_tflite(
    path: Path, model: keras.Model, facts: Mapping[str, Any], calibration: np.ndarray | None
) -> None:
    """Write `model`, images to a dictionary of outputs, to `path`.

    With `calibration`, `(n, size, size, channels)` uint8, weights and arithmetic become 8-bit
    integers whose ranges are those of these images, and the file takes pixels as uint8. The facts
    stand behind the network in a zip archive, as TFLite's metadata has its files.
    """
    settings = {} if calibration is None else _integers(calibration)
    with held_back():
        model.export(path, format="litert", verbose=False, **settings)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(FACTS, facts_json(facts))
        archive.writestr(LABELS, "".join(f"{name}\n" for name in facts["class_names"]))


def run_tflite(path: Path, batches: list[np.ndarray]) -> list[dict[str, np.ndarray]]:
    """What LiteRT makes of each batch `(n, size, size, channels)`, by output."""
    with held_back():
        from ai_edge_litert.interpreter import Interpreter

        run = Interpreter(str(path)).get_signature_runner()
        (taken,) = run.get_input_details()
        return [run(**{taken: batch}) for batch in batches]


def _integers(calibration: np.ndarray) -> dict[str, Any]:
    import tensorflow as tf

    rows = _whole_range(calibration)

    def one_by_one() -> Iterator[list[np.ndarray]]:
        for row in rows:
            yield [row[None].astype(np.float32)]

    return {
        "optimizations": [tf.lite.Optimize.DEFAULT],
        "representative_dataset": one_by_one,
        "target_spec": {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]},
        "inference_input_type": tf.uint8,
    }


def _whole_range(images: np.ndarray) -> np.ndarray:
    """The images with a black and a white corner of one: the input's step is then one grey level.

    Pixels go in as they are; a range that ended elsewhere would have them rescaled.
    """
    rows = images.copy()
    rows[0, 0, 0], rows[0, 0, 1] = 0, 255
    return rows

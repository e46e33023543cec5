"""Writing a classifier as an ONNX file, and running such a file in ONNX Runtime."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from eactf.export.facts import FACTS, facts_json
from eactf.quiet import held_back

__all__ = ["run_onnx", "write_onnx"]

_BATCH = "batch"


def write_onnx(path: Path, model: keras.Model, facts: Mapping[str, Any]) -> None:
    """Write `model`, images to a dictionary of outputs, to `path`, with `facts` as metadata.

    Any number of images goes through it at a time. Raises `ValueError` where the converter has made
    further inputs of what should be constants.
    """
    import onnx

    with warnings.catch_warnings(), held_back():
        # Keras asks NumPy for a name that NumPy 2 has no more.
        warnings.simplefilter("ignore")
        model.export(path, format="onnx", verbose=False)
    file = onnx.load(path)
    taken = [value.name for value in file.graph.input]
    if taken != [tensor.name for tensor in model.inputs]:
        raise ValueError(f"the file takes {', '.join(taken)}")
    _name_batches(file)
    _put_in_order(file, list(facts["outputs"]))
    onnx.helper.set_model_props(file, {FACTS: facts_json(facts)})
    onnx.checker.check_model(file)
    onnx.save(file, path)


def run_onnx(path: Path, batches: list[np.ndarray]) -> list[dict[str, np.ndarray]]:
    """What ONNX Runtime makes of each batch `(n, size, size, channels)`, by output."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    names = [output.name for output in session.get_outputs()]
    return [
        dict(zip(names, session.run(None, {taken.name: batch}), strict=True)) for batch in batches
    ]


def _name_batches(file: Any) -> None:
    """Call the free first axis the same everywhere; the converter numbers each."""
    for value in (*file.graph.input, *file.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = _BATCH


def _put_in_order(file: Any, names: list[str]) -> None:
    outputs = sorted(file.graph.output, key=lambda output: names.index(output.name))
    del file.graph.output[:]
    file.graph.output.extend(outputs)

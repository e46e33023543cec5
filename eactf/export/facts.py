"""What an exported file says of itself: class names, and how images become what it takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

import eactf
from eactf.evaluation.storage import StoredClassifier
from eactf.export.form import ExportForm
from eactf.export.served import Served

__all__ = ["FACTS", "facts_json", "facts_of"]

FACTS = "eactf.json"
"""The name of the facts in every kind of file."""


def facts_of(
    stored: StoredClassifier, served: Served, form: ExportForm, calibrated_on: int
) -> dict[str, Any]:
    """The facts, plain values for JSON. `calibrated_on` is the number of calibration images."""
    size, _, channels = served.model.input_shape[1:]
    facts: dict[str, Any] = {
        "written_by": f"eactf {eactf.__version__}",
        "class_names": list(stored.class_names),
        "input": {
            "name": served.model.inputs[0].name,
            "shape": [None, size, size, channels],
            "dtype": form.input_dtype,
            "range": [0, 255],
            "layout": "NHWC",
        },
        "preprocessing": {
            "colours": "grey (ITU-R 601 luma)" if channels == 1 else "RGB",
            "resize": "bilinear, to the whole square",
            "normalization": "inside the file: (value - mean) / std",
            "mean": _numbers(served.mean),
            "std": _numbers(served.std),
        },
        "outputs": {
            name: {"shape": list(shape), "dtype": "float32", **_meaning(name, served)}
            for name, shape in served.shapes.items()
        },
        "quantization": None,
        "method": stored.facts.get("method"),
    }
    if form.int8:
        facts["quantization"] = {"type": "int8", "calibration_images": calibrated_on}
    return facts


def facts_json(facts: Mapping[str, Any]) -> str:
    """The facts as text, in ASCII."""
    return json.dumps(facts, indent=2)


_MEANING = {
    "probabilities": "one a class, in the order of class_names; they sum to 1",
    "logits": "one a class, in the order of class_names; their softmax is the probabilities",
    "maps": "class activation maps, a class a channel; the mean of one is the class's logit less "
    "its bias",
}


def _meaning(name: str, served: Served) -> dict[str, Any]:
    if name in served.numbers:
        return {"meaning": "numbers, a column each", "columns": list(served.numbers[name])}
    return {"meaning": _MEANING[name]}


def _numbers(values: np.ndarray | None) -> list[float] | None:
    return None if values is None else [float(value) for value in values]

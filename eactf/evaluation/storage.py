"""Trained classifiers as files: saving one with its facts, and opening one without trusting it.

A `.keras` file is a zip archive of a JSON graph and HDF5 weights. Opening one rebuilds whatever
classes the graph names, so the graph is read first and only known, harmless layers are let
through; sizes are checked before anything is unpacked.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from eactf.errors import UnsafeFileError, UsageError
from eactf.files import replace_atomically

__all__ = ["StoredClassifier", "open_classifier_file", "save_classifier"]

_FACTS = "eactf.json"
_GRAPH = "config.json"
_WEIGHTS = "model.weights.h5"
_MEMBERS = {_GRAPH, _WEIGHTS, "metadata.json", _FACTS}

_MAX_GRAPH_BYTES = 32 * 2**20
_MAX_WEIGHT_BYTES = 4 * 2**30

_MODELS = {"Functional", "Sequential", "Model"}
_LAYERS = {
    "Activation", "Add", "AveragePooling2D", "BatchNormalization", "Concatenate", "Conv2D",
    "Cropping2D", "Dense", "DepthwiseConv2D", "Dropout", "ELU", "Flatten", "GaussianNoise",
    "GlobalAveragePooling2D", "GlobalMaxPooling2D", "GroupNormalization", "InputLayer",
    "LayerNormalization", "LeakyReLU", "MaxPooling2D", "Maximum", "Multiply", "Normalization",
    "PReLU", "Permute", "ReLU", "Rescaling", "Reshape", "SeparableConv2D", "Softmax",
    "SpatialDropout2D", "Subtract", "UpSampling2D", "ZeroPadding2D",
}  # fmt: skip
_MODULES = ("keras", "keras.layers", "keras.models", "keras.src.models.functional", "builtins")
_HARMLESS_MODULES = (
    "keras.initializers",
    "keras.regularizers",
    "keras.constraints",
    "keras.activations",
)
_HARMLESS_CLASSES = {"__tensor__", "__numpy__", "DTypePolicy", "slice"}


@dataclass(frozen=True)
class StoredClassifier:
    """A classifier from a file. `facts` is what eactf wrote beside it, empty for other files."""

    model: keras.Model
    path: Path
    facts: Mapping[str, Any]

    @property
    def classes(self) -> int:
        """The number of classes."""
        return int(self.model.output_shape[-1])

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names, or `class 0`, `class 1`, ... where the file has none."""
        names = self.facts.get("class_names")
        if isinstance(names, list) and len(names) == self.classes:
            return tuple(str(name) for name in names)
        return tuple(f"class {number}" for number in range(self.classes))


def save_classifier(path: Path, classifier: keras.Model, facts: Mapping[str, Any]) -> None:
    """Save a classifier as an ordinary `.keras` file, whole or not at all.

    `facts` (class names and what else a reader wants to know) go into the archive as one more
    member, which Keras does not look at: the file opens with Keras alone.
    """

    def write(target: Path) -> None:
        classifier.save(target)
        with zipfile.ZipFile(target, "a") as archive:
            archive.writestr(_FACTS, json.dumps(dict(facts), indent=2))

    replace_atomically(path, write)


def open_classifier_file(path: Path) -> StoredClassifier:
    """Open a `.keras` file of a functional classifier, refusing what could do harm.

    Raises `UsageError` when there is no such file; `UnsafeFileError` when it is no `.keras`
    archive, is larger than it may be, names a class that is not a known layer, or holds weights
    that are not finite numbers.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}", hint="give a model.keras or a run's folder")
    graph, facts = _read_members(path)
    _check_graph(path, graph)
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as reason:  # Keras raises many kinds on a broken file
        raise _refused(path, f"Keras cannot open it: {str(reason)[:300]}") from reason
    if not all(np.isfinite(weight).all() for weight in model.get_weights()):
        raise _refused(path, "some of its weights are not finite numbers")
    return StoredClassifier(model, path, facts)


def _read_members(path: Path) -> tuple[Any, Mapping[str, Any]]:
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            strange = [name for name in sizes if name not in _MEMBERS]
            if strange or _GRAPH not in sizes or _WEIGHTS not in sizes:
                raise _refused(path, f"it is no archive of one Keras model: {list(sizes)[:8]}")
            small = [size for name, size in sizes.items() if name != _WEIGHTS]
            if max(small) > _MAX_GRAPH_BYTES or sizes[_WEIGHTS] > _MAX_WEIGHT_BYTES:
                raise _refused(path, "a member is larger than any classifier's")
            graph = json.loads(archive.read(_GRAPH))
            facts = json.loads(archive.read(_FACTS)) if _FACTS in sizes else {}
    except (zipfile.BadZipFile, json.JSONDecodeError, UnicodeDecodeError) as reason:
        raise _refused(path, f"it is not a .keras file ({reason})") from reason
    return graph, facts if isinstance(facts, dict) else {}


def _check_graph(path: Path, graph: Any) -> None:
    if not isinstance(graph, dict) or graph.get("class_name") not in _MODELS:
        name = graph.get("class_name") if isinstance(graph, dict) else type(graph).__name__
        raise _refused(
            path,
            f"it holds a {name}, not a plain functional classifier; save the classifier that "
            "the method trained (classifier.save), not the method",
        )
    for node in _nodes(graph):
        module, name = node.get("module"), node.get("class_name")
        known = name in _LAYERS | _MODELS and module in _MODULES
        harmless = name in _HARMLESS_CLASSES or module in _HARMLESS_MODULES
        if not (known or harmless):
            raise _refused(path, f"it names {module}.{name}, which is not a known layer")
        _check_size(path, node)


def _check_size(path: Path, node: Mapping[str, Any]) -> None:
    config = node.get("config")
    if not isinstance(config, dict):
        return
    for key in ("units", "filters"):
        if isinstance(config.get(key), int) and config[key] > 10**6:
            raise _refused(path, f"a layer asks for {config[key]:,} {key}")


def _nodes(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every serialised object in a graph, however deep."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if "class_name" in item and item["class_name"] != "__keras_tensor__":
                yield item
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def _refused(path: Path, reason: str) -> UnsafeFileError:
    return UnsafeFileError(
        f"{path} is refused: {reason}",
        hint="open only classifiers saved as .keras, best by eactf; nothing of it was run",
    )

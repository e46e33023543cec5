"""This module saves trained classifiers as `.keras` files and opens such without trusting them.

A `.keras` file is a zip archive of a JSON graph and HDF5 weights. Opening one rebuilds whatever
classes the graph names, so the graph is read first and only known, harmless layers are let
through (`graphs`); sizes are checked before anything is unpacked or allocated.
"""

from __future__ import annotations

import json
import tempfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from eactf.errors import UnsafeFileError, UsageError
from eactf.evaluation.graphs import (
    forbidden,
    forget_training,
    start_from_zeros,
    variables_within,
)
from eactf.files import replace_atomically
from eactf.foreign import reason_of

__all__ = [
    "Prediction",
    "StoredClassifier",
    "find_classifier",
    "open_classifier_file",
    "save_classifier",
]

_FACTS = "eactf.json"
_GRAPH = "config.json"
_WEIGHTS = "model.weights.h5"
_MEMBERS = {_GRAPH, _WEIGHTS, "metadata.json", _FACTS}

_MAX_GRAPH_BYTES = 32 * 2**20
_MAX_WEIGHT_BYTES = 4 * 2**30
_WITHOUT_GRAPH = 32
"""Images up to which a batch is computed layer by layer."""

_MAX_COMPRESSION = 20
"""Keras stores members uncompressed, and trained weights compress little: more is a zip bomb."""


class Prediction(NamedTuple):
    """Of one image the class probabilities `(classes,)`, and numbers by name, if there are any."""

    probabilities: np.ndarray
    values: Mapping[str, float]


@dataclass(frozen=True)
class StoredClassifier:
    """A classifier from a file. `facts` is what eactf wrote beside it, empty for other files.

    Of an encoder of several kinds of labels, `whole`, whose outputs go by name, `model` is the head
    of the classes; `values` are the names of the numbers that heads give, by the heads' names.
    """

    model: keras.Model
    path: Path
    facts: Mapping[str, Any]
    whole: keras.Model | None = None
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def classes(self) -> int:
        """The number of classes."""
        return int(self.model.output_shape[-1])

    @property
    def named_classes(self) -> tuple[str, ...] | None:
        """The class names that the file gives, as printable text; None where it gives none."""
        names = self.facts.get("class_names")
        if not isinstance(names, list) or len(names) != self.classes:
            return None
        texts = tuple(_printable(str(name)) for name in names)
        return texts if len(set(texts)) == len(texts) else None

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names, or `class 0`, `class 1`, ... where the file has none."""
        numbered = tuple(f"class {number}" for number in range(self.classes))
        return self.named_classes or numbered

    @property
    def ends_in_softmax(self) -> bool:
        """Whether the model gives probabilities by itself, and no logits."""
        return _ends_in_softmax(self.model)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities `(n, classes)` float64 of images `(n, size, size, channels)`."""
        return self._as_probabilities(_outputs(self.model, images))

    def classify(self, images: np.ndarray) -> list[Prediction]:
        """Class probabilities and numbers of each of the images `(n, size, size, channels)`."""
        if self.whole is None:
            return [Prediction(row, {}) for row in self.probabilities(images)]
        outputs = _outputs(self.whole, images)
        rows = self._as_probabilities(outputs[self.facts["label"]])
        numbers = self.numbers_of(outputs)
        return [
            Prediction(row, {name: float(column[place]) for name, column in numbers.items()})
            for place, row in enumerate(rows)
        ]

    def numbers_of(self, outputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """The numbers `(n,)` by name, of the outputs of `whole`."""
        return {
            column: np.asarray(outputs[head])[:, place]
            for head, columns in self.values.items()
            for place, column in enumerate(columns)
        }

    def _as_probabilities(self, outputs: Any) -> np.ndarray:
        scores = np.asarray(outputs, np.float64)
        return scores if _ends_in_softmax(self.model) else _softmax(scores)


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


def find_classifier(target: Path, *, whole: bool = False) -> Path:
    """The classifier file of a run's folder, or the file itself.

    With `whole` that with all outputs, of a run that learnt labels of several kinds.
    """
    if not target.is_dir():
        return target
    if whole and (target / "encoder.keras").is_file():
        return target / "encoder.keras"
    path = target / "model.keras"
    if not path.is_file():
        raise UsageError(
            f"{target} has no model.keras",
            hint="a run writes it when it ends; see status.json there",
        )
    return path


def open_classifier_file(path: Path) -> StoredClassifier:
    """Open a `.keras` file of a functional classifier, refusing what could do harm.

    Raises `UsageError` when there is no such file; `UnsafeFileError` when it is no `.keras`
    archive, is larger than it may be, names a class that is not a known layer, or holds weights
    that are not finite numbers.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}", hint="give a model.keras or a run's folder")
    graph, facts, weight_bytes = _read_members(path)
    forget_training(graph)
    fault = forbidden(graph)
    if fault is not None:
        raise _refused(path, fault)
    start_from_zeros(graph)
    model = _build(path, graph, weight_bytes)
    by_name = isinstance(getattr(model, "output", None), Mapping)
    fault = _several(model, facts) if by_name else _unfit(model)
    if fault is not None:
        raise _refused(path, fault)
    if not by_name:
        return StoredClassifier(model, path, facts)
    label = keras.Model(model.input, model.output[facts["label"]])
    values = {head: tuple(map(_printable, names)) for head, names in facts["values"].items()}
    return StoredClassifier(label, path, facts, model, values)


def _read_members(path: Path) -> tuple[Any, Mapping[str, Any], int]:
    """The graph, the facts, and how many bytes of weights the archive holds."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            fault = _archive_fault(members)
            if fault is not None:
                raise _refused(path, fault)
            names = archive.namelist()
            graph = json.loads(archive.read(_GRAPH))
            facts = json.loads(archive.read(_FACTS)) if _FACTS in names else {}
            weight_bytes = archive.getinfo(_WEIGHTS).file_size
    except _BROKEN_ARCHIVE as reason:
        raise _refused(path, f"it is not a .keras file ({reason_of(reason)})") from reason
    return graph, facts if isinstance(facts, dict) else {}, weight_bytes


_BROKEN_ARCHIVE = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    ValueError,  # text that is no JSON, or no UTF-8
    RecursionError,  # JSON within JSON without end
    RuntimeError,  # an encrypted member
    NotImplementedError,  # an unknown compression
)


def _archive_fault(members: Sequence[zipfile.ZipInfo]) -> str | None:
    sizes = {member.filename: member.file_size for member in members}
    strange = sizes.keys() - _MEMBERS or len(sizes) != len(members)
    if strange or _GRAPH not in sizes or _WEIGHTS not in sizes:
        names = ", ".join(ascii(name[:40]) for name in list(sizes)[:8])
        return f"it is no archive of one Keras model; it holds {names or 'nothing'}"
    small = [size for name, size in sizes.items() if name != _WEIGHTS]
    if max(small) > _MAX_GRAPH_BYTES or sizes[_WEIGHTS] > _MAX_WEIGHT_BYTES:
        return "a member is larger than any classifier's"
    packed = sum(member.compress_size for member in members)
    if sizes[_WEIGHTS] > _MAX_COMPRESSION * packed:
        return "its weights unpack to many times the size of the file"
    return None


def _build(path: Path, graph: Any, weight_bytes: int) -> keras.Model:
    """The model of a graph that was let through. Built from what was checked, not read anew."""
    if path.suffix != ".keras":
        raise _refused(path, "its name does not end in .keras")
    try:
        # A small slack is for variables that are counters and seeds.
        with variables_within(weight_bytes + 2**16):
            model = keras.saving.deserialize_keras_object(graph, safe_mode=True)
        _load_weights(model, path)
    except Exception as reason:  # Keras raises many kinds on a broken file
        raise _refused(path, f"Keras cannot open it: {reason_of(reason)}") from reason
    return model


def _load_weights(model: keras.Model, path: Path) -> None:
    # Out of the archive first: HDF5 jumps about in a file, which takes a member from its start.
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as archive:
        model.load_weights(archive.extract(_WEIGHTS, folder))


def _unfit(model: keras.Model) -> str | None:
    """Why a model that was opened is no classifier of images; None if it is one."""
    taken, given = getattr(model, "input_shape", None), getattr(model, "output_shape", None)
    sides = taken if isinstance(taken, tuple) and len(taken) == 4 else (0, 0, 0, 0)
    if sides[1] != sides[2] or sides[3] not in (1, 3):
        return f"it takes {taken}, not square images (n, size, size, 1 or 3)"
    if not (isinstance(given, tuple) and len(given) == 2 and given[1]):
        return f"it gives {given}, not one number a class (n, classes)"
    if not all(np.isfinite(weight).all() for weight in model.get_weights()):
        return "some of its weights are not finite numbers"
    return None


def _several(model: keras.Model, facts: Mapping[str, Any]) -> str | None:
    """Why a model of several outputs is no encoder that eactf saved; None if it is one."""
    label, values = facts.get("label"), facts.get("values")
    if not (isinstance(label, str) and label in model.output and isinstance(values, dict)):
        return (
            f"it gives {', '.join(map(ascii, model.output))}, and does not say which the class is"
        )
    for head, names in values.items():
        if head not in model.output or not isinstance(names, list):
            return f"it says that it gives {head!a}, and does not"
        if len(names) != model.output[head].shape[-1] or not all(type(n) is str for n in names):
            return f"it does not say what the numbers of {head!a} are"
    named = [name for names in values.values() for name in names]
    if len(set(named)) < len(named):
        return "two of its outputs have one name"
    return _unfit(keras.Model(model.input, model.output[label]))


def _outputs(model: keras.Model, images: np.ndarray) -> Any:
    # Building a graph takes longer than a few images do without one.
    few = len(images) <= _WITHOUT_GRAPH
    return model(images, training=False) if few else model.predict_on_batch(images)


def _ends_in_softmax(model: keras.Model) -> bool:
    last = model.layers[-1]
    if isinstance(last, keras.Model):
        return _ends_in_softmax(last)
    activation = getattr(last, "activation", None)
    return isinstance(last, keras.layers.Softmax) or activation is keras.activations.softmax


def _softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def _printable(text: str) -> str:
    """Text from a file that a terminal may be shown."""
    return "".join(char if char.isprintable() else "?" for char in text)[:80]


def _refused(path: Path, reason: str) -> UnsafeFileError:
    return UnsafeFileError(
        f"{path} is refused: {reason}",
        hint="open only classifiers saved as .keras, best by eactf",
    )

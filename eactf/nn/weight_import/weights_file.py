"""This module writes and reads weights files of ours: values, and which network can take them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import h5py
import keras
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eactf.errors import DataError, EactfError, UsageError
from eactf.files import replace_atomically
from eactf.nn.weight_import.naming import network_variables
from eactf.packed.opening import HDF5

__all__ = ["BackboneWeights", "WeightsFacts", "open_weights", "unfit_values", "write_weights"]

_FORMAT = "eactf-weights"
_VERSION = 1
_GROUP = "backbone"
_AGAIN = "make it again: eactf weights import FILE --backbone ... -o OUT"

Values = Mapping[tuple[str, str], np.ndarray]
"""Arrays by (layer, variable), in the shapes that Keras has them."""

_PerChannel = Annotated[tuple[float, ...], Field(min_length=1, max_length=3)]


class WeightsFacts(BaseModel):
    """What weights were made for.

    `mean` and `std` are of pixels in 0..255, red first; the first kernel takes RGB, whatever order
    (`channel_order`) the network was trained on. `source` is the name of the imported file.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, ser_json_inf_nan="constants"
    )

    backbone: Literal["resnet10", "resnet18", "resnet34", "resnet50"]
    variant: Literal["torchvision", "vggface2"]
    stem: Literal["imagenet", "small", "compact"]
    width: Annotated[int, Field(ge=4, le=256)]
    channels: Literal[1, 3]
    mean: _PerChannel
    std: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1, max_length=3)]
    channel_order: Literal["RGB", "BGR"]
    source: Annotated[str, Field(max_length=255)]


@dataclass(frozen=True)
class BackboneWeights:
    """The weights of a backbone, whole and checked."""

    path: Path
    facts: WeightsFacts
    values: Values

    def apply(self, classifier: keras.Model) -> None:
        """Put the weights into a classifier's backbone; its head is left alone.

        Raises `DataError` where the classifier has no such variables.
        """
        found = {
            (layer.name, variable.name): variable
            for layer in classifier.layers
            for variable in layer.weights
        }
        fitting = {
            key: values
            for key, values in self.values.items()
            if key in found and tuple(found[key].shape) == values.shape
        }
        if len(fitting) != len(self.values):
            raise DataError(
                f"{self.path}: {len(self.values) - len(fitting)} of its {len(self.values)} tensors"
                f" have no place in the classifier '{classifier.name}'",
                hint=f"build it as the weights are: {describe(self.facts)}",
            )
        for key, values in fitting.items():
            found[key].assign(values)


def describe(facts: WeightsFacts) -> str:
    """Facts as the settings of a recipe."""
    return (
        f"model.backbone={facts.backbone} model.stem={facts.stem} model.width={facts.width} "
        f"data.channels={facts.channels}"
    )


def unfit_values(variable: str, values: np.ndarray) -> str:
    """Why values cannot be those of a trained network; empty if they can."""
    if not np.isfinite(values).all():
        return "holds values that are not finite numbers"
    if variable == "moving_variance" and values.min() < 0:
        return "is a variance, and below 0"
    return ""


def write_weights(path: Path, facts: WeightsFacts, values: Values) -> None:
    """Write a weights file, whole or not at all."""

    def write(target: Path) -> None:
        with h5py.File(target, "w") as file:
            _write_text(file, "format", _FORMAT)
            _write_text(file, "facts", facts.model_dump_json())
            file.attrs["version"] = _VERSION
            for (layer, variable), array in values.items():
                file.create_dataset(f"{_GROUP}/{layer}/{variable}", data=array.astype("<f4"))

    replace_atomically(path, write)


def _write_text(file: h5py.File, key: str, text: str) -> None:
    content = text.encode()
    file.attrs.create(key, np.array(content), dtype=h5py.string_dtype("utf-8", len(content)))


def open_weights(path: Path) -> BackboneWeights:
    """Read a weights file; every array is checked before it is read.

    Raises `UsageError` where there is no such file, `DataError` where it is none of ours or does
    not hold what its facts say, `UnsafeFileError` where it points out of itself.
    """
    with _our_advice(path):
        if not path.is_file():
            raise UsageError(f"there is no file {path}", hint="give a file of 'eactf weights'")
        if not h5py.is_hdf5(path):
            raise DataError(f"{path} is no file of weights that eactf imported", hint=_AGAIN)
        with HDF5.open(path) as file:
            facts = _facts(path, file)
            return BackboneWeights(path, facts, _values(path, file, facts))


@contextmanager
def _our_advice(path: Path) -> Iterator[None]:
    """Failures of the HDF5 layer, whose hints are on packed data sets, with hints on weights."""
    try:
        yield
    except UsageError:
        raise
    except EactfError as failure:
        raise type(failure)(failure.message, hint=_AGAIN) from failure


def _facts(path: Path, file: HDF5) -> WeightsFacts:
    if not file.has_attribute("format") or file.text("format") != _FORMAT:
        raise DataError(f"{path} is an HDF5 file, but no weights that eactf imported")
    if file.number("version") != _VERSION:
        raise DataError(f"{path} is of version {file.number('version')}; expected {_VERSION}")
    try:
        # JSON has no tuples: taken as JSON, strict validation lets lists stand for them.
        facts = WeightsFacts.model_validate_json(file.text("facts"))
    except ValidationError as reason:
        raise DataError(f"{path}: its facts are wrong: {_first_fault(reason)}") from None
    if {len(facts.mean), len(facts.std)} != {facts.channels}:
        raise DataError(f"{path}: its facts are wrong: mean and std of another number of channels")
    return facts


def _first_fault(reason: ValidationError) -> str:
    fault: Any = reason.errors()[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"


def _values(path: Path, file: HDF5, facts: WeightsFacts) -> Values:
    variables = network_variables(
        facts.backbone, stem=facts.stem, width=facts.width, channels=facts.channels
    )
    if set(file.members("/")) != {_GROUP}:
        raise DataError(f"{path}: expected one group '{_GROUP}' at its root")
    layers = set(file.members(f"/{_GROUP}"))
    members = {layer: set(file.members(f"/{_GROUP}/{layer}")) for layer in sorted(layers)}
    values = {}
    for variable in variables:
        name = f"/{_GROUP}/{variable.layer}/{variable.name}"
        if variable.name not in members.get(variable.layer, ()):
            raise DataError(f"{path}: {name} is missing")
        column = file.column(name, (np.dtype("<f4"),), len(variable.shape))
        if column.shape != variable.shape:
            raise DataError(f"{path}: {name}: expected {variable.shape}, received {column.shape}")
        array = column.read()
        fault = unfit_values(variable.name, array)
        if fault:
            raise DataError(f"{path}: {name} {fault}")
        values[variable.layer, variable.name] = array
    if sum(map(len, members.values())) != len(values):
        raise DataError(f"{path} holds tensors that a {facts.backbone} has not")
    return values

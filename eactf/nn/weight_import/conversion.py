"""`import_weights` converts another framework's weights so that the features stay the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eactf.errors import DataError, UsageError
from eactf.nn.resnet import VARIANTS
from eactf.nn.weight_import.comparison import Comparison, compare
from eactf.nn.weight_import.naming import Variable
from eactf.nn.weight_import.preprocessing import PRESETS, Preprocessing
from eactf.nn.weight_import.reading import ARRAYS_FORM, open_tensors
from eactf.nn.weight_import.tensors import KINDS
from eactf.nn.weight_import.weights_file import (
    BackboneWeights,
    Values,
    WeightsFacts,
    unfit_values,
    write_weights,
)

__all__ = ["ImportOptions", "import_weights"]


@dataclass(frozen=True)
class ImportOptions:
    """What a file of weights does not say itself.

    `variant` (one of `nn.resnet.VARIANTS`) and `preprocessing` are by default the VGGFace2
    release's for a pickle of NumPy arrays, which is how that release comes, and torchvision's for
    all else. `prefix` chooses among several networks of a file; `stem` is told by the first kernel
    but for "compact", which has the same one as "small".
    """

    backbone: str
    variant: str | None = None
    preprocessing: Preprocessing | None = None
    stem: str | None = None
    prefix: str | None = None


def import_weights(
    source: Path,
    output: Path,
    options: ImportOptions,
    *,
    overwrite: bool = False,
    compared: Callable[[Comparison], None] = lambda comparison: None,
) -> BackboneWeights:
    """Convert the backbone in `source` and write it to `output`.

    `compared` is told how the file fits the backbone before it is decided whether that will do.
    Raises `DataError` unless every variable of the backbone is there, in its shape; `UsageError`
    for options that do not work, `UnsafeFileError` for a file that would run code.
    """
    if options.variant not in (None, *VARIANTS):
        raise UsageError(f"variant must be one of {', '.join(VARIANTS)}")
    if output.exists() and not overwrite:
        raise UsageError(f"{output} exists already", hint="give another name, or --overwrite")
    if not output.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {output.parent} to write {output.name} into")
    with open_tensors(source) as file:
        comparison = compare(file, options.backbone, prefix=options.prefix, stem=options.stem)
        compared(comparison)
        comparison.refuse_unless_whole()
        facts = _facts(comparison, options)
        values = _converted(comparison, facts)
    write_weights(output, facts, values)
    return BackboneWeights(output, facts, values)


def _facts(comparison: Comparison, options: ImportOptions) -> WeightsFacts:
    published = "vggface2" if comparison.file.form == ARRAYS_FORM else None
    preprocessing = options.preprocessing or PRESETS[published or "imagenet"]
    if len(preprocessing.mean) == 1 < comparison.channels:
        raise UsageError("--mean has one value; the network takes three channels")
    shown = preprocessing.for_channels(comparison.channels)
    made: dict[str, Any] = {
        "backbone": comparison.backbone,
        "variant": options.variant or published or "torchvision",
        "stem": comparison.stem,
        "width": comparison.width,
        "channels": comparison.channels,
        "mean": shown.mean,
        "std": shown.std,
        "channel_order": shown.order,
        "source": ascii(comparison.file.path.name)[1:-1][:255],
    }
    return WeightsFacts(**made)


def _converted(comparison: Comparison, facts: WeightsFacts) -> Values:
    values = {}
    for name, variable in comparison.matched.items():
        array = _read(comparison, name, variable)
        if variable.layer == "stem_conv" and facts.channel_order == "BGR":
            array = array[:, :, ::-1]
        values[variable.layer, variable.name] = np.ascontiguousarray(array)
    return values


def _read(comparison: Comparison, name: str, variable: Variable) -> np.ndarray:
    """A tensor in Keras' order of axes: kernels are (out, in, rows, columns) in the file."""
    path, tensor = comparison.file.path, comparison.file.tensors[name]
    if tensor.kind not in KINDS or "float" not in tensor.kind:
        raise DataError(
            f"{path}: {name!r} holds {tensor.kind}, expected floating-point numbers",
            hint="quantised weights cannot be imported; take the checkpoint they were made from",
        )
    array = tensor.read()
    fault = unfit_values(variable.name, array)
    if fault:
        raise DataError(f"{path}: {name!r} {fault}", hint="training had diverged before it")
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array

"""`export_classifier`, from a stored classifier to a file that was tried out in its own runtime."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eactf.errors import EactfError, UsageError
from eactf.evaluation.storage import StoredClassifier, find_classifier, open_classifier_file
from eactf.export.check_images import CheckImages, choose_check_images
from eactf.export.facts import facts_of
from eactf.export.form import ExportForm, Runtime, check_output, require_packages
from eactf.export.onnx_file import run_onnx, write_onnx
from eactf.export.parity import Parity, compare
from eactf.export.saved_model import run_saved_model, write_saved_model
from eactf.export.served import Served, serve
from eactf.export.tflite_file import run_tflite, write_tflite
from eactf.files import move_into_place, remove_leftovers, temporary_name
from eactf.foreign import reason_of

__all__ = ["Exported", "export_classifier"]

_BATCH = 64

_RUNS = {
    Runtime.ONNX: run_onnx,
    Runtime.TFLITE: run_tflite,
    Runtime.SAVED_MODEL: run_saved_model,
}


@dataclass(frozen=True)
class Exported:
    """A file that was written, what it says of itself, and how it compares with Keras."""

    classifier: Path
    path: Path
    size: int
    facts: Mapping[str, Any]
    parity: Parity
    compared_on: str
    remarks: tuple[str, ...]


def export_classifier(
    target: Path,
    form: ExportForm,
    *,
    output: Path | None = None,
    data: Path | None = None,
    calibration: tuple[Path, ...] = (),
    most: int = 1000,
    overwrite: bool = False,
) -> Exported:
    """Write the classifier of `target`, a run's folder or a `.keras` file, for another runtime.

    The file is run, in its own runtime, on up to `most` images before it gets its name, and kept if
    it computes what Keras does; of 8-bit integers the difference is told. `output`, `data` and
    `calibration` are as the command line has them (`check_output`, `choose_check_images`). Raises
    `UsageError`, `DataError`, `UnsafeFileError`, and `EactfError` for a file that is not kept.
    """
    require_packages(form.runtime)
    if calibration and not form.int8:
        raise UsageError("--calibration gives the ranges for --int8; give that too")
    path = find_classifier(target, whole=True)
    output = form.beside(path) if output is None else output
    check_output(output, form.runtime, overwrite=overwrite)
    stored = open_classifier_file(path)
    if stored.model.input_shape[1] is None:
        raise UsageError(f"{path} takes images of any size; eactf export needs a fixed one")
    served = serve(stored, form)
    images = choose_check_images(stored, target, data, calibration, most=most, calibrate=form.int8)
    if form.int8 and images.calibration is None:
        raise UsageError(
            "--int8 takes its ranges from real images, and none are at hand",
            hint="give a folder of some by --calibration, or labelled ones by --data",
        )
    remove_leftovers(output)
    written = temporary_name(output)
    try:
        facts = _write(written, stored, served, form, images)
        parity = _try_out(written, served, form, images)
        size = _size(written)
        _move(written, output)
    finally:
        _remove(written)
    return Exported(path, output, size, facts, parity, images.words, images.remarks)


def _write(
    path: Path, stored: StoredClassifier, served: Served, form: ExportForm, images: CheckImages
) -> dict[str, Any]:
    calibration = images.calibration if form.int8 else None
    facts = facts_of(stored, served, form, 0 if calibration is None else len(calibration))
    try:
        if form.runtime is Runtime.ONNX:
            write_onnx(path, served.model, facts)
        elif form.runtime is Runtime.TFLITE:
            write_tflite(path, served.model, facts, calibration)
        else:
            write_saved_model(path, served.model, facts)
    except (EactfError, OSError):
        raise
    except Exception as reason:  # converters raise many kinds, of layers that they do not know
        raise EactfError(
            f"{stored.path} cannot be written for {form.runtime}: {reason_of(reason)}",
            hint="another --to may do",
        ) from reason
    return facts


def _try_out(path: Path, served: Served, form: ExportForm, images: CheckImages) -> Parity:
    batches = [
        images.images[start : start + _BATCH].astype(form.input_dtype)
        for start in range(0, len(images.images), _BATCH)
    ]
    expected = [served.expected(batch.astype(np.float32)) for batch in batches]
    found = _RUNS[form.runtime](path, batches)
    parity = compare(_joined(expected), _joined(found), images.labels, scores=form.scores)
    if form.int8:
        parity.refuse_unless_numbers(f"the file for {form.runtime}")
    else:
        parity.refuse_unless_equal(f"the file for {form.runtime}")
    return parity


def _joined(batches: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _move(written: Path, output: Path) -> None:
    """Give what is written its name; a SavedModel that stood there goes when the new one stands."""
    if not written.is_dir():
        move_into_place(written, output)
        return
    before = temporary_name(output.with_name(f"before-{output.name}"))
    if output.exists():
        output.rename(before)
    written.rename(output)
    _remove(before)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

"""What an exported file is to be: for which runtime, what it gives, and what has to be installed.

Nothing here imports TensorFlow: a file that is in the way and a package that is missing are told
at once.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from eactf.errors import UsageError

__all__ = ["ExportForm", "Runtime", "check_output", "require_packages"]


class Runtime(StrEnum):
    """Who is to run the file, by the name that `--to` takes."""

    ONNX = "onnx"
    TFLITE = "tflite"
    SAVED_MODEL = "savedmodel"

    @property
    def suffix(self) -> str:
        """What the file's name ends in; a SavedModel is a folder and may have any name."""
        return {"onnx": ".onnx", "tflite": ".tflite"}.get(self.value, "")

    @property
    def packages(self) -> tuple[str, ...]:
        """The modules that writing the file and trying it out need beside TensorFlow."""
        needed = {"onnx": ("tf2onnx", "onnx", "onnxruntime"), "tflite": ("ai_edge_litert",)}
        return needed.get(self.value, ())


@dataclass(frozen=True)
class ExportForm:
    """The wished form of an exported classifier.

    It gives probabilities, or with `logits` those; with `maps` class activation maps as well.
    `int8` (TFLite alone) makes weights and arithmetic 8-bit integers. Raises `UsageError` for
    `int8` with another runtime.
    """

    runtime: Runtime
    logits: bool = False
    maps: bool = False
    int8: bool = False

    def __post_init__(self) -> None:
        if self.int8 and self.runtime is not Runtime.TFLITE:
            raise UsageError(
                f"--int8 is for TFLite; received --to {self.runtime}",
                hint="eactf export MODEL --to tflite --int8",
            )

    @property
    def scores(self) -> str:
        """The name of the output that has a number a class."""
        return "logits" if self.logits else "probabilities"

    @property
    def input_dtype(self) -> str:
        """The type of the pixels that the file takes, in 0..255."""
        return "uint8" if self.int8 else "float32"

    def beside(self, classifier: Path) -> Path:
        """The name of the file where none is given: beside the classifier's own."""
        stem = classifier.stem + ("-int8" if self.int8 else "")
        return classifier.with_name(stem + (self.runtime.suffix or ".savedmodel"))


def check_output(path: Path, runtime: Runtime, *, overwrite: bool) -> None:
    """Raise `UsageError` where `path` cannot be written, or would replace something unasked.

    With `overwrite` a file is replaced, and of folders one that is a SavedModel.
    """
    if runtime.suffix and path.suffix != runtime.suffix:
        raise UsageError(
            f"-o {path}: the name must end in {runtime.suffix}",
            hint=f"-o {path.with_suffix(runtime.suffix)}",
        )
    if not path.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {path.parent} to write {path.name} into")
    if not path.exists():
        return
    if not overwrite:
        raise UsageError(f"{path} exists already", hint="give another name by -o, or --overwrite")
    is_folder = runtime is Runtime.SAVED_MODEL
    if path.is_dir() != is_folder or (is_folder and not (path / "saved_model.pb").is_file()):
        what = "a folder that is no SavedModel" if path.is_dir() else "a file"
        raise UsageError(f"{path} is {what} and is not replaced", hint="give another name by -o")


def require_packages(runtime: Runtime) -> None:
    """Raise `UsageError`, with what to install, where the runtime's packages are missing."""
    missing = [name for name in runtime.packages if importlib.util.find_spec(name) is None]
    if missing:
        names = ", ".join(name.replace("_", "-") for name in missing)
        raise UsageError(
            f"--to {runtime} needs {names}, not installed here",
            hint=f"pip install 'eactf[{runtime}]'",
        )

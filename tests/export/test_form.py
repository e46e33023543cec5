"""What may be asked for, where it may be written, and what has to be installed."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from eactf.errors import UsageError
from eactf.export.form import ExportForm, Runtime, check_output, require_packages


def test_integers_are_for_tflite_alone():
    with pytest.raises(UsageError, match="--int8 is for TFLite; received --to onnx"):
        ExportForm(Runtime.ONNX, int8=True)


@pytest.mark.parametrize(
    "form, name",
    [
        (ExportForm(Runtime.ONNX), "model.onnx"),
        (ExportForm(Runtime.TFLITE), "model.tflite"),
        (ExportForm(Runtime.TFLITE, int8=True), "model-int8.tflite"),
        (ExportForm(Runtime.SAVED_MODEL), "model.savedmodel"),
    ],
)
def test_without_a_name_the_file_stands_beside_the_classifier(form, name):
    assert form.beside(Path("runs/a/model.keras")) == Path("runs/a") / name


def test_what_is_there_is_replaced_only_when_asked(tmp_path):
    path = tmp_path / "m.onnx"
    check_output(path, Runtime.ONNX, overwrite=False)
    path.write_text("old")
    with pytest.raises(UsageError, match="exists already"):
        check_output(path, Runtime.ONNX, overwrite=False)
    check_output(path, Runtime.ONNX, overwrite=True)


def test_a_folder_is_replaced_only_if_it_is_a_saved_model(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(UsageError, match="no SavedModel and is not replaced"):
        check_output(tmp_path / "photos", Runtime.SAVED_MODEL, overwrite=True)
    (tmp_path / "photos" / "saved_model.pb").touch()
    check_output(tmp_path / "photos", Runtime.SAVED_MODEL, overwrite=True)
    (tmp_path / "m.tflite").mkdir()
    with pytest.raises(UsageError, match="is not replaced"):
        check_output(tmp_path / "m.tflite", Runtime.TFLITE, overwrite=True)


@pytest.mark.parametrize("name", ["m.tflite", "m", "nowhere/m.onnx"])
def test_other_names_and_folders_that_are_not_there_are_refused(tmp_path, name):
    with pytest.raises(UsageError):
        check_output(tmp_path / name, Runtime.ONNX, overwrite=False)


@pytest.mark.parametrize(
    "runtime, module, told",
    [
        (Runtime.ONNX, "onnxruntime", r"pip install 'eactf\[onnx\]'"),
        (Runtime.ONNX, "tf2onnx", r"pip install 'eactf\[onnx\]'"),
        (Runtime.TFLITE, "ai_edge_litert", r"pip install 'eactf\[tflite\]'"),
    ],
)
def test_a_missing_package_is_named_with_what_installs_it(monkeypatch, runtime, module, told):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=told) as failure:
        require_packages(runtime)
    assert module.replace("_", "-") in failure.value.message


def test_a_saved_model_needs_nothing_more():
    require_packages(Runtime.SAVED_MODEL)


@pytest.mark.parametrize("runtime", [kind for kind in Runtime if kind.packages])
def test_what_a_hint_installs_is_declared_and_brings_every_package(runtime):
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    extras = tomllib.loads(project.read_text())["project"]["optional-dependencies"]
    named = {need.partition(">")[0].replace("-", "_") for need in extras[runtime.value]}
    assert named == set(runtime.packages)

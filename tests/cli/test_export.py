"""`eactf export`: what it writes, prints and refuses."""

from __future__ import annotations

import json
import shutil
import sys

import keras
import numpy as np
import pytest
from keras import layers

from eactf.faces import EXPRESSIONS, draw_faces


@pytest.fixture(scope="module")
def run(trained, tmp_path_factory):
    """A copy of the trained run, to write beside its classifier."""
    folder = tmp_path_factory.mktemp("export") / "run"
    return shutil.copytree(trained[1], folder, ignore=shutil.ignore_patterns("checkpoints"))


@pytest.fixture
def alone(tiny_classifier, tmp_path):
    """A classifier file without anything that says what data it is for."""
    tiny_classifier(size=16).save(tmp_path / "model.keras")
    return tmp_path / "model.keras"


def exported(result):
    assert result.exit_code == 0, result.output
    return next(
        event
        for event in map(json.loads, result.stdout.splitlines())
        if event["event"] == "exported"
    )


def test_an_onnx_file_stands_beside_the_classifier_and_runs(invoke, run):
    onnxruntime = pytest.importorskip("onnxruntime")
    result = invoke("export", run, "--to", "onnx", "--maps")
    assert result.exit_code == 0, result.output
    path = run / "model.onnx"
    assert f"{path}, " in result.stdout
    assert "30 images of test of drawn faces" in result.stdout
    assert "the same class for all" in result.stdout and "accuracy" in result.stdout
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    faces = draw_faces(5, size=32, seed=8)[0].astype("float32")
    probabilities, maps = session.run(["probabilities", "maps"], {"images": faces})
    model = keras.models.load_model(run / "model.keras")
    logits = np.asarray(model.predict_on_batch(faces))
    np.testing.assert_allclose(probabilities, keras.ops.softmax(logits), atol=1e-5)
    assert maps.shape == (5, 4, 4, len(EXPRESSIONS))
    before = path.read_bytes()
    again = invoke("export", run, "--to", "onnx")
    assert again.exit_code == 2 and "--overwrite" in again.stderr
    assert path.read_bytes() == before


def test_integers_are_told_with_what_they_cost(invoke, run, tmp_path):
    pytest.importorskip("ai_edge_litert")
    path = tmp_path / "small.tflite"
    told = exported(invoke("export", run, "--to", "tflite", "--int8", "-o", path, "--json"))
    assert told["path"] == str(path) and told["bytes"] == path.stat().st_size
    assert told["images"] == 30 and 0 <= told["same_class"] <= 30
    assert told["accuracy"] == pytest.approx(
        told["keras_accuracy"] + (told["gained"] - told["lost"]) / 30
    )
    assert told["facts"]["quantization"] == {"type": "int8", "calibration_images": 60}
    assert 0 < told["largest_difference"]["probabilities"] < 0.2


def test_a_saved_model_is_replaced_whole_when_asked(invoke, alone, tmp_path):
    path = tmp_path / "served"
    flags = ("--to", "savedmodel", "-o", path)
    assert exported(invoke("export", alone, *flags, "--json"))["largest_difference"]
    (path / "mark").touch()
    assert invoke("export", alone, *flags).exit_code == 2
    assert (path / "mark").is_file()
    told = exported(invoke("export", alone, *flags, "--logits", "--overwrite", "--json"))
    assert list(told["facts"]["outputs"]) == ["logits"]
    assert (path / "saved_model.pb").is_file() and not (path / "mark").exists()
    assert {file.name for file in tmp_path.iterdir()} == {"model.keras", "served"}


def test_a_missing_package_is_told_before_anything_else(invoke, alone, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    result = invoke("export", alone, "--to", "tflite")
    assert result.exit_code == 2
    assert "pip install 'eactf[tflite]'" in result.stderr


def test_integers_without_real_images_are_refused(invoke, alone):
    pytest.importorskip("ai_edge_litert")
    result = invoke("export", alone, "--to", "tflite", "--int8")
    assert result.exit_code == 2
    assert "--calibration" in result.stderr


def test_calibration_without_integers_is_refused(invoke, alone, tmp_path):
    result = invoke("export", alone, "--to", "savedmodel", "--calibration", tmp_path)
    assert result.exit_code == 2
    assert "--int8" in result.stderr


def test_a_file_that_computes_something_else_is_not_kept(invoke, alone, monkeypatch):
    def wrong(path, batches):
        return [{"probabilities": np.ones((len(batch), 3), "float32")} for batch in batches]

    monkeypatch.setitem(sys.modules["eactf.export.exporting"]._RUNS, "savedmodel", wrong)
    result = invoke("export", alone, "--to", "savedmodel")
    assert result.exit_code == 1
    assert "does not compute what Keras computes" in result.stderr
    assert [file.name for file in alone.parent.iterdir()] == ["model.keras"]


def test_without_data_the_drawn_faces_are_told(invoke, alone):
    result = invoke("export", alone, "--to", "savedmodel")
    assert result.exit_code == 0, result.output
    assert "64 drawn faces" in result.stdout and "--data" in result.stderr


def test_a_model_of_several_outputs_that_does_not_say_which_is_the_class_is_refused(
    invoke, tmp_path
):
    inputs = keras.Input((8, 8, 1))
    pooled = layers.GlobalAveragePooling2D()(inputs)
    outputs = {"class": layers.Dense(3)(pooled), "affect": layers.Dense(2)(pooled)}
    keras.Model(inputs, outputs).save(tmp_path / "encoder.keras")
    result = invoke("export", tmp_path / "encoder.keras", "--to", "savedmodel")
    assert result.exit_code == 5
    assert "does not say which the class is" in result.stderr

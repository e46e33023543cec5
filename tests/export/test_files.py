"""Each kind of file in its own runtime: outputs by name, any number of images, facts inside."""

from __future__ import annotations

import gc
import json
import re
import shutil
import warnings
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from tiny_classifiers import make_tiny_classifier

from eactf.export.facts import FACTS, facts_of
from eactf.export.form import ExportForm, Runtime
from eactf.export.onnx_file import run_onnx, write_onnx
from eactf.export.saved_model import EXTRA, run_saved_model, write_saved_model
from eactf.export.served import serve
from eactf.export.tflite_file import LABELS, run_tflite, write_tflite

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "export.md"


@pytest.fixture(scope="module")
def onnx_file(everything, tmp_path_factory):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    path = tmp_path_factory.mktemp("onnx") / "m.onnx"
    write_onnx(path, everything[0].model, everything[1])
    return path


@pytest.fixture(scope="module")
def tflite_file(everything, tmp_path_factory):
    pytest.importorskip("ai_edge_litert")
    path = tmp_path_factory.mktemp("tflite") / "m.tflite"
    write_tflite(path, everything[0].model, everything[1], None)
    return path


@pytest.fixture(scope="module")
def int8_file(stored, images, tmp_path_factory):
    pytest.importorskip("ai_edge_litert")
    form = ExportForm(Runtime.TFLITE, maps=True, int8=True)
    served = serve(stored, form)
    path = tmp_path_factory.mktemp("int8") / "m.tflite"
    darker = images // 2  # a range of its own, which the file must not take for its pixels'
    write_tflite(path, served.model, facts_of(stored, served, form, len(images)), darker)
    return path


@pytest.fixture(scope="module")
def saved_model(everything, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "m"
    write_saved_model(path, everything[0].model, everything[1])
    return path


def assert_same(everything, images, run, path):
    """One image, then all, as Keras has them."""
    images = images.astype("float32")
    batches = [images[:1], images]
    for batch, found in zip(batches, run(path, batches), strict=True):
        expected = everything[0].expected(batch)
        assert set(found) == set(expected)
        for name, values in expected.items():
            assert found[name].dtype == np.float32
            np.testing.assert_allclose(found[name], values, atol=1e-5, err_msg=name)


def test_onnx_runtime_gives_what_keras_gives(everything, images, onnx_file):
    assert_same(everything, images, run_onnx, onnx_file)


def test_litert_gives_what_keras_gives(everything, images, tflite_file):
    assert_same(everything, images, run_tflite, tflite_file)


def test_a_saved_model_gives_what_keras_gives(everything, images, saved_model):
    assert_same(everything, images, run_saved_model, saved_model)


def test_an_onnx_file_names_what_it_takes_and_gives(onnx_file):
    import onnxruntime

    session = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    assert (taken.name, taken.shape) == ("images", ["batch", 6, 6, 1])
    given = {output.name: output.shape for output in session.get_outputs()}
    assert given == {"probabilities": ["batch", 3], "maps": ["batch", 4, 4, 3]}
    assert next(iter(given)) == "probabilities"


def test_an_onnx_file_has_the_facts_in_its_metadata(everything, onnx_file):
    import onnxruntime

    session = onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    facts = json.loads(session.get_modelmeta().custom_metadata_map[FACTS])
    assert facts == everything[1]
    assert facts["class_names"] == ["left", "right", "both"]
    assert facts["preprocessing"]["mean"] == [100.0]


def test_a_tflite_file_has_facts_and_labels_behind_the_network(everything, tflite_file):
    with zipfile.ZipFile(tflite_file) as archive:
        assert json.loads(archive.read(FACTS)) == everything[1]
        assert archive.read(LABELS).decode() == "left\nright\nboth\n"


def test_a_saved_model_has_the_facts_among_its_extra_files(everything, saved_model):
    assert json.loads((saved_model / EXTRA / FACTS).read_text()) == everything[1]


def test_integers_take_pixels_as_they_are_and_come_near(stored, images, int8_file):
    from ai_edge_litert.interpreter import Interpreter

    taken = Interpreter(str(int8_file)).get_input_details()[0]
    assert (taken["dtype"], taken["quantization"]) == (np.uint8, (1.0, 0))
    one, found = run_tflite(int8_file, [images[:1], images // 2])
    assert one["probabilities"].shape == (1, 3)
    expected = serve(stored, ExportForm(Runtime.TFLITE, maps=True)).expected(images // 2)
    assert np.abs(found["probabilities"] - expected["probabilities"]).max() < 0.05
    spread = np.abs(expected["maps"]).max()
    assert 0 < np.abs(found["maps"] - expected["maps"]).max() < 0.05 * spread


def test_integers_make_a_file_say_so(int8_file, images):
    with zipfile.ZipFile(int8_file) as archive:
        facts = json.loads(archive.read(FACTS))
    assert facts["input"]["dtype"] == "uint8"
    assert facts["quantization"] == {"type": "int8", "calibration_images": len(images)}


def test_constants_that_became_inputs_are_refused(everything, tmp_path):
    pytest.importorskip("onnxruntime")
    plain = make_tiny_classifier()
    inputs = keras.Input((6, 6, 1), name="images")
    nested = keras.Model(inputs, {"probabilities": plain(inputs)})
    nested(np.zeros((1, 6, 6, 1), np.float32))
    with pytest.raises(ValueError, match="the file takes images, "):
        write_onnx(tmp_path / "m.onnx", nested, everything[1])


@pytest.mark.parametrize(
    "kind, name",
    [
        ("onnx_file", "model.onnx"),
        ("tflite_file", "model.tflite"),
        ("int8_file", "model.tflite"),
        ("saved_model", "model.savedmodel"),
    ],
)
def test_the_lines_of_the_documentation_run(
    kind, name, request, everything, images, tmp_path, monkeypatch, capsys
):
    made = request.getfixturevalue(kind)
    (shutil.copytree if made.is_dir() else shutil.copy)(made, tmp_path / name)
    Image.fromarray(images[3, ..., 0]).save(tmp_path / "face.png")
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    (lines,) = [block for block in blocks if name in block]
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # short lines leave closing to Python
        exec(compile(lines, str(DOCUMENT), "exec"), {})
        gc.collect()
    told, probability = capsys.readouterr().out.split()
    expected = everything[0].expected(images[3:4])["probabilities"][0]
    assert told == ["left", "right", "both"][expected.argmax()]
    assert float(probability) == pytest.approx(expected.max(), abs=0.05)

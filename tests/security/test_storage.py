"""Stored classifiers from strangers: what would run code or exhaust the machine is refused."""

from __future__ import annotations

import io
import json
import pickle
import zipfile

import numpy as np
import pytest

from eactf.errors import UnsafeFileError, UsageError

# Keras 3.15 reads its variables in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

CONVOLUTION, HEAD = "Conv2D", "Dense"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The members of a harmless classifier's file, and the file."""
    from eactf.quiet import start_tensorflow

    start_tensorflow()
    from eactf.evaluation.storage import save_classifier
    from eactf.nn.classifier import build_classifier

    path = tmp_path_factory.mktemp("good") / "model.keras"
    model = build_classifier("resnet10", image_size=32, channels=1, classes=3, width=4, seed=0)
    save_classifier(path, model, {"class_names": ["a", "b", "c"]})
    return path


@pytest.fixture
def opened():
    """Opens a classifier file; in a fixture because TensorFlow starts with the import."""
    from eactf.evaluation.storage import open_classifier_file

    return open_classifier_file


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path, content, **settings):
    with zipfile.ZipFile(path, "w", **settings) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def layer(graph, kind):
    return next(node for node in graph["config"]["layers"] if node["class_name"] == kind)


@pytest.fixture
def forged(good, tmp_path):
    """Writes the good file anew with its graph changed by a function."""

    def forge(change):
        content = members(good)
        graph = json.loads(content["config.json"])
        graph = change(graph) or graph
        content["config.json"] = json.dumps(graph).encode()
        return write(tmp_path / "forged.keras", content)

    return forge


def refused(opened, path, match=None):
    with pytest.raises(UnsafeFileError, match=match) as caught:
        opened(path)
    assert caught.value.exit_code == 5
    return str(caught.value)


def test_our_own_file_opens_with_its_class_names(good, opened):
    stored = opened(good)
    assert stored.class_names == ("a", "b", "c")
    shares = stored.probabilities(np.zeros((2, 32, 32, 1), np.uint8))
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)


def function(module, name):
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def built(module, name, config=None, **more):
    return {"module": module, "class_name": name, "config": config or {}, **more}


OBJECTS = {
    "os.system": function("os", "system"),
    "posix.system": function("posix", "system"),
    "builtins.eval": function("builtins", "eval"),
    "keras.utils.get_file": function("keras.utils", "get_file"),
    "keras.activations.get": function("keras.activations", "get"),
    "keras.activations.deserialize": function("keras.activations", "deserialize"),
    "keras.config.enable_unsafe_deserialization": function(
        "keras.config", "enable_unsafe_deserialization"
    ),
    "subprocess.Popen": built("subprocess", "Popen", {"args": "true"}),
    "lambda": {"class_name": "__lambda__", "config": {"value": "gASVAA=="}},
    "typespec": {"class_name": "__typespec__", "spec_name": "x", "module": "os", "config": []},
    "policy from elsewhere": built("keras_cv.models", "DTypePolicy", {"name": "float32"}),
    "numpy of objects": built(None, "__numpy__", {"value": [1], "dtype": "object"}),
    "numpy of a list of types": built(None, "__numpy__", {"value": [1], "dtype": ["f4"]}),
    "numpy of wide text": built(None, "__numpy__", {"value": ["a"] * 9, "dtype": "S1000000000"}),
    "function by another registered name": {
        **function("builtins", "relu"),
        "registered_name": "eactf>EAC",
    },
    "our own class by registered name": built(
        "keras.initializers", "Zeros", {"classes": 3}, registered_name="eactf>MacroRecall"
    ),
    "our own class by module": built("eactf.evaluation.macro_recall", "MacroRecall"),
    "keras internals": built("keras.src.layers.core.lambda_layer", "Lambda"),
    "a module for a list": built(["keras.initializers"], "Zeros"),
    "a list for a name": built("keras.initializers", ["Zeros"]),
}

PLACES = [
    (HEAD, "activation"),
    (HEAD, "kernel_initializer"),
    (HEAD, "bias_constraint"),
    (CONVOLUTION, "kernel_regularizer"),
    (CONVOLUTION, "name"),
    (HEAD, "dtype"),
    (HEAD, "quantization_config"),
    (HEAD, "a key that Keras does not know"),
]


@pytest.mark.parametrize("name", OBJECTS)
@pytest.mark.parametrize(("kind", "key"), PLACES[:3], ids=lambda value: str(value))
def test_objects_that_are_no_part_of_a_classifier_are_refused(opened, forged, name, kind, key):
    def change(graph):
        layer(graph, kind)["config"][key] = OBJECTS[name]

    refused(opened, forged(change), "not a known layer")


@pytest.mark.parametrize(("kind", "key"), PLACES, ids=lambda value: str(value))
def test_they_are_found_wherever_they_hide(opened, forged, kind, key):
    def change(graph):
        layer(graph, kind)["config"][key] = {"deeper": [[{"still": OBJECTS["os.system"]}]]}

    refused(opened, forged(change), "not a known layer")


def test_they_are_found_in_the_arguments_of_a_call(opened, forged):
    def change(graph):
        layer(graph, HEAD)["inbound_nodes"][0]["kwargs"]["training"] = OBJECTS["os.system"]

    refused(opened, forged(change), "not a known layer")


def test_they_are_found_beside_a_tensor(opened, forged):
    def change(graph):
        tensor = layer(graph, HEAD)["inbound_nodes"][0]["args"][0]
        tensor["config"]["shape"] = OBJECTS["os.system"]

    refused(opened, forged(change), "not a known layer")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("keras.layers", "Lambda"),
        ("keras.layers", "TFSMLayer"),
        ("keras.layers", "StringLookup"),
        ("keras.layers", "TorchModuleWrapper"),
        ("keras.src.layers.core.dense", "Dense"),
        ("keras_cv.layers", "Dense"),
        ("os", "Dense"),
        ("eactf.methods.eac", "EAC"),
    ],
)
def test_layers_that_are_not_listed_are_refused(opened, forged, module, name):
    def change(graph):
        layer(graph, HEAD).update(module=module, class_name=name)

    refused(opened, forged(change), f"{name}")


def test_a_layer_in_the_legacy_form_is_refused(opened, forged):
    refused(opened, forged(lambda graph: layer(graph, HEAD).pop("module") and None))


@pytest.mark.parametrize("name", ["os.system", "eactf>MacroRecall", "__import__"])
def test_an_activation_by_an_unknown_name_is_refused(opened, forged, name):
    def change(graph):
        layer(graph, HEAD)["config"]["activation"] = name

    refused(opened, forged(change), "activation")


def test_any_text_that_is_the_name_of_a_registered_class_is_refused(opened, forged):
    from eactf.evaluation import macro_recall

    assert macro_recall.MacroRecall

    def change(graph):
        layer(graph, HEAD)["config"]["kernel_regularizer"] = "eactf>MacroRecall"

    refused(opened, forged(change), "eactf>MacroRecall")


def test_how_a_model_was_compiled_is_never_brought_back(opened, forged):
    def change(graph):
        graph["compile_config"] = {"optimizer": OBJECTS["os.system"], "loss": "mse"}

    assert not opened(forged(change)).model.compiled


@pytest.mark.parametrize(
    "whole", [[], "text", 3, None, {}, {"class_name": "EAC"}, {"class_name": ["Functional"]}]
)
def test_a_graph_that_is_no_functional_model_is_refused(opened, forged, good, tmp_path, whole):
    content = {**members(good), "config.json": json.dumps(whole)}
    refused(opened, write(tmp_path / "odd.keras", content), "not a plain functional classifier")


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (HEAD, {"units": 2_000_000_000}),
        (HEAD, {"units": 900_000}),
        (CONVOLUTION, {"filters": 900_000}),
        (CONVOLUTION, {"kernel_size": [30_000, 30_000]}),
        (CONVOLUTION, {"kernel_size": [2_000_000, 1]}),
        ("InputLayer", {"batch_shape": [None, 100_000, 100_000, 1]}),
        ("ZeroPadding2D", {"padding": [[10**9, 0], [0, 0]]}),
        ("Normalization", {"axis": [1, 2, 3]}),
    ],
    ids=str,
)
def test_sizes_out_of_all_proportion_are_refused_before_memory_is_taken(
    opened, forged, kind, change
):
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(opened, forged(lambda graph: layer(graph, kind)["config"].update(change)))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 200 * 2**10  # kilobytes


def test_weights_that_are_not_numbers_are_refused(opened, good, tmp_path):
    import h5py

    content = members(good)
    weights = io.BytesIO(content["model.weights.h5"])
    with h5py.File(weights, "r+") as file:
        name = next(name for name in file["layers"] if "logits" in name or "dense" in name)
        file["layers"][name]["vars"]["1"][...] = np.nan
    content["model.weights.h5"] = weights.getvalue()
    refused(opened, write(tmp_path / "nan.keras", content), "not finite")


@pytest.mark.parametrize(
    "extra", ["../outside.txt", "/etc/outside", "assets/words.txt", "model.weights.h5/x", "a.pkl"]
)
def test_members_that_do_not_belong_are_refused(opened, good, tmp_path, extra):
    path = write(tmp_path / "extra.keras", {**members(good), extra: b"x"})
    refused(opened, path, "no archive of one Keras model")
    assert [entry.name for entry in tmp_path.iterdir()] == ["extra.keras"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_is_there_twice_is_refused(opened, good, tmp_path):
    path = tmp_path / "twice.keras"
    path.write_bytes(good.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("config.json", b"{}")
    refused(opened, path, "no archive of one Keras model")


@pytest.mark.parametrize("missing", ["config.json", "model.weights.h5"])
def test_an_archive_without_graph_or_weights_is_refused(opened, good, tmp_path, missing):
    content = {name: data for name, data in members(good).items() if name != missing}
    refused(opened, write(tmp_path / "half.keras", content), "no archive of one Keras model")


def test_weights_that_unpack_without_end_are_refused(opened, good, tmp_path):
    content = {**members(good), "model.weights.h5": bytes(2**26)}
    path = write(tmp_path / "bomb.keras", content, compression=zipfile.ZIP_DEFLATED)
    refused(opened, path, "unpack")


def test_a_graph_that_unpacks_without_end_is_refused(opened, good, tmp_path):
    content = {**members(good), "config.json": b" " * (2**25 + 1)}
    path = write(tmp_path / "bomb.keras", content, compression=zipfile.ZIP_DEFLATED)
    refused(opened, path, "larger than any")


@pytest.mark.parametrize(
    "graph",
    [b"{", b"\xff\xfe", b"[" * 100_000 + b"]" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"],
    ids=["cut", "not text", "deep", "long number"],
)
def test_a_graph_that_is_no_json_is_refused(opened, good, tmp_path, graph):
    refused(opened, write(tmp_path / "j.keras", {**members(good), "config.json": graph}))


def test_what_is_no_archive_is_refused(opened, good, tmp_path):
    whole = good.read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    for name, content in {
        "pickle": pickle.dumps({"weights": [1, 2]}),
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(100),
        "damaged": bytes(damaged),
    }.items():
        path = tmp_path / f"{name}.keras"
        path.write_bytes(content)
        refused(opened, path)


def test_another_ending_is_refused_and_a_missing_file_is_a_usage_error(opened, good, tmp_path):
    path = tmp_path / "model.zip"
    path.write_bytes(good.read_bytes())
    refused(opened, path, "does not end in .keras")
    with pytest.raises(UsageError):
        opened(tmp_path / "nothing.keras")


def test_class_names_cannot_steer_the_terminal(opened, good, tmp_path):
    facts = json.dumps({"class_names": ["\x1b[2J", "b", "c"]})
    path = write(tmp_path / "names.keras", {**members(good), "eactf.json": facts})
    assert opened(path).class_names == ("?[2J", "b", "c")


@pytest.mark.parametrize("facts", [b"[]", b'{"class_names": ["a"]}', b'{"class_names": 3}', b"{}"])
def test_facts_that_do_not_fit_leave_numbered_classes(opened, good, tmp_path, facts):
    path = write(tmp_path / "facts.keras", {**members(good), "eactf.json": facts})
    assert opened(path).class_names == ("class 0", "class 1", "class 2")
    assert opened(path).named_classes is None


def foreign(head, size=32):
    """MobileNetV2 with a head, by Keras alone, compiled as people do."""
    import keras

    base = keras.applications.MobileNetV2(
        input_shape=(size, size, 3), weights=None, include_top=False, alpha=0.35
    )
    x = keras.layers.GlobalAveragePooling2D()(base.output)
    model = keras.Model(base.input, head(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_a_compiled_classifier_from_plain_keras_opens_and_predicts_the_same(opened, tmp_path):
    import keras

    model = foreign(keras.layers.Dense(3, activation="softmax"))
    model.save(tmp_path / "foreign.keras")
    stored = opened(tmp_path / "foreign.keras")
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("float32")
    # The model gives probabilities already; they are not put through a softmax again.
    expected = np.asarray(model(images, training=False))
    np.testing.assert_allclose(stored.probabilities(images), expected, atol=1e-5)


def test_a_sequential_classifier_around_another_one_opens(opened, tmp_path, tiny_classifier):
    import keras

    inner = tiny_classifier(size=8)
    keras.Sequential([keras.Input((8, 8, 1)), inner]).save(tmp_path / "s.keras")
    assert opened(tmp_path / "s.keras").classes == 3


def test_a_classifier_in_bfloat16_opens(opened, tmp_path, tiny_classifier):
    tiny_classifier(size=8, dtype="mixed_bfloat16").save(tmp_path / "b.keras")
    assert opened(tmp_path / "b.keras").classes == 3


@pytest.mark.parametrize("scale", [None, 8.0])
def test_a_classifier_of_features_of_unit_length_opens(opened, tmp_path, tiny_classifier, scale):
    from eactf.evaluation.storage import save_classifier
    from eactf.nn.normalized_head import normalized_head

    model = normalized_head(tiny_classifier(size=8), scale=scale).classifier
    save_classifier(tmp_path / "unit.keras", model, {})
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1)).astype("float32")
    logits = np.asarray(model(images, training=False), np.float64)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = opened(tmp_path / "unit.keras").probabilities(images)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_models_that_classify_no_images_are_refused_with_their_shapes(opened, tmp_path):
    import keras

    flat = keras.Input((5,))
    keras.Model(flat, keras.layers.Dense(3)(flat)).save(tmp_path / "flat.keras")
    refused(opened, tmp_path / "flat.keras", "takes")
    image = keras.Input((8, 8, 1))
    keras.Model(image, keras.layers.Conv2D(3, 3)(image)).save(tmp_path / "maps.keras")
    refused(opened, tmp_path / "maps.keras", "gives")
    wide = keras.Input((8, 9, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(wide)
    keras.Model(wide, keras.layers.Dense(3)(pooled)).save(tmp_path / "wide.keras")
    refused(opened, tmp_path / "wide.keras", "square")


def test_a_keras_cv_backbone_is_saved_as_plain_keras_and_opens(opened, tmp_path):
    pytest.importorskip("keras_cv", reason="the extra keras-cv is not installed")
    from eactf.nn.classifier import build_classifier

    model = build_classifier("keras_cv:ResNet18", image_size=32, channels=3, classes=3)
    model.save(tmp_path / "cv.keras")
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("float32")
    again = opened(tmp_path / "cv.keras").model
    np.testing.assert_allclose(
        again.predict_on_batch(images), model.predict_on_batch(images), atol=1e-5
    )


@pytest.mark.parametrize("name", ["MobileNetV3Small", "ConvNeXtTiny"])
def test_what_a_backbone_of_keras_applications_is_made_of_may_be_opened(opened, tmp_path, name):
    from eactf.nn.classifier import build_classifier

    model = build_classifier(f"keras_applications:{name}", image_size=64, classes=3)
    model.save(tmp_path / "own.keras")
    assert opened(tmp_path / "own.keras").classes == 3


@pytest.fixture
def encoder_file(tmp_path):
    """Writes an encoder of several outputs, with what it says of itself."""
    from eactf.evaluation.storage import save_classifier
    from eactf.nn.adversarial import encoder

    def write_encoder(**facts):
        path = tmp_path / "encoder.keras"
        model = encoder(32, {"expression": 3, "affect": 2}, width=1 / 32, seed=0)
        save_classifier(path, model, facts)
        return path

    return write_encoder


def test_an_encoder_opens_as_a_classifier_with_numbers_beside(encoder_file, opened):
    stored = opened(encoder_file(label="expression", values={"affect": ["valence", "arousal"]}))
    assert stored.classes == 3
    found = stored.classify(np.zeros((2, 32, 32, 3), np.uint8))
    assert found[0].probabilities.sum() == pytest.approx(1.0)
    assert set(found[0].values) == {"valence", "arousal"}


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"label": "age", "values": {}},
        {"label": ["expression"], "values": {}},
        {"label": "expression", "values": []},
        {"label": "expression", "values": {"pain": ["pain"]}},
        {"label": "expression", "values": {"affect": ["valence"]}},
        {"label": "expression", "values": {"affect": ["valence", 2]}},
        {"label": "expression", "values": {"affect": ["valence", "valence"]}},
    ],
)
def test_an_encoder_that_does_not_say_what_its_outputs_are_is_refused(encoder_file, opened, facts):
    refused(opened, encoder_file(**facts))

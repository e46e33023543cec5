"""The model that goes into a file computes what the classifier does, by layers that convert."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from tiny_classifiers import make_faces, make_tiny_classifier

from eactf.errors import UsageError
from eactf.evaluation.storage import StoredClassifier
from eactf.export.facts import facts_of
from eactf.export.form import ExportForm, Runtime
from eactf.export.served import serve
from eactf.losses import class_activation_maps
from eactf.methods.pair import summed
from eactf.nn import open_classifier
from eactf.nn.normalized_head import normalized_head


def outputs(served, images):
    return {name: np.asarray(value) for name, value in served.model(images).items()}


def of_model(model, path=Path("nowhere/model.keras")):
    return StoredClassifier(model, path, {})


def form(**settings):
    return ExportForm(Runtime.ONNX, **settings)


def layers_of(model):
    return list(model._flatten_layers())


def test_probabilities_are_those_of_the_stored_classifier(stored, images):
    served = serve(stored, form())
    assert served.shapes == {"probabilities": (None, 3)}
    expected = stored.probabilities(images)
    found = outputs(served, images)["probabilities"]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(served.expected(images)["probabilities"], expected, atol=1e-6)


def test_the_mean_of_a_map_is_the_logit_less_its_bias(stored, images):
    served = serve(stored, form(logits=True, maps=True))
    assert served.shapes == {"logits": (None, 3), "maps": (None, 4, 4, 3)}
    found = outputs(served, images)
    bias = np.asarray(open_classifier(stored.model).head.bias)
    np.testing.assert_allclose(found["maps"].mean(axis=(1, 2)), found["logits"] - bias, atol=1e-5)


def test_the_maps_are_class_activation_maps(stored, images):
    served = serve(stored, form(maps=True))
    opened = open_classifier(stored.model)
    maps = class_activation_maps(opened.network(images)[0], opened.head.kernel)
    np.testing.assert_allclose(outputs(served, images)["maps"], maps, atol=1e-5)
    np.testing.assert_allclose(served.expected(images)["maps"], maps, atol=1e-5)


def test_normalisation_is_rescaling_and_told(stored):
    served = serve(stored, form())
    assert not any(isinstance(layer, layers.Normalization) for layer in layers_of(served.model))
    np.testing.assert_allclose((served.mean, served.std), ([100], [50]))


def test_normalisation_within_a_network_of_networks_is_found(images):
    one = make_tiny_classifier()
    two = make_tiny_classifier(filters=3)
    served = serve(of_model(summed((one, two))), form())
    np.testing.assert_allclose(served.mean, [100])
    expected = served.expected(images)["probabilities"]
    np.testing.assert_allclose(outputs(served, images)["probabilities"], expected, atol=1e-6)


def test_maps_of_two_networks_are_refused_with_the_way_out(tmp_path):
    pair = summed((make_tiny_classifier(), make_tiny_classifier()))
    with pytest.raises(UsageError, match="no class activation maps") as failure:
        serve(of_model(pair, tmp_path / "model.keras"), form(maps=True))
    assert failure.value.hint == "leave --maps out"
    (tmp_path / "network-1.keras").touch()
    with pytest.raises(UsageError, match=r"network-1\.keras --to onnx --maps"):
        serve(of_model(pair, tmp_path / "model.keras"), form(maps=True))


def test_a_head_that_sees_directions_is_served_without_maps(images):
    model = normalized_head(make_tiny_classifier(), scale=4.0, seed=1).classifier
    served = serve(of_model(model), form(logits=True))
    expected = model(images, training=False)
    np.testing.assert_allclose(outputs(served, images)["logits"], expected, atol=1e-5)
    with pytest.raises(UsageError, match=r"no class activation maps: .* stands 'scale'"):
        serve(of_model(model), form(maps=True))


def test_a_classifier_that_ends_in_softmax_gives_probabilities_and_no_logits(images):
    plain = make_tiny_classifier()
    model = keras.Model(plain.input, layers.Softmax()(plain.output))
    served = serve(of_model(model), form())
    found = outputs(served, images)["probabilities"]
    np.testing.assert_allclose(found, model(images, training=False), atol=1e-6)
    with pytest.raises(UsageError, match="no logits"):
        serve(of_model(model), form(logits=True))


def test_low_precision_is_served_in_float32():
    low = make_tiny_classifier(dtype="mixed_bfloat16")
    same = make_tiny_classifier()
    same.set_weights(low.get_weights())
    images = make_faces(5)[0]
    served = serve(of_model(low), form(logits=True, maps=True))
    assert {layer.compute_dtype for layer in layers_of(served.model)} == {"float32"}
    found = outputs(served, images)["logits"]
    np.testing.assert_allclose(found, same(images, training=False), atol=1e-5)
    assert low.layers[2].compute_dtype == "bfloat16"


def test_a_classifier_without_normalisation_says_so():
    inputs = keras.Input((6, 6, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3)(layers.Rescaling(1 / 255)(inputs)))
    served = serve(of_model(keras.Model(inputs, layers.Dense(2)(x))), form(maps=True))
    assert served.mean is None and served.std is None


def whole_encoder(head="affect"):
    inputs = keras.Input((6, 6, 1))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(inputs))
    outputs = {
        "expression": layers.Dense(3, name="expression")(pooled),
        head: layers.Dense(2, name="numbers")(pooled),
    }
    return keras.Model(inputs, outputs)


def encoder_file(folder, head="affect"):
    from eactf.evaluation.storage import open_classifier_file, save_classifier

    facts = {"label": "expression", "values": {head: ["valence", "arousal"]}}
    path = folder / "encoder.keras"
    save_classifier(path, whole_encoder(head), facts)
    return open_classifier_file(path)


def test_an_encoder_of_several_kinds_of_labels_gives_its_numbers_too(tmp_path, images):
    encoder = encoder_file(tmp_path)
    served = serve(encoder, form(maps=True))
    assert list(served.shapes) == ["probabilities", "maps", "affect"]
    found, whole = outputs(served, images), encoder.whole(images)
    np.testing.assert_allclose(found["affect"], whole["affect"], atol=1e-5)
    expected = keras.ops.softmax(whole["expression"])
    np.testing.assert_allclose(found["probabilities"], expected, atol=1e-6)
    np.testing.assert_allclose(served.expected(images)["affect"], whole["affect"], atol=1e-5)
    told = facts_of(encoder, served, form(maps=True), 0)["outputs"]["affect"]
    assert told["columns"] == ["valence", "arousal"] and told["shape"] == [None, 2]


def test_numbers_that_are_called_as_an_output_is_are_refused(tmp_path):
    with pytest.raises(UsageError, match="calls its numbers maps"):
        serve(encoder_file(tmp_path, "maps"), form())

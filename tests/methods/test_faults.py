"""Labels out of range are named, in graphs and without; images in 0..1 are told of once."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

import eactf
from eactf.methods.faults import require_labels
from eactf.nn.pixels import grey_level_layer


@pytest.mark.parametrize(
    "labels, told",
    [
        ([1, 2, 3], r"label 3 is out of range: .* 3 classes, .* 0 to 2\. 1 of 3 .*labels - 1"),
        ([0, 1, 3], r"label 3 is out of range.*from 0 without gaps.*classes=4"),
        ([0, 9, 3], r"label 9 is out of range.*2 of 3 labels.*classes=10"),
        ([-1, 1, 2], r"label -1 is out of range.*'not known': leave such images out"),
        ([0.0, 1.5, 2.0], r"label 1\.5 is out of range.*whole numbers"),
        ([0.0, float("nan"), 2.0], r"label nan is out of range.*whole numbers"),
        ([[7, 3, 0]], r"a row of the soft labels \(n, 3\) sums to 10: .*divide counts"),
        ([[1.0, 0, 0], [0, 0, float("nan")]], r"sums to nan"),
    ],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_a_label_out_of_range_is_named_with_the_usual_remedy(labels, told, compiled):
    from eactf.methods.faults import readable

    check = tf.function(require_labels) if compiled else require_labels
    step = readable(lambda given: check(given, 3))
    with pytest.raises(ValueError, match=told) as raised:
        step(tf.constant(labels))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "labels",
    [
        np.array([0, 2, 1]),
        np.array([0, 2, 1], "uint8"),
        np.array([0.0, 2.0]),
        np.array([[0.25, 0.5, 0.25]], "float32"),
        np.eye(3, dtype="int64"),
        np.zeros(0, "int64"),
    ],
    ids=lambda labels: f"{labels.dtype}-{labels.shape}",
)
def test_labels_in_range_pass_as_they_are(labels):
    np.testing.assert_array_equal(tf.function(require_labels)(labels, 3), labels)


def test_many_classes_do_not_overflow_a_small_type():
    np.testing.assert_array_equal(require_labels(np.array([0, 255], "uint8"), 300), [0, 255])


METHODS = {
    "eac": (eactf.EAC, {}),
    "attention-consistency": (eactf.AttentionConsistency, {}),
    "cross-entropy": (eactf.CrossEntropy, {}),
    "scn": (eactf.SCN, {"relabel_epoch": None}),
    "rul": (eactf.RUL, {"embedding": 4}),
    "dividemix": (eactf.DivideMix, {}),
    "two-networks": (eactf.TwoNetworks, {}),
    "co-teaching": (eactf.CoTeaching, {}),
}


@pytest.mark.parametrize("method, settings", METHODS.values(), ids=METHODS)
def test_every_method_names_the_label_in_a_graph_and_keeps_its_weights(
    tiny_classifier, faces, method, settings
):
    images, labels = faces(8)
    model = method(tiny_classifier(), **settings)
    model.compile(optimizer=eactf.optimizers.SGD(0.1))
    before = model.classifier.get_weights()
    for run in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=r"^label 3 is out of range.*labels - 1$"):
            run(images, labels % 3 + 1, batch_size=8, verbose=0)
    for one, other in zip(before, model.classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    if method is eactf.EAC:
        model.fit(images, labels, batch_size=8, verbose=0)  # and goes on with sound ones
        for run in (model.train_on_batch, model.test_on_batch):
            with pytest.raises(ValueError, match="label 3 is out of range"):
                run(images, labels % 3 + 1)


def test_several_devices_name_the_label_too(tiny_classifier, faces, two_devices):
    images, labels = faces(8)
    labels[6] = 7  # the second device's
    with two_devices.scope():
        model = eactf.EAC(tiny_classifier())
        model.compile(optimizer=eactf.optimizers.SGD(0.1))
    before = [v.numpy() for v in model.trainable_variables]
    for run in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=r"^label 7 is out of range"):
            run(images, labels, batch_size=8, verbose=0)
    for one, other in zip(before, [v.numpy() for v in model.trainable_variables], strict=True):
        np.testing.assert_array_equal(one, other)


def told_of(model, images, labels):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(images, labels, batch_size=4, epochs=2, verbose=0)
        model.evaluate(images, labels, verbose=0)
    return [str(w.message) for w in caught if "brightest pixel" in str(w.message)]


@pytest.mark.parametrize("devices", ["one", "two"])
def test_images_in_0_to_1_are_told_of_once(tiny_classifier, faces, request, devices):
    images, labels = faces(8)
    strategy = tf.distribute.get_strategy()
    if devices == "two":
        strategy = request.getfixturevalue("two_devices")
    for scale, count in ((1 / 255, 1), (1.0, 0)):
        with strategy.scope():
            model = eactf.CrossEntropy(tiny_classifier())
            model.compile(optimizer=eactf.optimizers.SGD(0.0))
        found = told_of(model, images * scale, labels)
        assert len(found) == count
        assert all("expects images in 0..255" in text and "mean of 100" in text for text in found)


def test_evaluation_alone_tells_of_them_too(tiny_classifier, faces):
    images, labels = faces(8)
    model = eactf.CrossEntropy(tiny_classifier())
    model.compile(optimizer=eactf.optimizers.SGD(0.0))
    with pytest.warns(UserWarning, match="brightest pixel of the first batch is 0.5"):
        model.evaluate(images / images.max() / 2, labels, verbose=0)


def with_first_layer(layer):
    inputs = keras.Input((6, 6, 1))
    maps = keras.layers.Conv2D(2, 3)(layer(inputs))
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    return keras.Model(inputs, keras.layers.Dense(3)(pooled))


@pytest.mark.parametrize(
    "layer, expected",
    [
        (keras.layers.Rescaling(1 / 255), "multiplies by 0.00392"),
        (keras.layers.Normalization(mean=127.5, variance=5000.0), "a mean of 127.5"),
        (keras.layers.Normalization(mean=0.5, variance=0.04), None),
        (keras.layers.Rescaling(2.0, offset=-1.0), None),
        (keras.layers.ReLU(), None),
    ],
)
def test_what_a_classifier_expects_is_read_off_its_first_layers(faces, layer, expected):
    classifier = with_first_layer(layer)
    found = grey_level_layer(classifier)
    assert found is None if expected is None else found.endswith(expected)


def test_black_images_are_nobodys_mistake(tiny_classifier):
    model = eactf.CrossEntropy(tiny_classifier())
    model.compile(optimizer=eactf.optimizers.SGD(0.0))
    assert told_of(model, np.zeros((4, 6, 6, 1), "uint8"), np.array([0, 1, 2, 0])) == []

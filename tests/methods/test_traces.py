"""What training shows of each sample: summed up by id, on any number of devices, in any form."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import eactf
from eactf.methods.traces import SampleTraces

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*:UserWarning"),
]

LOGITS = np.array([[2.0, 0.0, -1.0], [0.5, 1.5, 0.0], [0.0, 0.0, 3.0]], "float32")


def means_by_hand(logits, labels):
    """Loss, margin, agreement and probabilities of single showings, in NumPy."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    own = logits[rows, labels]
    others = logits.copy()
    others[rows, labels] = -np.inf
    margin = own - others.max(axis=1)
    return -np.log(probabilities[rows, labels]), margin, margin > 0, probabilities


@pytest.mark.parametrize("compiled", [False, True])
def test_the_means_are_those_of_all_showings(compiled):
    traces = SampleTraces(np.array([40, 7, 12]), 3)
    add = tf.function(traces.add) if compiled else traces.add
    labels = np.array([1, 1, 2])
    add(np.array([7, 40, 12]), labels, LOGITS)
    add(np.array([7, 7, 40]), labels, LOGITS[::-1].copy())
    found = traces.means()
    np.testing.assert_array_equal(found["ids"], [7, 12, 40])
    np.testing.assert_array_equal(found["seen"], [3, 1, 2])
    first = means_by_hand(LOGITS, labels)
    second = means_by_hand(LOGITS[::-1], labels)
    for name, one, two in zip(
        ("loss", "margin", "agreement", "probabilities"), first, second, strict=True
    ):
        by_id = [(one[0] + two[0] + two[1]) / 3.0, one[2], (one[1] + two[2]) / 2.0]
        np.testing.assert_allclose(found[name], by_id, rtol=1e-5, err_msg=name)


def test_soft_labels_count_as_their_largest_share():
    traces = SampleTraces(3, 3)
    traces.add(np.arange(3), np.eye(3, dtype="float32")[[1, 1, 2]] * 0.6 + 0.1, LOGITS)
    np.testing.assert_allclose(
        traces.means()["margin"], means_by_hand(LOGITS, [1, 1, 2])[1], rtol=1e-5
    )


def test_a_sample_that_is_not_followed_is_passed_and_one_never_shown_is_nan():
    traces = SampleTraces(np.array([5, 9]), 3)
    traces.add(np.array([5, 6, 5]), np.array([0, 0, 0]), LOGITS)
    found = traces.means()
    np.testing.assert_array_equal(found["seen"], [2, 0])
    assert np.isnan(found["loss"][1]) and np.isnan(found["probabilities"][1]).all()


def batches(images, labels, ids, size):
    return tf.data.Dataset.from_tensor_slices((images, labels, ids)).batch(size)


def followed(make, data, strategy=None):
    """The means after an epoch of a method that follows its 6 samples."""
    from contextlib import nullcontext

    with strategy.scope() if strategy else nullcontext():
        method = make()
        method.compile(optimizer=eactf.optimizers.SGD(0.05))
        method.follow(6)
    method.fit(data, epochs=2, verbose=0)
    return method.traces.means()


def test_two_devices_note_what_one_does(tiny_classifier, faces, two_devices):
    images, labels = faces(6)

    def make():
        return eactf.EAC(tiny_classifier(synchronized=True), seed=3)

    data = batches(images, labels, np.arange(6), 5)  # the last batch has one image, one device none
    alone, both = followed(make, data), followed(make, data, two_devices)
    np.testing.assert_array_equal(both["seen"], np.full(6, 2.0))
    for name, values in alone.items():
        np.testing.assert_allclose(both[name], values, rtol=2e-3, atol=2e-3, err_msg=name)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    "name", ["CrossEntropy", "RUL", "SCN", "CoTeaching", "AttentionConsistency"]
)
def test_every_method_notes_each_sample_once_an_epoch(tiny_classifier, faces, name):
    images, labels = faces(6)
    settings = {"SCN": {"ids": 6}, "CoTeaching": {"ids": 6}}.get(name, {})
    found = followed(
        lambda: getattr(eactf, name)(tiny_classifier(), **settings),
        batches(images, labels, np.arange(6), 3),
    )
    np.testing.assert_array_equal(found["seen"], np.full(6, 2.0))
    np.testing.assert_allclose(found["probabilities"].sum(axis=1), 1.0, rtol=1e-5)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("name", ["DivideMix", "TwoNetworks"])
def test_labels_that_were_set_aside_are_noted_too(tiny_classifier, faces, name):
    images, labels = faces(6)
    method = getattr(eactf, name)(tiny_classifier(), warm_up=1)
    method.compile(optimizer=eactf.optimizers.SGD(0.05))
    method.follow(6)
    method.fit(batches(images, labels, np.arange(6), 3), epochs=2, verbose=0)
    # In the warm-up by both networks, then at the end of each epoch by both together.
    np.testing.assert_array_equal(method.traces.means()["seen"], np.full(6, 4.0))


@pytest.mark.usefixtures("eagerly")
def test_evaluation_notes_nothing_and_the_state_keeps_what_was_noted(tiny_classifier, faces):
    images, labels = faces(6)
    data = batches(images, labels, np.arange(6), 3)

    def method():
        made = eactf.CrossEntropy(tiny_classifier())
        made.compile(optimizer=eactf.optimizers.SGD(0.05))
        made.follow(6)
        made.fit(data, verbose=0)
        return made

    one, two = method(), method()
    noted = {name: values.copy() for name, values in one.traces.means().items()}
    one.evaluate(data, verbose=0)
    np.testing.assert_array_equal(one.traces.means()["seen"], noted["seen"])
    two.fit(data, verbose=0)
    two.restore(one.state())
    for name, values in noted.items():
        np.testing.assert_array_equal(two.traces.means()[name], values, err_msg=name)


@pytest.mark.usefixtures("eagerly")
def test_a_state_from_before_samples_were_followed_is_taken(tiny_classifier, faces):
    images, labels = faces(6)
    method = eactf.CrossEntropy(tiny_classifier())
    method.compile(optimizer=eactf.optimizers.SGD(0.05))
    method.follow(6)
    method.fit(batches(images, labels, np.arange(6), 3), verbose=0)
    older = {k: v for k, v in method.state().items() if not k.startswith("traces/")}
    method.restore(older)
    with pytest.raises(ValueError, match="another method's"):
        method.restore({**older, "traces/0000": np.zeros((5, 7), "float32")})

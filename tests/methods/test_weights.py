"""Weights of samples and classes: where they may stand, what they may be, several devices."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import eactf
from eactf.methods.planned import PlannedMethod
from eactf.methods.weights import class_weights

WHOLE = eactf.Erasing(probability=0.0)
PLAIN = {"erasing": WHOLE, "flip_probability": 0.0}
WEIGHTS = np.array([0.5, 3.0, 0.0, 1.25, 2.0, 1.0, 7.0, 0.25], "float32")


def built(classifier, rate=0.25, **settings):
    model = eactf.CrossEntropy(classifier, **PLAIN)
    model.compile(optimizer=eactf.optimizers.SGD(rate), **settings)
    return model


def cross_entropies(logits, labels):
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -logs[np.arange(len(labels)), labels]


def test_weights_come_in_a_fourth_column_or_with_arrays(tiny_classifier, faces):
    images, labels = faces(8)
    data = tf.data.Dataset.from_tensor_slices((images, labels, np.arange(8), WEIGHTS)).batch(8)
    pairs = tf.data.Dataset.from_tensor_slices((images, labels, WEIGHTS)).batch(8)
    whole = np.array([1, 3, 0, 1, 2, 1, 7, 2])  # integers, which are ids in a third column
    ends = {}
    for name, run in {
        "none": lambda model: model.fit(images, labels, batch_size=8, shuffle=False, verbose=0),
        "column": lambda model: model.fit(data, verbose=0),
        "pairs": lambda model: model.fit(pairs, verbose=0),
        "arrays": lambda model: model.fit(
            images, labels, sample_weight=WEIGHTS, batch_size=8, shuffle=False, verbose=0
        ),
        "batch": lambda model: model.train_on_batch(images, labels, sample_weight=WEIGHTS),
        "integers": lambda model: model.fit(
            images, labels, sample_weight=whole, batch_size=8, shuffle=False, verbose=0
        ),
        "floats": lambda model: model.train_on_batch(images, labels, sample_weight=whole * 1.0),
    }.items():
        model = built(tiny_classifier(norm=False))
        run(model)
        ends[name] = np.concatenate([v.numpy().ravel() for v in model.trainable_variables])
    for name in ("pairs", "arrays", "batch"):
        np.testing.assert_allclose(ends[name], ends["column"], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(ends["integers"], ends["floats"], rtol=1e-6, atol=1e-7)
    assert np.abs(ends["column"] - ends["none"]).max() > 1e-3
    assert np.abs(ends["integers"] - ends["none"]).max() > 1e-3


def test_class_weights_hold_for_their_own_call(tiny_classifier, faces):
    images, labels = faces(8)
    data = tf.data.Dataset.from_tensor_slices((images, labels, np.arange(8))).batch(8)
    model = built(tiny_classifier(norm=False), rate=0.0)
    losses = cross_entropies(model.predict(images, verbose=0).astype("float64"), labels)
    for given in ({0: 4.0, 2: 0.5}, None, [1.0, 0.0, 2.0]):
        weights = np.array(class_weights(given, 3) or np.ones(3))[labels]
        logs = model.fit(data, class_weight=given, verbose=0).history
        assert logs["loss"][0] == pytest.approx((weights * losses).sum() / weights.sum(), rel=1e-5)
    told = model.train_on_batch(images, labels, class_weight={1: 9.0}, return_dict=True)
    weights = np.where(labels == 1, 9.0, 1.0)
    assert told["loss"] == pytest.approx((weights * losses).sum() / weights.sum(), rel=1e-5)


def test_a_soft_label_has_the_mean_of_its_classes_weights(tiny_classifier, faces):
    images, _ = faces(8)
    soft = np.random.default_rng(0).dirichlet(np.ones(3), 8).astype("float32")
    model = built(tiny_classifier(norm=False), rate=0.0)
    logits = model.predict(images, verbose=0).astype("float64")
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    weights = soft @ np.array([4.0, 1.0, 0.5])
    expected = (weights * -(soft * logs).sum(axis=1)).sum() / weights.sum()
    told = model.fit(images, soft, class_weight={0: 4.0, 2: 0.5}, verbose=0).history
    assert told["loss"][0] == pytest.approx(expected, rel=1e-5)


def test_the_loss_of_an_evaluation_is_the_weighted_mean_over_all_batches(tiny_classifier, faces):
    images, labels = faces(8)
    model = built(tiny_classifier(), weighted_metrics=["accuracy"])
    logits = model.predict(images, verbose=0).astype("float64")
    losses = cross_entropies(logits, labels)
    right = logits.argmax(axis=1) == labels
    told = model.evaluate(
        images, labels, sample_weight=WEIGHTS, batch_size=3, verbose=0, return_dict=True
    )
    assert told["loss"] == pytest.approx((WEIGHTS * losses).sum() / WEIGHTS.sum(), rel=1e-5)
    weighted = (WEIGHTS * right).sum() / WEIGHTS.sum()
    assert told["accuracy"] == pytest.approx(weighted, rel=1e-5)
    history = model.fit(
        images, labels, validation_data=(images, labels, WEIGHTS), batch_size=3, verbose=0
    ).history
    again = model.evaluate(images, labels, sample_weight=WEIGHTS, verbose=0, return_dict=True)
    assert history["val_loss"][0] == pytest.approx(again["loss"], rel=1e-5)


def test_a_batch_of_noughts_teaches_nothing(tiny_classifier, faces):
    images, labels = faces(4)
    model = built(tiny_classifier(norm=False))
    before = model.get_weights()[:4]
    told = model.train_on_batch(images, labels, sample_weight=np.zeros(4), return_dict=True)
    assert told["loss"] == 0.0
    for one, other in zip(before, model.get_weights()[:4], strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_weights_that_are_none_are_refused(tiny_classifier, faces, wrong):
    images, labels = faces(4)
    model = built(tiny_classifier())
    with pytest.raises(ValueError, match=rf"^sample weight {wrong:g}: expected numbers >= 0"):
        model.fit(images, labels, sample_weight=np.array([1, 2, wrong, 0.5]), verbose=0)


@pytest.mark.parametrize(
    "given, told",
    [
        ({3: 1.0}, "names class 3: the classifier has the classes 0 to 2"),
        ({"happy": 1.0}, "names class 'happy'"),
        ([1.0, 2.0], "one number for each of the 3 classes; received 2"),
        ({1: -1.0}, "class 1 must be a number >= 0"),
        ({1: float("nan")}, "class 1 must be a number >= 0"),
        ({1: "2"}, "class 1 must be a number >= 0"),
        ([0, 0, 0], "0 for every class"),
    ],
    ids=str,
)
def test_class_weights_that_make_no_sense_are_refused(tiny_classifier, faces, given, told):
    with pytest.raises(ValueError, match=told):
        built(tiny_classifier()).fit(*faces(4), class_weight=given, verbose=0)


def test_whole_numbers_behind_validation_labels_could_be_ids_and_are_refused(
    tiny_classifier, faces
):
    images, labels = faces(4)
    with pytest.raises(ValueError, match="leave ids out"):
        built(tiny_classifier()).fit(
            images, labels, validation_data=(images, labels, np.arange(4)), verbose=0
        )


METHODS = {
    "eac": (eactf.EAC, {"prior_adjustment": 1.0, "class_prior": (9, 1, 5)}),
    "eac-both": (eactf.EAC, {"consistency_weight": 2.0, "classify": "both"}),
    "attention-consistency": (eactf.AttentionConsistency, {"views": 4}),
    "cross-entropy": (eactf.CrossEntropy, {"generalized": 0.7}),
    "scn": (eactf.SCN, {"ids": np.arange(100, 132), "relabel_epoch": 1, "relabel_margin": 0.02}),
    "rul": (eactf.RUL, {"embedding": 4, "head_rate": 3.0}),
    "co-teaching": (eactf.CoTeaching, {"forget_rate": 0.4, "gradual": 0}),
    # Batches of 31 and 1, after the warm-up too: every label is kept.
    "two-networks": (eactf.TwoNetworks, {"least_of_each_class": 32}),
    "ada-cm": (
        eactf.AdaCM,
        {"labelled_per_class": 5, "steps_per_epoch": 2, "scale": 9.0, "strong_operations": 0},
    ),
}


@pytest.mark.parametrize("method, settings", METHODS.values(), ids=METHODS)
def test_two_devices_weigh_as_one(tiny_classifier, faces, two_devices, method, settings):
    """Batches of 16, 15 and 1; the halves' weights have other sums, one half has noughts alone."""
    images, labels = faces(32)
    weights = np.random.default_rng(1).uniform(0, 3, 32).astype("float32")
    weights[:8], weights[8:16] = 0.0, 10 * weights[8:16]
    columns = (images, labels, np.arange(100, 132), weights)
    even = tf.data.Dataset.from_tensor_slices(tuple(column[:31] for column in columns)).batch(16)
    single = tf.data.Dataset.from_tensor_slices(tuple(column[31:] for column in columns)).batch(16)
    data = even.concatenate(single)
    ends = []
    for strategy in (tf.distribute.get_strategy(), two_devices):
        with strategy.scope():
            model = method(tiny_classifier(synchronized=True), **settings)
            model.compile(
                optimizer=eactf.optimizers.SGD(0.05, momentum=0.9),
                weighted_metrics=[keras.metrics.SparseCategoricalAccuracy(name="right")],
            )
        before = [variable.numpy() for variable in model.trainable_variables]
        planned = {"batch_size": 31} if isinstance(model, PlannedMethod) else {}
        logs = model.fit(
            data, class_weight={0: 5.0, 1: 0.25}, shuffle=False, epochs=2, verbose=0, **planned
        ).history
        judged = model.evaluate(data, verbose=0, return_dict=True)
        moves = np.concatenate(
            [
                (variable.numpy() - start).ravel()
                for variable, start in zip(model.trainable_variables, before, strict=True)
            ]
        )
        numbers = {name: values[-1] for name, values in logs.items()} | {
            f"judged_{name}": value for name, value in judged.items()
        }
        ends.append((moves, numbers))
    (move, numbers), (other, others) = ends
    assert np.linalg.norm(other - move) <= 2e-5 * np.linalg.norm(move)
    assert np.linalg.norm(move) > 0.01
    for name, value in numbers.items():
        assert others[name] == pytest.approx(value, rel=2e-5, abs=1e-6), name

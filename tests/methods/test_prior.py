"""Logit adjustment: the pure function, what it leaves alone, from a recipe to the method."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import eactf
from eactf import losses

PRIOR = (90, 9, 1)
RNG = np.random.default_rng(0)


def test_the_logarithm_of_the_prior_is_added():
    logits = RNG.normal(size=(4, 3))
    for prior in (PRIOR, np.array(PRIOR) / 100, tf.constant(PRIOR)):
        for tau in (0.0, 1.0, 2.5):
            expected = logits + tau * np.log(np.array(PRIOR) / 100)
            found = losses.adjusted_logits(logits, prior, tau)
            assert found.dtype == "float32"
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    same = losses.adjusted_logits(logits.astype("float32"), PRIOR, 0.0)
    np.testing.assert_array_equal(same, logits.astype("float32"))


def test_a_class_without_images_is_as_rare_as_the_rarest_that_has_some():
    found = losses.adjusted_logits(np.zeros((1, 4)), [80, 0, 20, 0], 2.0)
    np.testing.assert_allclose(found, 2.0 * np.log([[0.8, 0.2, 0.2, 0.2]]), rtol=1e-6)


def test_where_all_classes_are_as_frequent_the_loss_is_cross_entropy():
    logits, labels = RNG.normal(size=(5, 4)), np.array([0, 3, 1, 2, 2])
    plain = losses.cross_entropy(logits, labels)
    for prior in ([7, 7, 7, 7], [0.25] * 4):
        adjusted = losses.cross_entropy(losses.adjusted_logits(logits, prior, 3.0), labels)
        np.testing.assert_allclose(adjusted, plain, rtol=1e-5)


def test_the_adjusted_loss_is_lowest_where_the_recalls_are_balanced():
    """Images that tell nothing: the best logits are equal, though one class has nine in ten."""
    labels = np.array([0] * 90 + [1] * 10)

    def loss(lead):
        logits = np.tile([lead, 0.0], (100, 1))
        return np.mean(losses.cross_entropy(losses.adjusted_logits(logits, [90, 10]), labels))

    assert loss(0.0) < min(loss(-0.1), loss(0.1))


@pytest.mark.parametrize(
    "prior, tau, told",
    [
        ([1, 2], 1.0, r"prior must be \(3,\)"),
        ([1, 2, -1], 1.0, "numbers >= 0, not all 0"),
        ([1, 2, float("nan")], 1.0, "numbers >= 0, not all 0"),
        ([0, 0, 0], 1.0, "numbers >= 0, not all 0"),
        (PRIOR, -1.0, "tau must be >= 0"),
    ],
)
def test_a_prior_that_is_none_is_refused(prior, tau, told):
    with pytest.raises(ValueError, match=told):
        losses.adjusted_logits(np.zeros((2, 3)), prior, tau)


def test_evaluation_metrics_and_the_classifier_have_the_logits_as_they_are(tiny_classifier, faces):
    images, labels = faces(12)
    told = []
    for settings in ({}, {"prior_adjustment": 4.0, "class_prior": PRIOR}):
        model = eactf.EAC(tiny_classifier(norm=False), erasing=eactf.Erasing(0.0), **settings)
        model.compile(optimizer=eactf.optimizers.SGD(0.0), metrics=["accuracy"], run_eagerly=True)
        logs = model.train_on_batch(images, labels, return_dict=True)
        told.append(
            {
                "predicted": model.predict(images, verbose=0),
                "kept": model.classifier.predict(images, verbose=0),
                "judged": list(model.evaluate(images, labels, verbose=0)),
                "accuracy": logs["accuracy"],
                "consistency": logs["consistency"],
                "loss": logs["loss"],
            }
        )
    assert told[0].pop("loss") != pytest.approx(told[1].pop("loss"), rel=0.05)
    for name, value in told[0].items():
        np.testing.assert_array_equal(value, told[1][name], err_msg=name)


def test_scn_changes_labels_by_the_probabilities_that_it_trains(tiny_classifier, faces):
    images, labels = faces(12)
    model = eactf.SCN(
        tiny_classifier(norm=False),
        ids=12,
        relabel_epoch=1,
        relabel_margin=0.05,
        erasing=eactf.Erasing(0.0),
        flip_probability=0.0,
        prior_adjustment=2.0,
        class_prior=PRIOR,
    )
    model.compile(optimizer=eactf.optimizers.SGD(0.0), run_eagerly=True)
    pooled, logits = (output.numpy() for output in model.heads_network(images))
    scaled = model.importance_of(pooled).numpy()[:, None] * logits
    scaled = scaled + 2.0 * np.log(np.array(PRIOR) / 100)
    chances = np.exp(scaled) / np.exp(scaled).sum(axis=1, keepdims=True)
    margins = chances.max(axis=1) - chances[np.arange(12), labels]
    data = tf.data.Dataset.from_tensor_slices((images, labels, np.arange(12))).batch(12)
    model.fit(data, verbose=0)
    changed = margins > 0.05
    assert 0 < changed.sum() < 12
    np.testing.assert_array_equal(model.ledger.ids, np.flatnonzero(changed))
    np.testing.assert_array_equal(model.ledger.new, chances.argmax(axis=1)[changed])


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
every_method = pytest.mark.parametrize("method, settings", METHODS.values(), ids=METHODS)


@every_method
def test_every_method_keeps_its_prior_and_refuses_one_that_does_not_fit(
    tiny_classifier, tmp_path, method, settings
):
    model = method(tiny_classifier(), prior_adjustment=0.5, class_prior=np.array(PRIOR), **settings)
    model.compile(optimizer=eactf.optimizers.SGD(0.1))
    model.save(tmp_path / "method.keras")
    again = keras.models.load_model(tmp_path / "method.keras")
    assert (again.prior_adjustment, again.class_prior) == (0.5, (90.0, 9.0, 1.0))
    for wrong, told in (
        ({"prior_adjustment": 1.0}, r"prior_adjustment = 1 needs class_prior.*np\.bincount"),
        ({"prior_adjustment": -1.0}, "prior_adjustment must be >= 0"),
        ({"prior_adjustment": float("nan")}, "prior_adjustment must be >= 0"),
        ({"class_prior": (1, 2)}, "each of the 3 classes, not all 0; received 2 numbers"),
        ({"class_prior": (0, 0, 0)}, "not all 0; received 3 numbers, 0 in all"),
        ({"class_prior": (1, 2, -1)}, "class_prior must be of numbers >= 0; received -1"),
    ):
        with pytest.raises(ValueError, match=told):
            method(tiny_classifier(), **wrong, **settings)

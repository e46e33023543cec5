"""SCN: its step against NumPy, when and what it relabels, the ledger, what is remembered."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import eactf

RATE = 0.25


def built(classifier, **settings):
    plain = {"erase_probability": 0.0, "flip_probability": 0.0}
    model = eactf.SCN(classifier, **{**plain, **settings})
    model.compile(optimizer=eactf.optimizers.SGD(RATE), metrics=["accuracy"])
    return model


def as_data(images, labels, ids, size=8):
    return tf.data.Dataset.from_tensor_slices((images, labels, ids)).batch(size)


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def forward(model, images):
    """Pooled features, importance, unscaled logits, in float64."""
    features = model.network(images)[0].numpy().mean(axis=(1, 2)).astype("float64")
    kernel, bias = (v.numpy().astype("float64") for v in model.head.trainable_variables)
    column, offset = (v.numpy().astype("float64") for v in model.importance_head.variables)
    importance = 1 / (1 + np.exp(-(features @ column + offset)))[:, 0]
    return features, importance, features @ kernel + bias


def objective(features, kernel, bias, column, offset, labels, ratio, margin):
    importance = 1 / (1 + np.exp(-(features @ column + offset)))[:, 0]
    logits = importance[:, None] * (features @ kernel + bias)
    own = softmax(logits)[np.arange(len(labels)), labels]
    ordered = np.sort(importance)[::-1]
    high = int(len(labels) * ratio)
    rank = max(0.0, ordered[high:].mean() - ordered[:high].mean() + margin)
    return -np.log(own).mean() + rank


def slope(function, array, step=1e-6):
    found = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        for sign in (1, -1):
            moved = array.copy()
            moved[place] += sign * step
            found[place] += sign * function(moved) / (2 * step)
    return found


def test_a_step_follows_the_gradient_of_scaled_cross_entropy_and_rank(tiny_classifier, faces):
    images, labels = faces(6)
    model = built(tiny_classifier(norm=False), relabel_epoch=None, rank_margin=0.4)
    features, importance, _ = forward(model, images)
    weights = [v.numpy().astype("float64") for v in model.head.trainable_variables]
    weights += [v.numpy().astype("float64") for v in model.importance_head.variables]

    def loss(place):
        def of(array):
            moved = [array if i == place else w for i, w in enumerate(weights)]
            return objective(features, *moved, labels, 0.7, 0.4)

        return of

    logs = model.train_step((tf.constant(images), tf.constant(labels)))

    assert float(logs["loss"]) == pytest.approx(loss(0)(weights[0]), rel=1e-5)
    assert float(logs["importance"]) == pytest.approx(importance.mean(), rel=1e-5)
    assert float(logs["rank"]) > 0
    after = [*model.head.trainable_variables, *model.importance_head.variables]
    for place, (weight, variable) in enumerate(zip(weights, after, strict=True)):
        moved = (weight - variable.numpy()) / RATE
        np.testing.assert_allclose(moved, slope(loss(place), weight), atol=2e-5)


def test_the_classifier_predicts_the_same_class_as_the_scaled_logits(tiny_classifier, faces):
    images, _ = faces(20)
    model = built(tiny_classifier(), relabel_epoch=None)
    _, importance, logits = forward(model, images)
    np.testing.assert_allclose(model.predict(images, verbose=0), logits, atol=1e-4)
    scores = model.sample_scores(tf.constant(images))
    np.testing.assert_allclose(scores["importance"], importance, rtol=1e-5)


def expected_changes(model, images, labels, margin, low=None):
    _, importance, logits = forward(model, images)
    probabilities = softmax(importance[:, None] * logits)
    own = probabilities[np.arange(len(labels)), labels]
    changes = probabilities.max(axis=1) - own > margin
    if low is not None:
        high = int(len(labels) * low)
        changes &= np.argsort(np.argsort(-importance)) >= high
    return changes, probabilities.argmax(axis=1), probabilities.max(axis=1) - own


@pytest.mark.parametrize("relabel", ["all", "low_importance"])
def test_labels_change_where_the_forward_pass_before_the_step_says_so(
    tiny_classifier, faces, relabel
):
    images, labels = faces(8)
    ids = np.array([900, 5, 77, 12, 4, 2**31 - 1, 0, 31])
    model = built(
        tiny_classifier(norm=False), ids=ids, relabel_epoch=1, relabel_margin=0.02, relabel=relabel
    )
    low = 0.7 if relabel == "low_importance" else None
    changes, best, margin = expected_changes(model, images, labels, 0.02, low)
    assert 0 < changes.sum() < 8
    model.fit(as_data(images, labels, ids), epochs=1, verbose=0)

    ledger = model.ledger
    order = np.argsort(ids[changes])
    np.testing.assert_array_equal(ledger.ids, ids[changes][order])
    np.testing.assert_array_equal(ledger.old, labels[changes][order])
    np.testing.assert_array_equal(ledger.new, best[changes][order])
    np.testing.assert_allclose(ledger.evidence, margin[changes][order], rtol=1e-4)
    assert set(ledger.epochs) == {1}
    replayed = ledger.replay(ids, labels)
    np.testing.assert_array_equal(replayed, np.where(changes, best, labels))
    np.testing.assert_array_equal(ledger.undo(ids, replayed), labels)


def test_nothing_changes_before_its_epoch_and_a_change_counts_from_the_next(tiny_classifier, faces):
    images, labels = faces(8)
    ids = np.arange(8)
    model = built(tiny_classifier(norm=False), ids=8, relabel_epoch=2, relabel_margin=0.0)
    data = as_data(images, labels, ids)
    model.fit(data, epochs=1, verbose=0)
    assert len(model.ledger) == 0
    _, importance, logits = forward(model, images)
    loss_as_given = -np.log(softmax(importance[:, None] * logits)[ids, labels]).mean()
    logs = model.fit(data, initial_epoch=1, epochs=2, verbose=0).history
    assert len(model.ledger) > 0
    # The epoch of the change still learns the old labels, the one after it the new ones.
    assert logs["cross_entropy"][0] == pytest.approx(loss_as_given, rel=1e-5)
    _, importance, logits = forward(model, images)
    new = model.ledger.replay(ids, labels)
    loss_as_changed = -np.log(softmax(importance[:, None] * logits)[ids, new]).mean()
    logs = model.fit(data, initial_epoch=2, epochs=3, verbose=0).history
    assert logs["cross_entropy"][0] == pytest.approx(loss_as_changed, rel=1e-5)


def test_a_batch_of_one_trains(tiny_classifier, faces):
    images, labels = faces(3)
    model = built(tiny_classifier(norm=False), ids=3, relabel_epoch=1)
    logs = model.fit(as_data(images, labels, np.arange(3), size=1), epochs=1, verbose=0).history
    assert np.isfinite(logs["loss"]).all()
    assert logs["rank"] == [pytest.approx(0.15)]


def test_an_id_that_the_method_was_not_told_of_is_named(tiny_classifier, faces):
    images, labels = faces(4)
    model = built(tiny_classifier(norm=False), ids=4)
    with pytest.raises(tf.errors.InvalidArgumentError, match="was not told of"):
        model.fit(as_data(images, labels, np.array([0, 1, 2, 9])), epochs=1, verbose=0)


def test_what_is_remembered_is_saved_with_the_weights(tiny_classifier, faces, tmp_path):
    images, labels = faces(8)
    ids = np.arange(100, 108)
    model = built(tiny_classifier(), ids=ids, relabel_epoch=1, relabel_margin=0.0)
    model.fit(as_data(images, labels, ids), epochs=1, verbose=0)
    model.save_weights(tmp_path / "scn.weights.h5")
    other = built(tiny_classifier(), ids=ids, relabel_epoch=1, relabel_margin=0.0)
    other.load_weights(tmp_path / "scn.weights.h5")
    for name, column in model.memory.table("label", "margin").items():
        np.testing.assert_array_equal(other.memory.table("label", "margin")[name], column)


def test_a_method_saved_whole_opens_with_its_memory(tiny_classifier, faces, tmp_path):
    images, labels = faces(8)
    model = built(tiny_classifier(), ids=np.arange(3, 11), relabel_epoch=1, relabel_margin=0.0)
    model.fit(as_data(images, labels, np.arange(3, 11)), epochs=1, verbose=0)
    model.save(tmp_path / "scn.keras")
    again = keras.models.load_model(tmp_path / "scn.keras")
    np.testing.assert_array_equal(
        again.memory.table("label")["label"], model.memory.table("label")["label"]
    )
    np.testing.assert_array_equal(again.memory.table()["id"], np.arange(3, 11))
    np.testing.assert_allclose(again.predict(images, verbose=0), model.predict(images, verbose=0))


@pytest.mark.parametrize(
    "settings, message",
    [
        ({}, "SCN changes labels by id: give ids="),
        ({"ids": 4, "ratio": 1.0}, "ratio must be between 0 and 1"),
        ({"ids": 4, "rank_margin": -1.0}, "rank_margin must be >= 0"),
        ({"ids": 4, "relabel": "some"}, "relabel must be"),
        ({"ids": 4, "relabel_margin": 1.0}, "relabel_margin must be in"),
        ({"ids": 4, "relabel_epoch": 0}, "relabel_epoch counts from 1"),
        ({"ids": [1, 1]}, "ids must be unique"),
        ({"ids": [-1, 1]}, "ids must be unique and within"),
        ({"ids": [0.5]}, "array \\(n,\\) of integers"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tiny_classifier, settings, message):
    with pytest.raises(ValueError, match=message):
        eactf.SCN(tiny_classifier(), **settings)


def test_soft_labels_and_missing_ids_are_refused(tiny_classifier, faces):
    images, labels = faces(4)
    model = built(tiny_classifier(), ids=4)
    with pytest.raises(ValueError, match="no soft labels"):
        model.train_step((tf.constant(images), tf.constant(np.eye(3)[labels])))
    with pytest.raises(ValueError, match="remembers labels by id"):
        model.train_step((tf.constant(images), tf.constant(labels)))

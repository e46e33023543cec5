"""SCN: its step against NumPy, when and what it relabels, the ledger, what is remembered."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from numeric_slope import slopes

import eactf

RATE = 0.25


def built(classifier, **settings):
    plain = {"erasing": eactf.Erasing(probability=0.0), "flip_probability": 0.0}
    model = eactf.SCN(classifier, **{**plain, **settings})
    # Without graphs, whose building takes longer than all these steps; the tests of two devices
    # and of whole runs have them.
    eagerly = not tf.distribute.has_strategy()
    model.compile(optimizer=eactf.optimizers.SGD(RATE), metrics=["accuracy"], run_eagerly=eagerly)
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


def test_a_step_follows_the_gradient_of_scaled_cross_entropy_and_rank(tiny_classifier, faces):
    images, labels = faces(6)
    model = built(tiny_classifier(norm=False), relabel_epoch=None, rank_margin=0.4)
    features, importance, _ = forward(model, images)
    weights = [v.numpy().astype("float64") for v in model.head.trainable_variables]
    weights += [v.numpy().astype("float64") for v in model.importance_head.variables]

    def loss(moved):
        return objective(features, *moved, labels, 0.7, 0.4)

    logs = model.train_step((tf.constant(images), tf.constant(labels)))

    assert float(logs["loss"]) == pytest.approx(loss(weights), rel=1e-5)
    assert float(logs["importance"]) == pytest.approx(importance.mean(), rel=1e-5)
    assert float(logs["rank"]) > 0
    after = [*model.head.trainable_variables, *model.importance_head.variables]
    gradients = slopes(loss, weights, step=1e-6)
    for weight, variable, gradient in zip(weights, after, gradients, strict=True):
        moved = (weight - variable.numpy()) / RATE
        np.testing.assert_allclose(moved, gradient, atol=2e-5)


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


class Wander(keras.callbacks.Callback):
    """Makes another class probable each epoch, so that labels go on changing."""

    def on_epoch_begin(self, epoch, logs=None):
        self.model.head.bias.assign(2.0 * np.eye(3)[int(self.model.epoch.numpy()) % 3])


def checked(model, ids, given):
    """The labels in memory, which the ledger must give from those given, and undo."""
    table = model.memory.table("given", "label")
    order = np.searchsorted(table["id"], ids)
    labels = table["label"][order]
    seen = labels >= 0
    np.testing.assert_array_equal(table["given"][order][seen], given[seen])
    now = np.where(seen, labels, given)
    np.testing.assert_array_equal(model.ledger.replay(ids, given), now)
    np.testing.assert_array_equal(model.ledger.undo(ids, now), given)
    return now


def test_a_sample_that_an_epoch_does_not_show_keeps_its_label_and_its_entry(tiny_classifier, faces):
    images, labels = faces(12)
    ids = np.arange(50, 62)
    model = built(tiny_classifier(norm=False), ids=ids, relabel_epoch=1, relabel_margin=0.0)
    data = as_data(images, labels, ids, size=4).repeat()
    model.fit(data, epochs=5, steps_per_epoch=1, verbose=0)
    assert set(model.ledger.epochs) > {1, 2}
    assert (checked(model, ids, labels) != labels).any()


def test_a_sample_seen_twice_an_epoch_learns_its_old_label_twice(tiny_classifier, faces):
    images, labels = faces(8)
    ids = np.arange(8)
    model = built(tiny_classifier(norm=False), ids=8, relabel_epoch=1, relabel_margin=0.02)
    model.optimizer.learning_rate = 0.0
    changes, best, _ = expected_changes(model, images, labels, 0.02)
    _, importance, logits = forward(model, images)
    chances = softmax(importance[:, None] * logits)
    data = as_data(images, labels, ids)
    logs = model.fit(data.concatenate(data), epochs=2, verbose=0).history
    new = np.where(changes, best, labels)
    expected = [-np.log(chances[ids, label]).mean() for label in (labels, new)]
    assert expected[0] - expected[1] > 0.01
    np.testing.assert_allclose(logs["cross_entropy"], expected, rtol=1e-5)
    np.testing.assert_array_equal(checked(model, ids, labels), new)
    assert set(model.ledger.epochs) == {1}


def test_of_a_sample_seen_often_the_last_step_of_the_epoch_decides(tiny_classifier, faces):
    images, labels = faces(12)
    # Four samples in three pictures each, one of them with two in one batch.
    ids, labels = np.array([0, 1, 2, 3, 3, 1, 2, 0, 1, 1, 2, 3]), np.tile(labels[:1], 12)
    model = built(tiny_classifier(norm=False), ids=4, relabel_epoch=1, relabel_margin=0.0)
    model.optimizer.learning_rate = 0.0
    _, best, margin = expected_changes(model, images, labels, 0.0)
    model.fit(as_data(images, labels, ids, size=6), epochs=1, verbose=0)
    last = [7, 9, 10, 11]
    np.testing.assert_array_equal(checked(model, np.arange(4), labels[:4]), best[last])
    evidence = margin[last][best[last] != labels[:4]]
    assert len(evidence)
    np.testing.assert_allclose(model.ledger.evidence, evidence, rtol=1e-4)


def test_a_second_fit_goes_on_where_the_first_ended(tiny_classifier, faces):
    images, labels = faces(16)
    data = as_data(images, labels, np.arange(16))
    settings = {"relabel_margin": 0.0, "erasing": eactf.Erasing(), "flip_probability": 0.5}
    parts, whole = (
        built(tiny_classifier(norm=False), ids=16, relabel_epoch=2, **settings) for _ in range(2)
    )
    for _ in range(2):
        parts.fit(data, epochs=2, callbacks=[Wander()], verbose=0)
    parts.fit(data, initial_epoch=4, epochs=5, callbacks=[Wander()], verbose=0)
    whole.fit(data, epochs=5, callbacks=[Wander()], verbose=0)
    assert set(parts.ledger.epochs) == {2, 3, 4, 5}
    assert parts.ledger == whole.ledger
    for one, other in zip(parts.trainable_variables, whole.trainable_variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_a_fit_broken_off_is_taken_up_again(tiny_classifier, faces):
    images, labels = faces(8)
    ids = np.arange(8)

    def stop(batch, logs):
        if int(model.epoch.numpy()) == 1:
            raise KeyboardInterrupt

    model = built(tiny_classifier(norm=False), ids=8, relabel_epoch=1, relabel_margin=0.0)
    data = as_data(images, labels, ids, size=4)
    with pytest.raises(KeyboardInterrupt):
        stopper = keras.callbacks.LambdaCallback(on_train_batch_end=stop)
        model.fit(data, epochs=3, callbacks=[Wander(), stopper], verbose=0)
    assert set(model.ledger.epochs) == {1}
    checked(model, ids, labels)
    model.fit(data, initial_epoch=1, epochs=3, callbacks=[Wander()], verbose=0)
    assert set(model.ledger.epochs) == {1, 2, 3}
    checked(model, ids, labels)


def test_weights_set_back_take_the_ledger_along(tiny_classifier, faces):
    images, labels = faces(8)
    ids = np.arange(8)
    model = built(tiny_classifier(norm=False), ids=8, relabel_epoch=1, relabel_margin=0.0)
    data = as_data(images, labels, ids)
    model.fit(data, epochs=1, callbacks=[Wander()], verbose=0)
    weights, ledger = model.get_weights(), model.ledger
    model.fit(data, epochs=2, callbacks=[Wander()], verbose=0)
    assert len(model.ledger) > len(ledger) > 0
    model.set_weights(weights)
    assert model.ledger == ledger
    model.fit(data, epochs=1, callbacks=[Wander()], verbose=0)
    assert set(model.ledger.epochs) == {1, 2}
    checked(model, ids, labels)


def test_two_devices_keep_the_ledger_of_one(tiny_classifier, faces, two_devices):
    images, labels = faces(13)
    ids = np.arange(40, 53)
    data = as_data(images, labels, ids, size=6).repeat()
    ledgers = []
    for strategy in (tf.distribute.get_strategy(), two_devices):
        with strategy.scope():
            settings = {"relabel_epoch": 1, "relabel_margin": 0.05}
            model = built(tiny_classifier(norm=False), ids=ids, **settings)
        for _ in range(2):  # five steps are all samples and some of them twice
            model.fit(data, epochs=2, steps_per_epoch=5, callbacks=[Wander()], verbose=0)
        checked(model, ids, labels)
        ledgers.append(model.ledger)
    copies = [copy.numpy() for copy in model.memory.columns["label"].value.values]
    np.testing.assert_array_equal(*copies)
    assert set(ledgers[0].epochs) == {1, 2, 3, 4}
    for name in ("epochs", "ids", "old", "new"):
        np.testing.assert_array_equal(getattr(ledgers[1], name), getattr(ledgers[0], name))
    np.testing.assert_allclose(ledgers[1].evidence, ledgers[0].evidence, rtol=1e-3)


def test_the_logs_tell_how_many_learn_a_label_that_was_not_given(tiny_classifier, faces):
    images, labels = faces(8)
    ids = np.arange(8)
    model = built(tiny_classifier(norm=False), ids=8, relabel_epoch=1, relabel_margin=0.0)
    model.optimizer.learning_rate = 0.0
    _, best, _ = expected_changes(model, images, labels, 0.0)
    logs = model.fit(as_data(images, labels, ids, size=3), epochs=2, verbose=0).history
    share = (best != labels).mean()
    assert 0 < share < 1
    np.testing.assert_allclose(logs["changed_labels"], [0.0, share])
    np.testing.assert_allclose(logs["relabelled"], [share, 0.0])
    np.testing.assert_allclose(logs["accuracy"], [1 - share] * 2)  # against the given labels


@pytest.mark.parametrize("dtype", ["float16", "mixed_float16", "mixed_bfloat16", "float64"])
def test_a_head_of_any_precision_trains(faces, dtype):
    images, labels = faces(8)
    inputs = keras.Input((6, 6, 1))
    maps = layers.Conv2D(2, 3, dtype=dtype)(inputs)
    logits = layers.Dense(3, dtype=dtype)(layers.GlobalAveragePooling2D(dtype=dtype)(maps))
    model = built(keras.Model(inputs, logits), ids=8, relabel_epoch=1)
    data = as_data(images / 256, labels, np.arange(8))
    before = model.head.trainable_variables[0].numpy()
    logs = model.fit(data, epochs=2, verbose=0).history
    assert np.isfinite(logs["loss"]).all()
    assert (model.head.trainable_variables[0].numpy() != before).any()
    assert np.isfinite(model.evaluate(data, verbose=0)).all()
    assert model.sample_scores(tf.constant(images))["importance"].dtype == "float32"


class _DropAll(layers.Dropout):
    def call(self, inputs, training=False):
        return inputs * 0.0 if training else inputs


def test_the_importance_is_of_the_features_that_the_dropout_left(tiny_classifier, faces):
    images, labels = faces(8)
    plain = tiny_classifier(norm=False)
    pooled = plain.layers[-2].output
    classifier = keras.Model(plain.input, layers.Dense(3)(_DropAll(0.5)(pooled)))
    model = built(classifier, relabel_epoch=None)
    _, importance, _ = forward(model, images)
    scores = model.sample_scores(tf.constant(images))  # nothing is dropped here
    np.testing.assert_allclose(scores["importance"], importance, rtol=1e-5)
    bias = model.importance_head.variables[1].numpy()[0]
    logs = model.train_step((tf.constant(images), tf.constant(labels)))
    assert float(logs["importance_spread"]) == 0.0 < importance.std()
    assert float(logs["importance"]) == pytest.approx(1 / (1 + np.exp(-bias)), rel=1e-6)


def test_a_batch_of_one_trains(tiny_classifier, faces):
    images, labels = faces(3)
    model = built(tiny_classifier(norm=False), ids=3, relabel_epoch=1)
    logs = model.fit(as_data(images, labels, np.arange(3), size=1), epochs=1, verbose=0).history
    assert np.isfinite(logs["loss"]).all()
    assert logs["rank"] == [pytest.approx(0.15)]


def test_an_id_that_the_method_was_not_told_of_is_named(tiny_classifier, faces):
    images, labels = faces(4)
    model = built(tiny_classifier(norm=False), ids=4)
    model.run_eagerly = False
    with pytest.raises(ValueError, match=r"^the method was not told of the samples 9:"):
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


@pytest.mark.parametrize("epochs", [0, 2])
@pytest.mark.parametrize("name", ["scn.keras", "scn.weights.h5"])
def test_the_ledger_is_saved_with_the_method(tiny_classifier, faces, tmp_path, name, epochs):
    images, labels = faces(8)
    ids = np.arange(3, 11)
    data = as_data(images, labels, ids)
    settings = {"ids": ids, "relabel_epoch": 1, "relabel_margin": 0.0}
    model = built(tiny_classifier(norm=False), **settings)
    if epochs:
        model.fit(data, epochs=epochs, verbose=0)
    assert (len(model.ledger) > 0) == (epochs > 0)
    if name == "scn.keras":
        model.save(tmp_path / name)
        again = keras.models.load_model(tmp_path / name)
    else:
        model.save_weights(tmp_path / name)
        again = built(tiny_classifier(norm=False), **settings)
        again.load_weights(tmp_path / name)
    assert again.ledger == model.ledger
    for each in (model, again):
        each.fit(data, epochs=2, verbose=0)
    assert again.ledger == model.ledger
    checked(again, ids, labels)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({}, "SCN changes labels by id: give ids="),
        ({"ids": 4, "ratio": 1.0}, r"ratio must be in \(0, 1\)"),
        ({"ids": 4, "rank_margin": -1.0}, "rank_margin must be >= 0"),
        ({"ids": 4, "relabel": "some"}, "relabel must be"),
        ({"ids": 4, "relabel_margin": 1.0}, "relabel_margin must be in"),
        ({"ids": 4, "relabel_epoch": 0}, "relabel_epoch must be a whole number >= 1"),
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

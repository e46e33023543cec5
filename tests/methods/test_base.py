"""The seam: what a batch may hold, what decides the draws, what is reported."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import eactf
from eactf.evaluation.macro_recall import MacroRecall

IDS = np.array([5, 900, 31, 7, 2**31 - 1, 12])


@pytest.fixture
def model(tiny_classifier):
    built = eactf.EAC(tiny_classifier(size=24), erasing=eactf.Erasing(probability=1.0, fill=-1.0))
    built.compile(optimizer=eactf.optimizers.SGD(0.01))
    return built


def blocks(model, images, labels, *ids):
    data = tuple(tf.constant(column) for column in (images, labels, *ids))
    return model.views_of(model.unpack(data))[0].numpy() == -1


def test_a_samples_id_decides_its_block_whatever_the_order_of_the_batch(model, faces):
    images, labels = faces(6, size=24)
    drawn = blocks(model, images, labels, IDS)
    order = np.array([3, 1, 5, 0, 2, 4])
    np.testing.assert_array_equal(blocks(model, images, labels, IDS[order]), drawn[order])
    np.testing.assert_array_equal(blocks(model, images[:2], labels[:2], IDS[4:]), drawn[4:])
    assert len({block.tobytes() for block in drawn}) == 6


def test_another_epoch_and_another_seed_draw_another_block(model, tiny_classifier, faces):
    images, labels = faces(6, size=24)
    first = blocks(model, images, labels, IDS)
    model.epoch.assign(1)
    second = blocks(model, images, labels, IDS)
    model.epoch.assign(0)
    np.testing.assert_array_equal(blocks(model, images, labels, IDS), first)
    other = eactf.EAC(
        tiny_classifier(size=24), erasing=eactf.Erasing(probability=1.0, fill=-1.0), seed=1
    )
    other.compile()
    third = blocks(other, images, labels, IDS)
    for one, two in [(first, second), (first, third), (second, third)]:
        assert (one != two).any(axis=(1, 2, 3)).mean() > 0.8


def test_a_sample_that_comes_twice_is_shown_with_two_views_where_repeats_are_expected(model, faces):
    images, labels = faces(6, size=24)
    twice = np.full(6, 5)
    assert len({block.tobytes() for block in blocks(model, images, labels, twice)}) == 1
    model.repeats_samples = True
    assert len({block.tobytes() for block in blocks(model, images, labels, twice)}) == 6
    np.testing.assert_array_equal(
        blocks(model, images, labels, twice), blocks(model, images, labels)
    )


def test_without_ids_the_step_and_the_place_decide(model, faces):
    images, labels = faces(6, size=24)
    first = blocks(model, images, labels)
    np.testing.assert_array_equal(blocks(model, images, labels), first)
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign_add(1)
    second = blocks(model, images, labels)
    assert (first != second).any(axis=(1, 2, 3)).mean() > 0.8


def test_integer_labels_in_a_column_are_labels_still(model, faces):
    images, labels = faces(6, size=24)
    column = model.test_step((tf.constant(images), tf.constant(labels[:, None])))
    expected = model.test_on_batch(images, labels, return_dict=True)
    np.testing.assert_allclose(float(column["loss"]), expected["loss"], rtol=1e-6)


@pytest.mark.parametrize(
    "data, message",
    [
        (lambda x, y: x, "must yield"),
        (lambda x, y: (x,), "must yield"),
        (lambda x, y: (x, y, y, y, y), "must yield"),
        (lambda x, y: (x, y, tf.ones(6), tf.ones(6)), "the samples' ids, integers"),
        (lambda x, y: (x, y, y, tf.ones((6, 2))), "weights must be one a sample"),
    ],
)
def test_batches_of_another_form_are_refused(model, faces, data, message):
    images, labels = (tf.constant(column) for column in faces(6, size=24))
    with pytest.raises(ValueError, match=message):
        model.train_step(data(images, labels))


def test_fit_takes_images_with_labels_and_with_ids_and_logs_means_over_the_epoch(
    tiny_classifier, faces
):
    images, labels = faces(10)
    classifier = tiny_classifier()
    model = eactf.EAC(classifier, erasing=eactf.Erasing(probability=0.0))
    model.compile(optimizer=eactf.optimizers.SGD(0.0), metrics=["accuracy", MacroRecall(classes=3)])
    batch = tf.data.Dataset.from_tensor_slices((images, labels, np.arange(10))).batch(4)
    seen = []
    record = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    history = model.fit(
        batch,
        validation_data=(images, labels),
        epochs=2,
        callbacks=record,
        verbose=0,
    ).history
    assert seen == [0, 1]
    parts = {"loss", "cross_entropy", "consistency", "map_spread", "accuracy", "macro_recall"}
    assert set(history) == parts | {"val_loss", "val_accuracy", "val_macro_recall"}
    logits = classifier.predict(images, verbose=0)
    ahead = model.predict(batch, verbose=0)
    parts = [
        (model.train_on_batch(images[rows], labels[rows], return_dict=True), len(labels[rows]))
        for rows in (slice(0, 4), slice(4, 8), slice(8, 10))
    ]
    for name in ("loss", "cross_entropy", "consistency", "map_spread", "accuracy"):
        expected = sum(logs[name] * count for logs, count in parts) / 10
        np.testing.assert_allclose(history[name][-1], expected, rtol=1e-4)
    assert history["val_accuracy"][-1] == pytest.approx((logits.argmax(1) == labels).mean())
    recalls = [(logits.argmax(1)[labels == c] == c).mean() for c in set(labels)]
    assert history["val_macro_recall"][-1] == pytest.approx(np.mean(recalls))
    shifted = logits - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(10), labels]
    assert history["val_loss"][-1] == pytest.approx(losses.mean(), rel=1e-4)
    np.testing.assert_allclose(ahead, logits, atol=1e-5)


def test_the_method_trains_the_classifiers_own_variables_once_each(model):
    own = {id(variable) for variable in model.classifier.trainable_variables}
    assert [id(variable) for variable in model.trainable_variables if id(variable) in own]
    assert len(model.trainable_variables) == len(own)


def test_a_ready_callback_list_gets_the_clock_too(model, faces):
    images, labels = faces(4, size=24)
    ready = keras.callbacks.CallbackList([], add_history=True, model=model, epochs=3, steps=2)
    model.fit(images, labels, batch_size=2, initial_epoch=2, epochs=3, callbacks=ready, verbose=0)
    assert int(model.epoch.value) == 2
    assert float(model.progress) == pytest.approx(3.0)


def test_two_networks_of_one_method_step_by_themselves(tiny_classifier, faces):
    """The seam's `minimize` with variables and an optimizer of the caller's choice."""
    model = eactf.CrossEntropy(tiny_classifier())
    model.compile(optimizer=eactf.optimizers.SGD(0.0))
    own = eactf.optimizers.SGD(0.5)
    bias = model.head.bias
    before = [variable.numpy() for variable in model.trainable_variables]
    start = bias.numpy()
    outcome = model.minimize(
        lambda: (tf.reduce_sum(bias.value * 2.0), "outcome"), tf.ones(()), [bias], own
    )
    assert outcome == "outcome"
    np.testing.assert_allclose(bias.numpy(), start - 1.0, rtol=1e-6)
    for variable, value in zip(model.trainable_variables[:-1], before[:-1], strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_soft_and_one_hot_labels_reach_the_users_metrics_as_they_are(tiny_classifier, faces):
    model = eactf.EAC(tiny_classifier(size=8), erasing=eactf.Erasing(probability=0.0))
    metrics = ["categorical_accuracy", "accuracy", MacroRecall(3)]
    model.compile(optimizer=eactf.optimizers.SGD(0.0), metrics=metrics)
    images, labels = faces(6, size=8)
    model.fit(images, np.eye(3, dtype="float32")[labels], verbose=0)
    told = model.evaluate(images, np.eye(3, dtype="float32")[labels], verbose=0, return_dict=True)
    guess = model.predict(images, verbose=0).argmax(axis=-1)
    assert told["categorical_accuracy"] == told["accuracy"]
    np.testing.assert_allclose(told["accuracy"], (guess == labels).mean(), rtol=1e-6)


def test_a_ramp_is_over_without_a_clock_and_half_done_in_an_epoch_of_unknown_length(
    tiny_classifier,
):
    model = eactf.EAC(tiny_classifier(), consistency_ramp=4.0)
    model.compile(optimizer=eactf.optimizers.SGD(0.0))
    assert float(model.ramped(model.consistency_weight, model.consistency_ramp)) == 5.0
    model._start_epoch(1, None)
    assert float(model.ramped(model.consistency_weight, model.consistency_ramp)) == 5.0 * 1.5 / 4.0
    model._start_epoch(1, 10)
    assert float(model.ramped(model.consistency_weight, model.consistency_ramp)) == 5.0 / 4.0


def test_what_a_method_would_ignore_is_refused(model):
    with pytest.raises(ValueError, match="its own loss"):
        model.compile(loss="mse")


def regularized(place):
    """A classifier with a regularizer at one `place`; the network within it is a model itself."""
    decay = keras.regularizers.L2(1e-3)
    given = {"kernel": {"kernel_regularizer": decay}, "bias": {"bias_regularizer": decay}}
    given |= {"activity": {"activity_regularizer": decay}, "head": {}, None: {}}
    inner = keras.Input((8, 8, 1))
    maps = keras.layers.Conv2D(2, 3, name="inner_convolution", **given[place])(inner)
    inputs = keras.Input((8, 8, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.Model(inner, maps)(inputs))
    head = given["kernel"] if place == "head" else {}
    return keras.Model(inputs, keras.layers.Dense(3, name="the_head", **head)(pooled))


@pytest.mark.parametrize("method", [eactf.CrossEntropy, eactf.RUL, eactf.CoTeaching])
@pytest.mark.parametrize(
    "place, told",
    [
        ("kernel", "'inner_convolution' of the classifier has a regularizer on its kernel"),
        ("bias", "'inner_convolution' of the classifier has a regularizer on its bias"),
        ("activity", "'inner_convolution' of the classifier has a regularizer on its output"),
        ("head", "'the_head' of the classifier has a regularizer on its kernel"),
    ],
)
def test_regularizers_are_refused_for_no_method_adds_them(method, place, told):
    with pytest.raises(ValueError, match=rf"{told}.*coupled_weight_decay=2\*x"):
        method(regularized(place))
    method(regularized(None))

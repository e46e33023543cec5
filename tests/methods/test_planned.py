"""The door of methods that plan their epochs: what `fit` takes, tells and refuses."""

from __future__ import annotations

import csv

import keras
import numpy as np
import pytest
import tensorflow as tf

import eactf
from eactf.methods.training_rows import Phase

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*:UserWarning"),
    pytest.mark.usefixtures("eagerly"),
]
PLAIN = {"flip_probability": 0.0, "confidence_penalty": False}


class Planned(eactf.TwoNetworks):
    """Two phases an epoch of plain cross-entropy, the first of three steps, the second of two."""

    def phases(self, epoch, rows):
        order = rows.order(np.arange(len(rows)), epoch)
        return [Phase(0, order, rows.batch_size), Phase(1, order[: rows.batch_size + 1], 4)]

    def end_epoch(self, epoch):
        """Nothing is divided."""


def built(classifier, rate=0.05, **settings):
    model = Planned(classifier, **PLAIN, **settings)
    model.compile(optimizer=eactf.optimizers.SGD(rate), metrics=["accuracy"])
    return model


def weights_after(classifier, *data, method=built, **settings):
    model = method(classifier)
    model.fit(*data, verbose=0, **settings)
    return np.concatenate([variable.numpy().ravel() for variable in model.trainable_variables])


class Told(keras.callbacks.Callback):
    """Writes down what it is told, and the network that has been trained."""

    def __init__(self):
        super().__init__()
        self.said = []

    def on_train_begin(self, logs=None):
        self.said.append("begin")

    def on_train_end(self, logs=None):
        self.said.append(f"end {sorted(logs)}")

    def on_epoch_begin(self, epoch, logs=None):
        self.said.append(f"epoch {epoch} of {self.params['epochs']}, {self.params['steps']} steps")

    def on_train_batch_end(self, batch, logs=None):
        self.said.append((batch, self.model.trained))

    def on_epoch_end(self, epoch, logs=None):
        self.said.append(f"epoch {epoch} done, {self.params['steps']} steps")


def test_callbacks_see_one_training_whose_epochs_and_steps_are_numbered(tiny_classifier, faces):
    told = Told()
    history = built(tiny_classifier()).fit(
        *faces(10), batch_size=4, epochs=2, callbacks=told, verbose=0
    )
    steps = [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1)]
    assert told.said == [
        "begin",
        *("epoch 0 of 2, 5 steps", *steps, "epoch 0 done, 5 steps"),
        *("epoch 1 of 2, 5 steps", *steps, "epoch 1 done, 5 steps"),
        "end ['accuracy', 'loss']",
    ]
    assert history.epoch == [0, 1]
    assert [len(values) for values in history.history.values()] == [2, 2]


def test_a_list_of_callbacks_of_keras_is_taken_as_it_is(tiny_classifier, faces):
    told, model = Told(), built(tiny_classifier())
    listed = keras.callbacks.CallbackList([told], model=model, epochs=7)
    model.fit(*faces(10), batch_size=4, epochs=1, callbacks=listed, verbose=0)
    assert told.said[0] == "begin"
    assert told.said[-1].startswith("end")
    assert int(model.epoch.numpy()) == 0


def test_a_training_that_is_taken_up_begins_with_its_step(tiny_classifier, faces):
    told = Told()
    built(tiny_classifier()).fit(
        *faces(10),
        batch_size=4,
        initial_epoch=3,
        epochs=4,
        first_step=2,
        callbacks=[told],
        verbose=0,
    )
    assert told.said[1:5] == ["epoch 3 of 4, 3 steps", (0, 0), (1, 1), (2, 1)]


@pytest.mark.parametrize("first_step", [-1, 5])
def test_a_first_step_that_the_epoch_does_not_have_is_refused(tiny_classifier, faces, first_step):
    with pytest.raises(ValueError, match=r"epoch 0 has 5 steps: first_step must be in 0\.\.4"):
        built(tiny_classifier()).fit(
            *faces(10), batch_size=4, first_step=first_step, callbacks=[None], verbose=0
        )


def test_early_stopping_ends_the_training_and_brings_the_best_weights_back(tiny_classifier, faces):
    images, labels = faces(10)
    model = built(tiny_classifier(), rate=0.0)
    stopping = keras.callbacks.EarlyStopping(
        "val_loss", patience=1, restore_best_weights=True, start_from_epoch=1
    )
    history = model.fit(
        images,
        labels,
        batch_size=4,
        epochs=9,
        validation_data=(images, labels),
        callbacks=[stopping],
        verbose=0,
    )
    assert history.epoch == [0, 1, 2]
    assert stopping.stopped_epoch == 2
    assert set(history.history) == {"accuracy", "loss", "val_accuracy", "val_loss"}


def test_validation_is_that_of_the_sum_of_both_networks(tiny_classifier, faces):
    images, labels = faces(10)
    model = built(tiny_classifier())
    logs = model.fit(
        images,
        labels,
        validation_data=(images[:6], labels[:6]),
        validation_freq=2,
        epochs=3,
        verbose=0,
    ).history
    assert len(logs["val_loss"]) == 1  # of the second epoch
    logits = sum(network(images) for network in model.networks)
    found = model.evaluate(images, labels, return_dict=True, verbose=0)
    expected = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
    assert found["loss"] == pytest.approx(float(np.mean(expected)), rel=1e-5)
    assert found["accuracy"] == pytest.approx((np.argmax(logits, 1) == labels).mean())


def test_a_csv_of_the_training_has_a_row_an_epoch(tiny_classifier, faces, tmp_path):
    written = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    built(tiny_classifier()).fit(*faces(10), epochs=3, callbacks=[written], verbose=0)
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert all(float(row["loss"]) > 0 for row in rows)


def test_a_backup_of_keras_is_taken_up_at_its_epoch(tiny_classifier, faces, tmp_path):
    class Fails(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "backup")

    images, labels = faces(10)
    settings = {"batch_size": 4, "epochs": 4, "verbose": 0}
    with pytest.raises(KeyboardInterrupt):
        built(tiny_classifier()).fit(images, labels, callbacks=[backup(), Fails()], **settings)
    told = Told()
    again = built(tiny_classifier())
    again.fit(images, labels, callbacks=[backup(), told], **settings)
    begun = [line for line in told.said if "of 4" in line]
    assert begun == ["epoch 2 of 4, 5 steps", "epoch 3 of 4, 5 steps"]
    again.fit(images, labels, callbacks=[told], **settings)
    assert [line for line in told.said if "of 4" in line][2:] == [
        f"epoch {epoch} of 4, 5 steps" for epoch in range(4)
    ]


def test_an_interrupt_in_a_callback_leaves_a_model_that_can_be_used(tiny_classifier, faces):
    class Interrupts(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                raise KeyboardInterrupt

    images, labels = faces(10)
    model = built(tiny_classifier())
    with pytest.raises(KeyboardInterrupt):
        model.fit(images, labels, batch_size=4, callbacks=[Interrupts()], verbose=0)
    trained = model.trained
    model.train_on_batch(images[:4], labels[:4])
    assert model.trained == trained  # no phase goes on behind the back of `fit`
    assert np.isfinite(model.fit(images, labels, verbose=0).history["loss"][0])
    assert model.predict(images, verbose=0).shape == (10, 3)


def test_a_step_may_ask_that_the_training_stops(tiny_classifier, faces):
    class Stops(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    told = Told()
    built(tiny_classifier()).fit(
        *faces(10), batch_size=4, epochs=3, callbacks=[Stops(), told], verbose=0
    )
    assert told.said[1:-1] == [
        "epoch 0 of 3, 5 steps",
        (0, 0),
        (1, 0),
        "epoch 0 done, 5 steps",
    ]


def columns(images, labels, *more):
    return tf.data.Dataset.from_tensor_slices((images, labels, *more)).batch(3)


def test_arrays_and_data_sets_are_trained_on_alike(tiny_classifier, faces):
    images, labels = faces(10)
    settings = {"batch_size": 4}
    expected = weights_after(tiny_classifier(), images, labels, **settings)
    one_hot = np.eye(3, dtype="float32")[labels]
    for data in (
        (images, labels[:, None]),
        (images.tolist(), labels.tolist()),
        (columns(images, labels),),
        (columns(images, labels[:, None]),),
        (columns(images, labels, np.arange(10)),),
        (columns(images, labels, np.ones(10, "float32")),),
        (columns(images, labels, np.arange(10), 3 * np.ones((10, 1), "float32")),),
        (images, one_hot),
    ):
        found = weights_after(tiny_classifier(), *data, **settings)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_ids_decide_the_draws_of_a_data_set(tiny_classifier, faces):
    def flipping(classifier):
        model = Planned(classifier)
        model.compile(optimizer=eactf.optimizers.SGD(0.05))
        return model

    images, labels = faces(10)
    plain, placed, named = (
        weights_after(tiny_classifier(), columns(images, labels, *ids), method=flipping)
        for ids in ((), (np.arange(10),), (np.arange(20, 30),))
    )
    np.testing.assert_array_equal(plain, placed)
    assert not np.array_equal(plain, named)


def test_weights_of_samples_and_classes_count(tiny_classifier, faces):
    images, labels = faces(10)
    of_classes = {0: 5.0, 2: 0.25}
    each = np.array([of_classes.get(label, 1.0) for label in labels])
    plain = weights_after(tiny_classifier(), images, labels)
    expected = weights_after(tiny_classifier(), images, labels, sample_weight=each)
    found = weights_after(tiny_classifier(), images, labels, class_weight=of_classes)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert np.abs(found - plain).max() > 1e-3
    both = weights_after(
        tiny_classifier(), images, labels, sample_weight=each**0.5, class_weight=[5**0.5, 1, 0.5]
    )
    np.testing.assert_allclose(both, expected, rtol=1e-5, atol=1e-6)
    whole = weights_after(tiny_classifier(), images, labels, sample_weight=np.full(10, 2))
    np.testing.assert_allclose(whole, plain, rtol=1e-5, atol=1e-6)


def test_rows_that_are_attached_are_trained_on_with_their_own_batch_size(tiny_classifier, faces):
    told, model = Told(), built(tiny_classifier())
    model.fit(*faces(10), batch_size=4, epochs=0, verbose=0)
    assert model.steps_in(0) == 5
    assert model.images_in(0) == 15
    model.fit(epochs=1, callbacks=told, verbose=0)
    model.fit(model.rows, epochs=1, callbacks=told, verbose=0)
    model.fit(batch_size=10, epochs=1, callbacks=told, verbose=0)
    begun = [line for line in told.said if "of 1" in line]
    assert begun == ["epoch 0 of 1, 5 steps"] * 2 + ["epoch 0 of 1, 4 steps"]


REFUSED = {
    "nothing": (lambda x, y: ((), {}), "has no training samples: give fit images and labels"),
    "no labels": (lambda x, y: ((x,), {}), "received no labels"),
    "no images": (lambda x, y: ((), {"y": y}), "labels or weights without images"),
    "fewer labels": (lambda x, y: ((x, y[:9]), {}), "received 10 images, 9 labels"),
    "no samples": (lambda x, y: ((x[:0], y[:0]), {}), "received 0 images, 0 labels"),
    "fewer weights": (
        lambda x, y: ((x, y), {"sample_weight": np.ones(9)}),
        "10 images, 10 labels and 9 weights",
    ),
    "weights of two axes": (
        lambda x, y: ((x, y), {"sample_weight": np.ones((10, 2))}),
        "weights must be one a sample",
    ),
    "labels beside a data set": (lambda x, y: ((columns(x, y), y), {}), "labels and weights of"),
    "weights beside a data set": (
        lambda x, y: ((columns(x, y),), {"sample_weight": np.ones(10)}),
        "labels and weights of its own",
    ),
    "an endless data set": (lambda x, y: ((columns(x, y).repeat(),), {}), "has no end"),
    "an empty data set": (lambda x, y: ((columns(x, y).take(0),), {}), "is empty"),
    "a data set without batches": (
        lambda x, y: ((columns(x, y).unbatch(),), {}),
        r"call \.batch\(\.\.\.\) on it; received images of \(6, 6, 1\)",
    ),
    "five columns": (lambda x, y: ((columns(x, y, y, y, y),), {}), "received 5"),
    "a batch size of 0": (
        lambda x, y: ((x, y), {"batch_size": 0}),
        "batch_size must be a whole number above 0; received 0",
    ),
    "half a batch": (lambda x, y: ((x, y), {"batch_size": 2.5}), "above 0; received 2.5"),
    "steps": (
        lambda x, y: ((x, y), {"steps_per_epoch": 3, "validation_split": 0.5}),
        "decides itself what an epoch consists of: fit takes no steps_per_epoch, validation_split",
    ),
    "unknown": (lambda x, y: ((x, y), {"batchsize": 3}), "fit takes no batchsize"),
    "a label out of range": (lambda x, y: ((x, y + 2), {}), "label [34] is out of range"),
    "a class that is not there": (
        lambda x, y: ((x, y), {"class_weight": {3: 1.0}}),
        "class_weight names class 3",
    ),
    "negative weights": (lambda x, y: ((x, y), {"sample_weight": -np.ones(10)}), "weight"),
    "ids for validation": (
        lambda x, y: ((x, y), {"validation_data": (x, y, np.arange(10))}),
        "leave ids out",
    ),
}


@pytest.mark.parametrize("given, told", REFUSED.values(), ids=REFUSED)
def test_what_fit_cannot_use_is_refused_in_plain_words(tiny_classifier, faces, given, told):
    arguments, settings = given(*faces(10))
    with pytest.raises(ValueError, match=told):
        built(tiny_classifier()).fit(*arguments, verbose=0, **settings)


def test_fit_asks_to_be_compiled_first_and_step_by_step(tiny_classifier, faces):
    with pytest.raises(ValueError, match=r"compile\(\)"):
        Planned(tiny_classifier()).fit(*faces(10), verbose=0)
    model = Planned(tiny_classifier())
    model.compile(optimizer="sgd", steps_per_execution=2)
    with pytest.raises(ValueError, match=r"needs compile\(steps_per_execution=1\)"):
        model.fit(*faces(10), verbose=0)


def test_progress_is_the_fraction_of_the_running_phase(tiny_classifier, faces):
    class Watches(keras.callbacks.Callback):
        seen = ()

        def on_train_batch_end(self, batch, logs=None):
            self.seen = (*self.seen, round(float(self.model.progress), 3))

    model, watches = built(tiny_classifier()), Watches()
    assert float(model.progress) == np.inf
    model.fit(*faces(10), batch_size=4, initial_epoch=1, epochs=3, callbacks=[watches], verbose=0)
    thirds, halves = (0.333, 0.667, 1.0), (0.5, 1.0)
    assert watches.seen == tuple(1 + x for x in thirds + halves) + tuple(
        2 + x for x in thirds + halves
    )

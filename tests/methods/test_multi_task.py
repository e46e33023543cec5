"""Multi-task learning: its loss against NumPy, what is missing, what is kept."""

from __future__ import annotations

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from fresh_processes import fresh_environment

import eactf
from eactf.nn.adversarial import encoder

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*:UserWarning"),
]
HEADS = {"expression": 3, "affect": 2}
VALUES = {"affect": ("valence", "arousal")}
RNG = np.random.default_rng(4)


def tiny_encoder(heads=HEADS, dropout=0.0, channels=1):
    settings = {"channels": channels, "noise": 3, "width": 1 / 32, "seed": 1}
    return encoder(32, heads, dropout=dropout, **settings)


def built(heads=HEADS, values=VALUES, dropout=0.0, rate=0.25, **settings):
    settings = {"flip_probability": 0.0, **settings}
    model = eactf.MultiTask(tiny_encoder(heads, dropout), values=values, **settings)
    model.compile(optimizer=eactf.optimizers.SGD(rate), metrics=["accuracy"])
    return model


def batch_of(count):
    images = RNG.uniform(0, 255, (count, 32, 32, 1)).astype("float32")
    return images, {
        "expression": RNG.integers(0, 3, count),
        "valence": RNG.uniform(-1, 1, count).astype("float32"),
        "arousal": RNG.uniform(-1, 1, count).astype("float32"),
    }


def step(model, images, labels, *columns):
    tensors = {name: tf.constant(column) for name, column in labels.items()}
    logs = model.train_step((tf.constant(images), tensors, *map(tf.constant, columns)))
    return {name: float(value) for name, value in logs.items()}


def cross_entropies(logits, labels):
    logits = np.asarray(logits, np.float64)
    return np.log(np.exp(logits).sum(1)) - logits[range(len(labels)), labels]


def concordance(predicted, given):
    predicted, given = np.asarray(predicted, np.float64), np.asarray(given, np.float64)
    covariance = ((predicted - predicted.mean()) * (given - given.mean())).mean()
    spread = predicted.var(ddof=1) + given.var(ddof=1) + (predicted.mean() - given.mean()) ** 2
    return 2 * covariance / spread


def weights(model):
    return {v.path: np.array(v.numpy()) for v in model.encoder.trainable_variables}


def test_the_loss_of_a_step_is_the_one_computed_by_hand():
    model, (images, labels) = built(task_weights={"affect": 0.5}), batch_of(6)
    outputs = model.encoder(images)
    logs = step(model, images, labels)
    entropy = cross_entropies(outputs["expression"], labels["expression"]).mean()
    affect = np.asarray(outputs["affect"])
    agreement = [concordance(affect[:, i], labels[n]) for i, n in enumerate(VALUES["affect"])]
    expected = {"expression_loss": entropy, "affect_loss": 1 - np.mean(agreement)}
    expected["loss"] = entropy + 0.5 * expected["affect_loss"]
    accuracy = (np.argmax(outputs["expression"], axis=1) == labels["expression"]).mean()
    assert logs == pytest.approx({**expected, "accuracy": accuracy}, rel=1e-5)


def test_several_sets_of_classes_are_the_sum_of_their_cross_entropies():
    model = built({"first": 3, "second": 4}, values=None)
    images, labels = batch_of(5)[0], {"first": [0, 1, 2, 0, 1], "second": [3, -1, 0, -1, 2]}
    labels = {name: np.array(column) for name, column in labels.items()}
    outputs = {name: np.asarray(rows) for name, rows in model.encoder(images).items()}
    logs = step(model, images, labels)
    known = labels["second"] >= 0
    second = cross_entropies(outputs["second"][known], labels["second"][known]).mean()
    first = cross_entropies(outputs["first"], labels["first"]).mean()
    assert logs["second_loss"] == pytest.approx(second, rel=1e-5)
    assert logs["loss"] == pytest.approx(first + second, rel=1e-5)


def test_missing_numbers_are_left_out_of_the_concordance_alone():
    model, (images, labels) = built(), batch_of(6)
    affect = np.asarray(model.encoder(images)["affect"])
    labels["valence"][[0, 4]] = np.nan
    logs = step(model, images, labels)
    known = np.isfinite(labels["valence"])
    valence = concordance(affect[known, 0], labels["valence"][known])
    arousal = concordance(affect[:, 1], labels["arousal"])
    assert logs["affect_loss"] == pytest.approx(1 - (valence + arousal) / 2, rel=1e-5)
    assert all(np.isfinite(array).all() for array in weights(model).values())


def test_a_sample_of_weight_nought_is_as_if_it_were_not_there():
    images, labels = batch_of(5)
    model, other = built(), built()
    step(model, images, labels, np.arange(5), np.array([1, 1, 0, 1, 1], "float32"))
    rest = np.array([0, 1, 3, 4])
    step(other, images[rest], {name: column[rest] for name, column in labels.items()}, rest)
    for found, expected in zip(weights(model).values(), weights(other).values(), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.usefixtures("eagerly")
def test_a_last_batch_of_one_is_trained_on_by_its_class():
    model, (images, labels) = built(), batch_of(5)
    history = model.fit(images, labels, batch_size=4, verbose=0, shuffle=False).history
    assert all(np.isfinite(value) for values in history.values() for value in values)
    before = weights(model)
    model.reset_metrics()
    one = {name: column[:1] for name, column in labels.items()}
    assert step(model, images[:1], one)["affect_loss"] == 1.0
    moved = {path for path, array in weights(model).items() if (array != before[path]).any()}
    assert any("expression" in path for path in moved)
    assert not any("affect" in path for path in moved)


def test_a_step_moves_all_but_the_heads_of_noise():
    model, (images, labels) = built(), batch_of(6)
    before = weights(model)
    step(model, images, labels)
    still = {path for path, array in weights(model).items() if (array == before[path]).all()}
    assert still == {v.path for n in ("mean", "log_variance") for v in head(model, n).variables}


def head(model, name):
    return model.encoder.get_layer(name)


def test_what_is_dropped_depends_on_the_sample_and_the_epoch_alone():
    model, (images, labels) = built(dropout=0.5), batch_of(4)
    given = {name: tf.constant(column) for name, column in labels.items()}

    def features(order):
        column = {name: tf.gather(rows, order) for name, rows in given.items()}
        batch = model.unpack((tf.gather(images, order), column, tf.constant(order)))
        return np.asarray(model.features(batch.images, batch))

    first = features([0, 1, 2, 3])
    np.testing.assert_allclose(features([3, 1, 0, 2]), first[[3, 1, 0, 2]], rtol=1e-4)
    assert (first == 0).mean() > 0.2
    model.epoch.assign(1)
    assert (features([0, 1, 2, 3]) != first).any()


@pytest.mark.usefixtures("eagerly")
def test_arrays_and_data_sets_teach_alike_and_the_label_alone_judges():
    images, labels = batch_of(6)
    found = []
    for data in (
        (images, labels),
        (tf.data.Dataset.from_tensor_slices((images, labels)).batch(3),),
    ):
        model = built()
        model.fit(*data, batch_size=3 if len(data) > 1 else None, shuffle=False, verbose=0)
        found.append(weights(model))
    for one, other in zip(found[0].values(), found[1].values(), strict=True):
        np.testing.assert_array_equal(one, other)
    judged = [model.evaluate(images, given, verbose=0) for given in (labels, labels["expression"])]
    assert judged[0] == judged[1]
    expected = cross_entropies(model.predict(images, verbose=0), labels["expression"]).mean()
    assert judged[0][0] == pytest.approx(expected, rel=1e-4)


def test_the_classifier_and_the_encoder_open_with_keras_alone(tmp_path):
    model, (images, _) = built(), batch_of(3)
    model.classifier.save(tmp_path / "classifier.keras")
    model.encoder.save(tmp_path / "encoder.keras")
    np.save(tmp_path / "images.npy", images)
    code = (
        "import json, keras, numpy as np, sys\n"
        f"images = np.load('{tmp_path}/images.npy')\n"
        f"logits = keras.saving.load_model('{tmp_path}/classifier.keras')(images)\n"
        f"outputs = keras.saving.load_model('{tmp_path}/encoder.keras')(images)\n"
        "assert 'eactf' not in sys.modules\n"
        "shapes = {name: list(rows.shape) for name, rows in outputs.items()}\n"
        "print(json.dumps([logits.numpy().tolist(), shapes]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=fresh_environment(), capture_output=True, check=True
    )
    logits, shapes = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(logits, model.predict(images, verbose=0), rtol=1e-5)
    assert shapes == {
        "mean": [3, 3],
        "log_variance": [3, 3],
        "expression": [3, 3],
        "affect": [3, 2],
    }


def test_labels_that_lack_something_or_are_out_of_range_are_refused():
    model, (images, labels) = built({"first": 3, "second": 2}, values=None), batch_of(2)
    first = {"first": np.array([0, 1])}
    with pytest.raises(ValueError, match="with first, second; second not among"):
        step(model, images, first)
    with pytest.raises(ValueError, match="label 2 is out of range: the classifier has 2 classes"):
        step(model, images, {**first, "second": np.array([2, 0])})
    with pytest.raises(ValueError, match="labels must have 'first' among them"):
        step(model, images, labels)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"values": {"affect": ("valence",)}}, "'affect' has 2 outputs"),
        ({"values": {"mood": ("valence",)}}, "'mood' has no outputs"),
        ({"label": "affect"}, "label must be a head of classes"),
        ({"values": {**VALUES, "expression": ("a", "b", "c")}}, "there are none"),
        ({"values": {"affect": ("valence", "valence")}}, "two targets have one name"),
        ({"task_weights": {"mood": 1.0}}, "task_weights names 'mood'"),
        ({"task_weights": {"affect": -1.0}}, "task_weights must be >= 0"),
    ],
)
def test_settings_that_do_not_fit_the_encoder_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        eactf.MultiTask(tiny_encoder(), **{"values": VALUES, **settings})


def test_a_classifier_is_no_encoder(tiny_classifier):
    with pytest.raises(ValueError, match=r"one of eactf\.nn\.adversarial\.encoder"):
        eactf.MultiTask(tiny_classifier())


def test_the_settings_survive_the_configuration():
    model = built(task_weights={"affect": 0.5}, seed=3)
    config = model.get_config()
    again = eactf.MultiTask.from_config(json.loads(json.dumps(config))).get_config()
    config.pop("encoder"), again.pop("encoder")
    assert keras.tree.map_structure(str, again) == keras.tree.map_structure(str, config)


def test_two_devices_train_and_judge_as_one(two_devices):
    images, labels = batch_of(7)
    labels["valence"][1] = np.nan
    weighing = np.array([1, 2, 1, 0, 1, 3, 1], "float32")
    columns = (images, labels, np.arange(7), weighing)
    data = tf.data.Dataset.from_tensor_slices(columns).batch(3)  # 3, 3 and 1: an empty device
    found = []
    for strategy in (tf.distribute.get_strategy(), two_devices):
        with strategy.scope():
            model = built(dropout=0.5, flip_probability=0.5)
        history = model.fit(data, shuffle=False, verbose=0).history
        judged = model.evaluate(data, verbose=0, return_dict=True)
        found.append((weights(model), {name: value[0] for name, value in history.items()}, judged))
    for path, expected in found[0][0].items():
        np.testing.assert_allclose(found[1][0][path], expected, atol=2e-6, err_msg=path)
    for logs, others in zip(found[0][1:], found[1][1:], strict=True):
        assert others == pytest.approx(logs, rel=1e-4)

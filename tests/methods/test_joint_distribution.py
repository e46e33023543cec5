"""Joint-distribution learning: its step by hand, who moves whom, when it counts."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import eactf
from eactf.nn.adversarial import SpectralNormalized, decoder, discriminator, encoder
from eactf.nn.counter_random import normal

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*:UserWarning"),
]
every_step_by_itself = pytest.mark.usefixtures("eagerly")

HEADS = {"expression": 3, "affect": 2}
VALUES = {"affect": ("valence", "arousal")}
FORM = {"channels": 1, "noise": 3, "width": 1 / 64, "seed": 1}
RNG = np.random.default_rng(4)


def built(method=eactf.JointDistribution, optimizer=None, dropout=0.0, **settings):
    settings = {"values": VALUES, "flip_probability": 0.0, **settings}
    model = method(encoder(32, HEADS, dropout=dropout, **FORM), **settings)
    model.compile(optimizer=optimizer or eactf.optimizers.SGD(0.05), metrics=["accuracy"])
    return model


def small_players():
    """A decoder and a discriminator whose graphs are built at once."""
    layers, rows = keras.layers, {"noise": 3, **HEADS}
    code = {name: keras.Input((size,), name=name) for name, size in rows.items()}
    made = layers.Dense(1024)(layers.Concatenate()(list(code.values())))
    made = layers.Reshape((32, 32, 1))(made)
    made = layers.BatchNormalization(momentum=0.9, synchronized=True)(made)
    drawing = keras.Model(code, layers.Activation("tanh")(made))
    seen = {"image": keras.Input((32, 32, 1), name="image")}
    seen |= {name: keras.Input((size,), name=name) for name, size in rows.items()}
    flat = {name: layers.Flatten()(x) for name, x in seen.items()}
    flat["joint"] = layers.Concatenate()(list(flat.values()))
    scores = [
        SpectralNormalized(layers.Dense(1, name="inner"), seed=1, name=f"{name}_score")(x)
        for name, x in flat.items()
    ]
    judge = keras.Model(seen, layers.Concatenate(name="scores")(scores))
    for network in (drawing, judge):
        rng = np.random.default_rng(7)
        for variable in network.trainable_variables:
            variable.assign(rng.normal(0, 0.1, variable.shape))
    return {"decoder": drawing, "discriminator": judge}


def batch_of(count):
    images = RNG.uniform(0, 255, (count, 32, 32, 1)).astype("float32")
    return images, {
        "expression": RNG.integers(0, 3, count),
        "valence": RNG.uniform(-1, 1, count).astype("float32"),
        "arousal": RNG.uniform(-1, 1, count).astype("float32"),
    }


def tensors(images, labels):
    return tf.constant(images), {name: tf.constant(column) for name, column in labels.items()}


def step(model, images, labels):
    return {k: float(v) for k, v in model.train_step(tensors(images, labels)).items()}


def trained(network):
    return [np.array(variable.numpy()) for variable in network.trainable_variables]


def moved(network, before):
    pairs = zip(trained(network), before, strict=True)
    return any((now != then).any() for now, then in pairs)


def follow(tape, loss, variables, rate=0.05):
    for variable, slope in zip(variables, tape.gradient(loss, variables), strict=True):
        variable.assign_sub(rate * slope)


def step_by_hand(model, images, labels, weights, joint_weight):
    """A step in the published order with plain tapes and gradient descent."""
    images, given = tensors(images, labels)
    batch = model.unpack((images, given))
    with model.keys_of(batch):
        eps, noise = (normal(model.sample_keys(images, stream), 3) for stream in (16, 17))
    affect = tf.stack([given["valence"], given["arousal"]], axis=1)
    code = {"noise": noise, "expression": tf.one_hot(given["expression"], 3), "affect": affect}
    makers = [*model.encoder.trainable_variables, *model.decoder.trainable_variables]
    makers = [variable.value for variable in makers]
    judging = [variable.value for variable in model.discriminator.trainable_variables]
    with tf.GradientTape() as tape:
        outputs = model.encoder(images)
        latent = outputs["mean"] + tf.exp(outputs["log_variance"] / 2) * eps
        read = {"image": images / 127.5 - 1, "noise": latent}
        read |= {name: outputs[name] for name in HEADS}
        made = {"image": model.decoder(code, training=True), **code}
        for _ in range(2):
            with tf.GradientTape() as inner:
                s = [model.discriminator(one, training=True) * weights for one in (read, made)]
                hinge = tf.reduce_mean(tf.nn.relu(1 - s[0])) + tf.reduce_mean(tf.nn.relu(1 + s[1]))
            with tape.stop_recording():
                follow(inner, hinge, judging)
        s = [model.discriminator(one, training=True) * weights for one in (read, made)]
        joint = tf.reduce_mean(s[0]) - tf.reduce_mean(s[1])
        entropy = keras.losses.sparse_categorical_crossentropy(
            given["expression"], outputs["expression"], from_logits=True
        )
        agreement = eactf.losses.concordance(outputs["affect"], affect)
        loss = tf.reduce_mean(entropy) + 1 - tf.reduce_mean(agreement) + joint_weight * joint
    follow(tape, loss, makers)
    return {"loss": float(loss), "joint_loss": float(joint), "discriminator_loss": float(hinge)}


def test_a_step_is_the_published_one_taken_by_hand():
    settings = {"joint_weight": 0.4, "score_weights": {"image": 0.5, "joint": 2.0}}
    model, other = built(**settings), built(**settings)
    images, labels = batch_of(4)
    weights = np.array([0.5, 1, 1, 1, 2], "float32")
    assert list(model.score_weights) == ["image", "noise", "expression", "affect", "joint"]
    logs, expected = step(model, images, labels), step_by_hand(other, images, labels, weights, 0.4)
    assert {name: logs[name] for name in expected} == pytest.approx(expected, rel=1e-4)
    for name in ("encoder", "decoder", "discriminator"):
        pairs = zip(trained(getattr(model, name)), trained(getattr(other, name)), strict=True)
        for found, wanted in pairs:
            np.testing.assert_allclose(found, wanted, atol=2e-6, err_msg=name)


def test_a_joint_weight_of_nought_is_multi_task_step_for_step():
    adam = [eactf.optimizers.Adam(1e-3) for _ in range(2)]
    model = built(optimizer=adam[0], dropout=0.5, joint_weight=0.0)
    other = built(eactf.MultiTask, optimizer=adam[1], dropout=0.5)
    for _ in range(3):
        images, labels = batch_of(4)
        assert step(model, images, labels) == step(other, images, labels)
    for found, expected in zip(trained(model.encoder), trained(other.encoder), strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("rates, still", [((0.0, 0.0, 0.05), False), ((0.05, 0.05, 0.0), True)])
def test_the_discriminator_and_the_others_each_leave_the_other_alone(rates, still):
    model, (images, labels) = built(), batch_of(3)
    for optimizer, rate in zip(model.optimizers, rates, strict=True):
        optimizer.learning_rate = rate
    before = {n: trained(getattr(model, n)) for n in ("encoder", "decoder", "discriminator")}
    step(model, images, labels)
    found = {name: moved(getattr(model, name), weights) for name, weights in before.items()}
    assert found == {"encoder": still, "decoder": still, "discriminator": not still}


@every_step_by_itself
def test_the_joint_law_counts_from_its_first_epoch_on():
    model, (images, labels) = built(adversarial_start=1, **small_players()), batch_of(3)
    before, seen = [trained(n) for n in (model.decoder, model.discriminator)], []

    def look(epoch, logs):
        networks = zip((model.decoder, model.discriminator), before, strict=True)
        seen.append([moved(network, weights) for network, weights in networks])

    watching = keras.callbacks.LambdaCallback(on_epoch_end=look)
    history = model.fit(images, labels, epochs=2, verbose=0, callbacks=[watching]).history
    assert seen == [[False, False], [True, True]]
    assert [len(history[name]) for name in ("loss", "affect_loss", "joint_loss")] == [2, 2, 1]
    figures = {"joint_loss", "discriminator_loss", "discriminator_accuracy"}
    assert figures | {"encoder_score", "decoder_score"} < set(history)
    assert 0.0 <= history["discriminator_accuracy"][0] <= 1.0
    assert [int(optimizer.iterations) for optimizer in model.optimizers] == [2, 1, 2]


@every_step_by_itself
def test_a_discriminator_that_has_won_is_told_of_and_stops_the_joint_law():
    model, (images, labels) = built(stop_below=100.0, **small_players()), batch_of(3)
    with pytest.warns(UserWarning, match=r"below 100: it tells all tuples apart"):
        history = model.fit(images, labels, epochs=2, verbose=0).history
    assert len(history["loss"]) == 2 and len(history["joint_loss"]) == 1
    assert model.epoch_record(None, None, None, ())["joint"] == {"counted": False, "stopped": True}
    other = built(stop_below=100.0, **small_players())
    step(other, images, labels)
    other.restore(model.state())
    assert other.stopped and not other.playing
    for name in ("encoder", "decoder", "discriminator"):
        pairs = zip(trained(getattr(other, name)), trained(getattr(model, name)), strict=True)
        assert all((found == wanted).all() for found, wanted in pairs)


@every_step_by_itself
def test_a_last_batch_of_one_and_labels_that_are_missing_stay_finite():
    model, (images, labels) = built(**small_players()), batch_of(4)
    labels["valence"][:] = np.nan
    history = model.fit(images, labels, batch_size=3, verbose=0).history
    assert all(np.isfinite(value) for values in history.values() for value in values)
    for network in (model.encoder, model.decoder, model.discriminator):
        assert all(np.isfinite(array).all() for array in trained(network))


def test_half_precision_scales_the_loss_of_each_optimizer():
    made = encoder(32, HEADS, **FORM, dtype="mixed_float16")
    model = eactf.JointDistribution(made, values=VALUES, **small_players())
    model.compile(optimizer=eactf.optimizers.SGD(0.05))
    assert len({id(optimizer) for optimizer in model.optimizers}) == 3
    for optimizer in model.optimizers:
        assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    assert all(np.isfinite(value) for value in step(model, *batch_of(3)).values())


def test_noise_depends_on_the_sample_alone():
    model, (images, labels) = built(dropout=0.5), batch_of(4)

    def noise(order):
        columns = {name: column[order] for name, column in labels.items()}
        batch = model.unpack((*tensors(images[order], columns), tf.constant(order)))
        features = model.features(batch.images, batch)
        tuples = model._tuples(batch.images, features, model.predictions(features), batch)
        return [np.asarray(one["noise"]) for one in tuples]

    order = [2, 0, 3, 1]
    for first, other in zip(noise([0, 1, 2, 3]), noise(order), strict=True):
        np.testing.assert_allclose(other, first[order], rtol=1e-4, atol=1e-6)
        assert len(np.unique(first)) == first.size


def test_networks_that_do_not_fit_the_encoder_are_refused():
    form = {**FORM, "noise": 4}
    with pytest.raises(ValueError, match="decoder must take"):
        built(decoder=decoder(32, HEADS, **form))
    with pytest.raises(ValueError, match="discriminator must take"):
        built(discriminator=discriminator(32, {"expression": 3}, **FORM))
    with pytest.raises(ValueError, match="decoder must make the encoder's images"):
        built(decoder=decoder(64, HEADS, **FORM))


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"joint_weight": -0.1}, "joint_weight must be >= 0"),
        ({"score_weights": {"mood": 1.0}}, "score_weights names 'mood'"),
        ({"score_weights": {"joint": -1.0}}, "score_weights must be >= 0"),
        ({"adversarial_start": -1}, "adversarial_start must be a whole number >= 0"),
        ({"discriminator_steps": 0}, "discriminator_steps must be a whole number >= 1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        built(**settings)


def test_the_settings_survive_the_configuration():
    model = built(
        joint_weight=0.4, score_weights={"image": 0.5}, adversarial_start=2, stop_below=0.1
    )
    config = model.get_config()
    again = eactf.JointDistribution.from_config(json.loads(json.dumps(config))).get_config()
    for networks in (config, again):
        for name in ("encoder", "decoder", "discriminator"):
            del networks[name]
    assert keras.tree.map_structure(str, again) == keras.tree.map_structure(str, config)


def test_two_devices_train_as_one(two_devices):
    images, labels = batch_of(4)
    data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(
        3
    )  # 3, and 1: an empty device
    found = []
    for strategy in (tf.distribute.get_strategy(), two_devices):
        with strategy.scope():
            model = built(dropout=0.5, **small_players())
        history = model.fit(data, shuffle=False, verbose=0).history
        networks = (model.encoder, model.decoder, model.discriminator)
        found.append(([array for one in networks for array in trained(one)], history))
    for array, expected in zip(found[1][0], found[0][0], strict=True):
        np.testing.assert_allclose(array, expected, atol=5e-6)
    for name, (value,) in found[0][1].items():
        assert found[1][1][name][0] == pytest.approx(value, rel=1e-3, abs=1e-5), name


@every_step_by_itself
def test_a_run_taken_up_from_its_state_is_the_run_that_was_not_broken_off():
    images, labels = batch_of(5)

    def model():
        adam = eactf.optimizers.Adam(1e-3)
        return built(optimizer=adam, dropout=0.5, adversarial_start=1, **small_players())

    def fit(model, first, last):
        data = tf.data.Dataset.from_tensor_slices((images, labels)).batch(3)
        model.fit(data, initial_epoch=first, epochs=last, verbose=0)

    whole, begun, taken_up = model(), model(), model()
    fit(whole, 0, 3)
    fit(begun, 0, 2)
    fit(taken_up, 0, 1)  # makes the metrics
    taken_up.restore(begun.state())
    fit(taken_up, 2, 3)
    for name, array in whole.state().items():
        np.testing.assert_array_equal(taken_up.state()[name], array, err_msg=name)

"""Two networks: what they may be, their sum, precision, files, an optimizer for each."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import eactf
from eactf.nn.redrawn import redrawn

pytestmark = pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*:UserWarning")
BOTH = pytest.mark.parametrize("method", [eactf.DivideMix, eactf.TwoNetworks])


def compiled(model, **settings):
    model.compile(optimizer=eactf.optimizers.SGD(0.05, momentum=0.9), **settings)
    return model


@BOTH
def test_the_second_network_is_one_of_the_first_ones_form_drawn_anew(tiny_classifier, method):
    model = method(tiny_classifier(), seed=4)
    first, second = model.networks
    expected = redrawn(tiny_classifier(), 4)
    for own, weights in zip(second.weights, expected.get_weights(), strict=True):
        np.testing.assert_array_equal(own.numpy(), weights)
    assert not np.array_equal(first.layers[-1].kernel, second.layers[-1].kernel)


@BOTH
def test_what_is_kept_and_predicted_is_the_sum_of_logits(tiny_classifier, faces, method, tmp_path):
    images, _ = faces(7)
    model = compiled(method(tiny_classifier()))
    first, second = (network(images).numpy() for network in model.networks)
    np.testing.assert_allclose(model.predict(images, verbose=0), first + second, atol=1e-5)
    np.testing.assert_allclose(model.classifier(images), first + second, atol=1e-5)
    each = model.predict_each(images, batch_size=3, verbose=0)
    np.testing.assert_allclose(each, np.stack([first, second], axis=1), atol=1e-5)
    np.testing.assert_allclose(model.predict(images, verbose=0), first + second, atol=1e-5)
    model.classifier.save(tmp_path / "classifier.keras")
    again = keras.models.load_model(tmp_path / "classifier.keras", custom_objects={})
    np.testing.assert_allclose(again(images), first + second, atol=1e-5)
    layers = [layer for layer in again._flatten_layers() if "eactf" in type(layer).__module__]
    assert layers == []


@BOTH
def test_a_pair_comes_back_from_its_file_and_trains_on_as_it_would_have(
    eagerly, tiny_classifier, faces, method, tmp_path
):
    images, labels = faces(12)
    model = compiled(method(tiny_classifier(), warm_up=5, seed=3, loss_history=2))
    data = {"x": images, "y": labels, "batch_size": 4, "verbose": 0}
    model.fit(**data, epochs=1)
    model.save(tmp_path / "method.keras")
    again = keras.models.load_model(tmp_path / "method.keras")
    assert type(again) is method
    assert again.get_config().keys() == model.get_config().keys()
    assert (again.warm_up, again.seed, again.loss_history) == (5, 3, 2)
    for one in (model, again):
        one.fit(**data, initial_epoch=1, epochs=2)
    state, other = model.state(), again.state()
    assert state.keys() == other.keys()
    for name, array in state.items():
        np.testing.assert_array_equal(other[name], array, err_msg=name)


def test_a_second_network_that_is_given_has_the_place_in_a_state_of_one_that_is_drawn(
    tiny_classifier,
):
    drawn = compiled(eactf.TwoNetworks(tiny_classifier()))
    given = compiled(eactf.TwoNetworks(tiny_classifier(), tiny_classifier(filters=2)))
    given.restore(drawn.state())
    for one, two in zip(drawn.networks, given.networks, strict=True):
        for weights, others in zip(one.get_weights(), two.get_weights(), strict=True):
            np.testing.assert_array_equal(weights, others)


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize(
    "method, settings",
    [
        (eactf.DivideMix, {"unlabelled_weight": 5.0, "unlabelled_ramp": 0.0}),
        (eactf.TwoNetworks, {"consistency_weight": 1.0}),
    ],
)
def test_half_precision_trains_as_single_does_with_a_loss_scale_for_each(
    eagerly, tiny_classifier, faces, method, settings, dtype
):
    images, labels = faces(8)
    moves = []
    for policy in (None, dtype):
        model = compiled(method(tiny_classifier(dtype=policy), warm_up=1, **settings))
        starts = [v.numpy() for v in model.trainable_variables]
        model.fit(images, labels, batch_size=4, epochs=1, verbose=0)
        model.division.kept[:] = np.arange(8)[:, None] < 4
        model.division.clean[:] = 0.8
        logs = model.fit(images, labels, batch_size=4, initial_epoch=1, epochs=2, verbose=0)
        assert np.isfinite(logs.history["loss"]).all()
        ends = [v.numpy() for v in model.trainable_variables]
        moves.append(np.concatenate([(b - a).ravel() for a, b in zip(starts, ends, strict=True)]))
    single, half = moves
    assert np.linalg.norm(half - single) < 0.1 * np.linalg.norm(single)
    scaled = [isinstance(one, keras.optimizers.LossScaleOptimizer) for one in model.optimizers]
    assert scaled == [dtype == "mixed_float16"] * 2
    assert model.optimizers[0] is not model.optimizers[1]


def test_each_loss_moves_its_own_network_and_both_are_taken_before_either(tiny_classifier, faces):
    images, _ = faces(4)
    model = compiled(eactf.TwoNetworks(tiny_classifier(norm=False)))
    sums = [float(tf.reduce_sum(network(images))) for network in model.networks]
    starts = [[v.numpy() for v in network.trainable_variables] for network in model.networks]

    def objective():
        first, second = (
            tf.reduce_sum(logits) for logits in model.logits_of_each(images, training=True)
        )
        return (first * second, first + 0.0 * second), (first, second)

    found = model.minimize_both(objective, keras.ops.ones(()))
    np.testing.assert_allclose([float(value) for value in found], sums, rtol=1e-5)
    # d(first * second) of the first network is second times d(first); the other loss has no slope.
    bias = model.networks[0].layers[-1].bias.numpy()
    np.testing.assert_allclose(starts[0][-1] - bias, 0.05 * sums[1] * 4 * np.ones(3), rtol=1e-4)
    for variable, start in zip(model.networks[1].trainable_variables, starts[1], strict=True):
        np.testing.assert_array_equal(variable.numpy(), start)


def test_networks_that_cannot_be_a_pair_are_refused(tiny_classifier):
    classifier = tiny_classifier()
    inputs = keras.Input(classifier.input_shape[1:])
    shares = keras.Model(inputs, classifier(inputs))
    halved = keras.Sequential(classifier.layers[:-1])
    shares = keras.Model(halved.inputs, keras.layers.Dense(3)(halved(halved.inputs[0])))
    for second, told in (
        (classifier, "one and the same"),
        (tiny_classifier(classes=4), "classes 3 and 4"),
        (tiny_classifier(size=8), r"images \(6, 6, 1\) and \(8, 8, 1\)"),
        (shares, "the two networks share"),
    ):
        with pytest.raises(ValueError, match=told):
            eactf.TwoNetworks(classifier, second)


def test_averages_of_an_optimizer_are_refused(tiny_classifier):
    model = eactf.TwoNetworks(tiny_classifier())
    with pytest.raises(ValueError, match="takes no optimizer with use_ema"):
        model.compile(optimizer=keras.optimizers.SGD(0.1, use_ema=True))

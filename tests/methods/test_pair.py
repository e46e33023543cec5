"""What methods of two networks share: their sum, each alone, an optimizer each, their files."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import eactf
from eactf.methods.pair import PairMethod
from eactf.nn.redrawn import redrawn

# Keras 3.15 reads its variables in a way that NumPy 2 warns of.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*:UserWarning"),
]


def built(classifier, second=None, optimizer=None, compiled=None, **settings):
    model = PairMethod(
        classifier,
        second,
        flip_probability=0.0,
        erasing=eactf.Erasing(0.0),
        augmentation=eactf.Views(),
        **settings,
    )
    model.compile(optimizer=optimizer or eactf.optimizers.SGD(0.25), **(compiled or {}))
    return model


def with_momentum(model):
    model.compile(optimizer=eactf.optimizers.SGD(0.05, momentum=0.9))
    return model


def each_of(model, images):
    return [network.predict(images, verbose=0) for network in model.networks]


def weights_of(networks):
    return [[variable.numpy() for variable in network.trainable_variables] for network in networks]


def test_the_classifier_gives_the_sum_of_both_networks_logits(tiny_classifier, faces):
    images, labels = faces(9)
    model = built(tiny_classifier())
    one, other = each_of(model, images)
    assert np.abs(one - other).max() > 0.1
    for found in (
        model.classifier.predict(images, verbose=0),
        model.predict(images, verbose=0),
        np.array(model(images)),
    ):
        np.testing.assert_allclose(found, one + other, rtol=1e-5, atol=1e-5)
    each = model.predict_each(images, batch_size=4, verbose=0)
    assert each.shape == (9, 2, 3)
    np.testing.assert_allclose(each, np.stack([one, other], axis=1), rtol=1e-5, atol=1e-5)
    # And the sum again afterwards, of which the loss of an evaluation is taken.
    np.testing.assert_allclose(model.predict(images, verbose=0), one + other, rtol=1e-5, atol=1e-5)
    logs = (one + other) - np.log(np.exp(one + other).sum(axis=1, keepdims=True))
    told = model.evaluate(images, labels, verbose=0, return_dict=True)
    assert told["loss"] == pytest.approx(-logs[np.arange(9), labels].mean(), rel=1e-5)


def test_the_sum_is_saved_as_a_classifier_that_keras_opens_alone(tiny_classifier, faces, tmp_path):
    images, _ = faces(5)
    model = built(tiny_classifier())
    model.classifier.save(tmp_path / "sum.keras")
    alone = keras.models.load_model(tmp_path / "sum.keras", compile=False)
    homes = {type(layer).__module__.partition(".")[0] for layer in alone._flatten_layers()}
    assert homes == {"keras"}
    np.testing.assert_allclose(
        alone.predict(images, verbose=0), sum(each_of(model, images)), rtol=1e-5, atol=1e-5
    )


def test_both_networks_are_the_methods_own_and_the_sum_follows_them(tiny_classifier, faces):
    images, _ = faces(5)
    model = built(tiny_classifier())
    own = {id(v) for network in model.networks for v in network.trainable_variables}
    assert {id(v) for v in model.trainable_variables} == own
    assert {id(v) for v in model.classifier.trainable_variables} == own
    assert len(model.trainable_variables) == len(own)
    before = model.classifier.predict(images, verbose=0)
    for network, shift in zip(model.networks, (1.0, 0.5), strict=True):
        bias = network.layers[-1].bias
        bias.assign(bias.numpy() + np.full(3, shift))
    np.testing.assert_allclose(
        model.classifier.predict(images, verbose=0), before + 1.5, rtol=1e-5, atol=1e-5
    )


def test_each_network_goes_down_its_own_loss_alone(tiny_classifier):
    model = built(tiny_classifier())
    first, second = (network.layers[-1].bias for network in model.networks)
    starts = [bias.numpy() for bias in (first, second)]
    before = weights_of(model.networks)

    def objective():
        # Both losses depend on both networks; the second one's value of the first is the old one.
        others = [tf.reduce_sum(v.value) for v in model.trainable_variables]
        mixed = tf.reduce_sum(first.value * second.value) + 0.0 * sum(others)
        return (2.0 * mixed, 3.0 * mixed), "outcome"

    assert model.minimize_both(objective, tf.ones(())) == "outcome"
    np.testing.assert_allclose(first.numpy(), starts[0] - 0.5 * starts[1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(second.numpy(), starts[1] - 0.75 * starts[0], rtol=1e-5, atol=1e-6)
    for one, other in zip(before, weights_of(model.networks), strict=True):
        for start, end in zip(one[:-1], other[:-1], strict=True):
            np.testing.assert_array_equal(end, start)


def test_each_network_has_an_optimizer_of_its_own_made_as_the_compiled_one(tiny_classifier):
    model = built(
        tiny_classifier(), optimizer=eactf.optimizers.Adam(0.01, 0.7, coupled_weight_decay=1e-3)
    )
    one, other = model.optimizers
    assert one is model.optimizer and one is not other
    assert {**one.get_config(), "name": 0} == {**other.get_config(), "name": 0}
    assert all(optimizer.built for optimizer in (one, other))
    assert not {id(v) for v in one.variables} & {id(v) for v in other.variables}
    assert model.state().keys() >= {f"optimizer/{n:04d}" for n in range(len(one.variables) * 2)}


@pytest.mark.parametrize("dtype", [None, "mixed_float16"])
def test_the_second_optimizer_takes_the_learning_rate_of_the_first(tiny_classifier, dtype):
    model = built(tiny_classifier(dtype=dtype))
    model.optimizer.learning_rate = 0.125
    model.same_learning_rate()
    assert float(model.second_optimizer.learning_rate) == 0.125
    fall = keras.optimizers.schedules.ExponentialDecay(0.5, 1, 0.5)
    model = built(tiny_classifier(dtype=dtype), optimizer=eactf.optimizers.SGD(fall))
    model.same_learning_rate()
    assert float(model.second_optimizer.learning_rate) == 0.5


def test_losses_are_scaled_where_either_network_computes_in_float16(tiny_classifier):
    half = redrawn(tiny_classifier(dtype="mixed_float16"), 1)
    model = built(tiny_classifier(), half)
    assert all(isinstance(o, keras.optimizers.LossScaleOptimizer) for o in model.optimizers)
    plain = built(tiny_classifier())
    assert not any(isinstance(o, keras.optimizers.LossScaleOptimizer) for o in plain.optimizers)


def test_a_second_network_is_drawn_by_the_seed_or_is_the_one_given(tiny_classifier):
    drawn = [weights_of(built(tiny_classifier(), seed=seed).networks) for seed in (0, 0, 1)]
    for pair in drawn:
        np.testing.assert_array_equal(pair[0][0], drawn[0][0][0])  # the first as it was given
        assert np.abs(pair[0][0] - pair[1][0]).max() > 0.01
    np.testing.assert_array_equal(drawn[0][1][0], drawn[1][1][0])
    assert np.abs(drawn[0][1][0] - drawn[2][1][0]).max() > 0.01
    given = tiny_classifier()
    assert built(tiny_classifier(), given).networks[1] is given


def test_networks_that_are_one_or_share_or_do_not_match_are_refused(tiny_classifier):
    one = tiny_classifier()
    with pytest.raises(ValueError, match="one and the same, which cannot check itself"):
        built(one, one)
    with pytest.raises(ValueError, match=r"received images \(6, 6, 1\) and \(8, 8, 1\)"):
        built(one, tiny_classifier(size=8))
    with pytest.raises(ValueError, match="classes 3 and 4"):
        built(one, tiny_classifier(classes=4))
    other_head = keras.layers.Dense(3)(one.layers[-2].output)
    with pytest.raises(ValueError, match=r"share \d+ variables \(.*\): each must have its own"):
        built(one, keras.Model(one.input, other_head))
    inputs = keras.Input((6, 6, 1))
    decayed = keras.layers.Conv2D(2, 3, kernel_regularizer="l2", name="decayed")(inputs)
    pooled = keras.layers.GlobalAveragePooling2D()(decayed)
    with pytest.raises(ValueError, match="'decayed' of the classifier has a regularizer"):
        built(one, keras.Model(inputs, keras.layers.Dense(3)(pooled)))


def test_what_images_are_filled_with_and_warned_of_is_the_networks_own(tiny_classifier, faces):
    images, _ = faces(60, size=8)
    model = PairMethod(
        tiny_classifier(size=8),
        None,
        flip_probability=0.0,
        erasing=eactf.Erasing(1.0),
        augmentation=eactf.Views(crop_padding=3),
    )
    view = np.array(model.make_views(images))
    assert (view == 100.0).mean() > 0.1  # the mean of the tiny classifier's normalisation
    model.compile(optimizer="sgd")
    with pytest.warns(UserWarning, match="expects images in 0..255"):
        model.evaluate(images / 255, np.zeros(60), verbose=0)


def test_the_whole_method_comes_back_from_its_file_and_goes_on_alike(
    tiny_classifier, faces, tmp_path
):
    images, labels = faces(16)
    data = tf.data.Dataset.from_tensor_slices((images, labels, np.arange(16))).batch(8)
    model = eactf.CoTeaching(tiny_classifier(), ids=16, forget_rate=0.4, gradual=0)
    model.compile(optimizer=eactf.optimizers.Adam(0.01), metrics=["accuracy"])
    model.fit(data, epochs=1, verbose=0)
    model.save(tmp_path / "method.keras")
    again = keras.models.load_model(tmp_path / "method.keras")
    np.testing.assert_array_equal(
        again.predict_each(images, verbose=0), model.predict_each(images, verbose=0)
    )
    np.testing.assert_array_equal(again.selection, model.selection)
    for one, other in zip(model.optimizers, again.optimizers, strict=True):
        assert int(other.iterations) == int(one.iterations) == 2
        for variable, same in zip(one.variables, other.variables, strict=True):
            np.testing.assert_array_equal(same.numpy(), variable.numpy())
    for method in (model, again):
        method.fit(data, initial_epoch=1, epochs=2, verbose=0)
    for one, other in zip(model.networks, again.networks, strict=True):
        for variable, same in zip(one.variables, other.variables, strict=True):
            np.testing.assert_array_equal(same.numpy(), variable.numpy())


def test_the_configuration_has_both_networks(tiny_classifier):
    model = built(tiny_classifier(), redrawn(tiny_classifier(filters=4), 1), seed=3)
    again = PairMethod.from_config(model.get_config())
    assert [network.count_params() for network in again.networks] == [
        network.count_params() for network in model.networks
    ]
    assert again.networks[0].count_params() != again.networks[1].count_params()
    assert again.seed == 3


def test_a_second_network_that_is_given_has_the_place_in_a_state_of_one_that_is_drawn(
    tiny_classifier,
):
    drawn = with_momentum(eactf.TwoNetworks(tiny_classifier()))
    given = with_momentum(eactf.TwoNetworks(tiny_classifier(), tiny_classifier(filters=2)))
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
        model = with_momentum(method(tiny_classifier(dtype=policy), warm_up=1, **settings))
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


def test_averages_of_an_optimizer_are_refused(tiny_classifier):
    model = eactf.TwoNetworks(tiny_classifier())
    with pytest.raises(ValueError, match="takes no optimizer with use_ema"):
        model.compile(optimizer=keras.optimizers.SGD(0.1, use_ema=True))

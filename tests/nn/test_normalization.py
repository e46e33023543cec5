"""The fused batch normalisation against Keras' own layer."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from eactf.nn.normalization import (
    FusedBatchNormalization,
    can_fuse,
    composed_normalization,
    weighing_rows,
)

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(2.0, 3.0, (4, 5, 3, 6)).astype("float32")
UPSTREAM = RNG.normal(size=INPUTS.shape).astype("float32")


def layer_with(shape=(None, 5, 3, 6), **settings):
    layer = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-3, **settings)
    layer.build(shape)
    values = np.random.default_rng(1)
    for variable in layer.weights:
        variable.assign(values.uniform(0.5, 2.0, variable.shape))
    return layer


def outputs_and_gradients(call, layer, training):
    inputs = tf.constant(INPUTS)
    variables = [layer.gamma.value, layer.beta.value]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = call(inputs, training=training)
        loss = tf.reduce_sum(tf.cast(outputs, "float32") * UPSTREAM)
    return outputs.numpy(), [g.numpy() for g in tape.gradient(loss, [inputs, *variables])]


@pytest.mark.parametrize("training", [False, True])
def test_outputs_and_gradients_are_those_of_keras(training):
    plain, inner = layer_with(), layer_with()
    expected, expected_gradients = outputs_and_gradients(plain, plain, training)
    got, gradients = outputs_and_gradients(FusedBatchNormalization(inner), inner, training)
    np.testing.assert_allclose(got, expected, atol=2e-5)
    for gradient, expected_gradient in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(gradient, expected_gradient, rtol=2e-4, atol=1e-4)


def test_the_moving_statistics_take_the_mean_and_the_unbiased_variance():
    inner = layer_with()
    mean, variance = inner.moving_mean.numpy(), inner.moving_variance.numpy()
    FusedBatchNormalization(inner)(INPUTS, training=True)
    rows = INPUTS.reshape(-1, 6).astype("float64")
    np.testing.assert_allclose(
        inner.moving_mean.numpy(), 0.9 * mean + 0.1 * rows.mean(axis=0), rtol=1e-5
    )
    np.testing.assert_allclose(
        inner.moving_variance.numpy(), 0.9 * variance + 0.1 * rows.var(axis=0, ddof=1), rtol=1e-5
    )


def test_inference_and_frozen_layers_move_nothing():
    inner = layer_with()
    before = [variable.numpy() for variable in inner.weights]
    FusedBatchNormalization(inner)(INPUTS, training=False)
    inner.trainable = False
    frozen = FusedBatchNormalization(inner)(INPUTS, training=True).numpy()
    for variable, value in zip(inner.weights, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    np.testing.assert_allclose(frozen, inner(INPUTS, training=False).numpy(), atol=2e-5)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_low_precision_keeps_float32_statistics(dtype):
    inner = layer_with(dtype=dtype)
    outputs = FusedBatchNormalization(inner)(INPUTS, training=True)
    assert outputs.dtype == dtype.removeprefix("mixed_")
    expected = layer_with()(INPUTS, training=True).numpy()
    np.testing.assert_allclose(tf.cast(outputs, "float32"), expected, atol=0.05)
    mean = INPUTS.mean(axis=(0, 1, 2))
    np.testing.assert_allclose(
        inner.moving_mean.numpy(), 0.9 * layer_with().moving_mean.numpy() + 0.1 * mean, rtol=5e-3
    )


def by_moving_averages(layer, rows):
    """What `layer` makes of `rows` in evaluation, in float64."""
    mean, variance = layer.moving_mean.numpy(), layer.moving_variance.numpy().astype("float64")
    gamma = 1.0 if layer.gamma is None else layer.gamma.numpy()
    beta = 0.0 if layer.beta is None else layer.beta.numpy()
    return (rows - mean) / np.sqrt(variance + 1e-3) * gamma + beta


@pytest.mark.parametrize("shape", [(1, 1), (None, None)], ids=str)
def test_one_position_of_one_image_is_normalised_by_the_moving_averages_and_moves_none(shape):
    inner = layer_with((None, *shape, 6))
    before = [variable.numpy() for variable in inner.weights]
    fused = FusedBatchNormalization(inner)
    expected = by_moving_averages(inner, INPUTS[:1, :1, :1])
    step = tf.function(
        lambda rows: fused(rows, training=True), input_signature=[tf.TensorSpec((None, *shape, 6))]
    )
    np.testing.assert_allclose(step(INPUTS[:1, :1, :1]), expected, rtol=1e-5, atol=1e-5)
    for variable, value in zip(inner.weights, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    outputs = step(INPUTS[:2, :1, :1]).numpy().reshape(2, 6)
    np.testing.assert_allclose(outputs.mean(axis=0), inner.beta.numpy(), atol=1e-5)
    two = INPUTS[:2, 0, 0].astype("float64")
    for variable, old, new in [
        (inner.moving_mean, before[2], two.mean(axis=0)),
        (inner.moving_variance, before[3], two.var(axis=0, ddof=1)),
    ]:
        np.testing.assert_allclose(variable.numpy(), 0.9 * old + 0.1 * new, rtol=1e-5)


@pytest.mark.parametrize("affine", [True, False])
def test_a_lone_row_is_normalised_by_the_moving_averages_and_moves_none(affine):
    layer = layer_with((None, 6), scale=affine, center=affine)
    before = [variable.numpy() for variable in layer.weights]
    rows = tf.constant(INPUTS[:1, 0, 0])
    with tf.GradientTape() as tape:
        tape.watch(rows)
        outputs = composed_normalization(layer, rows)
        loss = tf.reduce_sum(outputs)
    np.testing.assert_allclose(outputs, by_moving_averages(layer, rows.numpy()), rtol=1e-5)
    for variable, value in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    gamma = layer.gamma.numpy() if affine else 1.0
    slope = gamma / np.sqrt(layer.moving_variance.numpy() + 1e-3)
    np.testing.assert_allclose(tape.gradient(loss, rows)[0], slope * np.ones(6), rtol=1e-4)
    composed_normalization(layer, tf.constant(INPUTS[:2, 0, 0]))
    assert (layer.moving_mean.numpy() != before[-2]).all()


def test_a_lone_row_among_two_replicas_moves_nothing_on_either(two_devices):
    with two_devices.scope():
        layer = layer_with((None, 6), synchronized=True)
    before = [variable.numpy() for variable in layer.weights]
    expected = by_moving_averages(layer, INPUTS[:1, 0, 0])

    def replica(weight):
        with weighing_rows(weight):
            return composed_normalization(layer, tf.constant(INPUTS[:1, 0, 0]))

    weights = two_devices.experimental_distribute_values_from_function(
        lambda context: tf.constant([1.0, 0.0][context.replica_id_in_sync_group])
    )
    got = two_devices.run(replica, (weights,))
    first = two_devices.experimental_local_results(got)[0]
    np.testing.assert_allclose(first, expected, rtol=1e-5)
    for variable, value in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


@pytest.mark.parametrize(
    "settings",
    [
        {"shape": (None, 6)},
        {"shape": (None, 5, 6)},
        {"axis": 1},
        {"scale": False},
        {"center": False},
        {"dtype": "bfloat16"},
        {"dtype": "float64"},
        {"renorm": True},
    ],
    ids=str,
)
def test_layers_that_the_kernel_does_not_compute_are_left_alone(settings):
    assert not can_fuse(layer_with(**settings))


def test_other_layers_and_unbuilt_ones_are_left_alone():
    assert not can_fuse(keras.layers.LayerNormalization())
    assert not can_fuse(keras.layers.BatchNormalization())


@pytest.mark.parametrize("settings", [{}, {"axis": 3}, {"synchronized": True}])
def test_plain_layers_over_the_last_axis_are_fused(settings):
    assert can_fuse(layer_with(**settings))


def test_synchronised_statistics_are_those_of_the_whole_batch_and_no_blank_row_counts(
    two_devices,
):
    with two_devices.scope():
        inner = layer_with(synchronized=True)
        fused = FusedBatchNormalization(inner)
    single = layer_with()
    expected = FusedBatchNormalization(single)(INPUTS[:3], training=True).numpy()

    def replica(rows, weight):
        with weighing_rows(weight):
            return fused(rows, training=True)

    rows = [INPUTS[:3], np.full_like(INPUTS[:1], 1e3)]
    distributed = two_devices.experimental_distribute_values_from_function(
        lambda context: tf.constant(rows[context.replica_id_in_sync_group])
    )
    weights = two_devices.experimental_distribute_values_from_function(
        lambda context: tf.constant([1.0, 0.0][context.replica_id_in_sync_group])
    )
    got = two_devices.run(replica, (distributed, weights))
    np.testing.assert_allclose(two_devices.experimental_local_results(got)[0], expected, atol=2e-5)
    for variable, other in zip(inner.weights, single.weights, strict=True):
        np.testing.assert_allclose(variable.numpy(), other.numpy(), rtol=1e-5, atol=1e-5)

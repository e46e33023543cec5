"""Kernels over their largest singular value, against NumPy's decomposition."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from numeric_slope import slope

from eactf.nn.adversarial import SpectralNormalized

RNG = np.random.default_rng(0)
KINDS = {
    "dense": (layers.Dense, {"units": 4}, (3, 6)),
    "convolution": (
        layers.Conv2D,
        {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"},
        (2, 5, 6, 2),
    ),
    "transposed": (
        layers.Conv2DTranspose,
        {"filters": 3, "kernel_size": (4, 2), "strides": 2, "padding": "same"},
        (2, 3, 4, 2),
    ),
}
KINDS_OF_LAYERS = pytest.mark.parametrize("kind", KINDS)


def made(kind, seed=1, **settings):
    """A wrapped layer, built, and inputs for it."""
    maker, own, shape = KINDS[kind]
    layer = SpectralNormalized(maker(**{"activation": "tanh", **own, **settings}), seed=seed)
    layer.build((None, *shape[1:]))
    numbers = np.random.default_rng(2)
    layer.layer.set_weights([numbers.normal(size=v.shape) for v in layer.layer.weights])
    return layer, numbers.normal(size=shape)


def train(layer, inputs, calls=300):
    """Many training calls, in a graph."""
    call = tf.function(lambda: layer(inputs, training=True))
    for _ in range(calls):
        call()


def flat(kernel, kind):
    """M: the axis of the outputs first, all others flattened."""
    return np.moveaxis(kernel, 2 if kind == "transposed" else -1, 0).reshape(
        kernel.shape[2] if kind == "transposed" else kernel.shape[-1], -1
    )


def sigma(layer, kind):
    u, v, kernel = (np.float64(x.numpy()) for x in (layer.u, layer.v, layer.layer.kernel))
    return u @ flat(kernel, kind) @ v


@KINDS_OF_LAYERS
def test_repeated_training_calls_find_the_largest_singular_value(kind):
    layer, inputs = made(kind)
    train(layer, inputs)
    matrix = flat(layer.layer.kernel.numpy(), kind)
    largest = np.linalg.svd(matrix, compute_uv=False)[0]
    assert sigma(layer, kind) == pytest.approx(largest, rel=1e-4)
    values = np.linalg.svd(matrix / sigma(layer, kind), compute_uv=False)
    assert values[0] == pytest.approx(1.0, rel=1e-4)


@KINDS_OF_LAYERS
def test_a_training_call_takes_one_step_of_power_iteration_and_leaves_the_kernel(kind):
    layer, inputs = made(kind)
    u, kernel = np.float64(layer.u.numpy()), layer.layer.kernel.numpy()
    assert np.linalg.norm(u) == pytest.approx(1.0, abs=1e-6)
    layer(inputs, training=True)
    v = flat(kernel, kind).T @ u
    u = flat(kernel, kind) @ (v / np.linalg.norm(v))
    np.testing.assert_allclose(layer.v, v / np.linalg.norm(v), atol=1e-6)
    np.testing.assert_allclose(layer.u, u / np.linalg.norm(u), atol=1e-6)
    np.testing.assert_array_equal(layer.layer.kernel, kernel)


@KINDS_OF_LAYERS
def test_the_outputs_are_those_of_the_layer_with_the_divided_kernel(kind):
    layer, inputs = made(kind)
    found = layer(inputs, training=True)
    plain = type(layer.layer).from_config(layer.layer.get_config())
    plain.build(inputs.shape)
    kernel, bias = layer.layer.get_weights()
    plain.set_weights([kernel / sigma(layer, kind), bias])
    np.testing.assert_allclose(found, plain(inputs), atol=1e-5)
    assert found.shape == layer.compute_output_spec(keras.KerasTensor(inputs.shape)).shape


@KINDS_OF_LAYERS
def test_evaluation_takes_u_and_v_as_they_are(kind):
    layer, inputs = made(kind)
    trained = layer(inputs, training=True)
    before = [layer.u.numpy(), layer.v.numpy()]
    np.testing.assert_allclose(layer(inputs, training=False), trained, atol=1e-6)
    np.testing.assert_allclose(layer(inputs), trained, atol=1e-6)
    np.testing.assert_array_equal(layer.u, before[0])
    np.testing.assert_array_equal(layer.v, before[1])


def test_a_frozen_layer_goes_on_to_iterate():
    layer, inputs = made("dense")
    layer.trainable = False
    before = layer.u.numpy()
    layer(inputs, training=True)
    assert np.abs(layer.u.numpy() - before).max() > 1e-3
    assert layer.trainable_variables == []


@KINDS_OF_LAYERS
@pytest.mark.parametrize("training", [True, False])
def test_the_gradient_passes_through_sigma_with_u_and_v_held(kind, training):
    layer, inputs = made(kind, dtype="float64", activation=None)
    kernel = layer.layer.kernel
    upstream = RNG.normal(size=layer(inputs, training=True).shape)

    def loss(training):
        return tf.reduce_sum(layer(inputs, training=training) * upstream)

    def at(values):
        kernel.assign(values)
        return loss(training=False)

    with tf.GradientTape() as tape:
        value = loss(training)
    gradient = tape.gradient(value, kernel.value).numpy()
    original = kernel.numpy()
    np.testing.assert_allclose(gradient, slope(at, original), atol=1e-8)
    kernel.assign(original)
    np.testing.assert_allclose(gradient, closed_form(layer, inputs, upstream, kind), atol=1e-10)


def closed_form(layer, inputs, upstream, kind):
    """(G - <G, W / sigma> u v^T) / sigma, G the plain layer's gradient: it is linear in W."""
    plain = type(layer.layer).from_config(layer.layer.get_config())
    plain.build(inputs.shape)
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(plain(inputs) * upstream)
    outer = tape.gradient(value, plain.kernel.value).numpy()
    kernel, largest = layer.layer.kernel.numpy(), sigma(layer, kind)
    directions = np.outer(layer.u.numpy(), layer.v.numpy())
    if kind == "transposed":
        height, width, outputs, count = kernel.shape
        directions = directions.reshape(outputs, height, width, count).transpose(1, 2, 0, 3)
    else:
        directions = directions.T.reshape(kernel.shape)
    return (outer - np.sum(outer * kernel) / largest * directions) / largest


def test_a_transposed_kernel_is_flattened_along_its_outputs():
    layer, inputs = made("transposed")
    assert (layer.u.shape, layer.v.shape) == ((3,), (4 * 2 * 2,))
    train(layer, inputs)
    kernel = layer.layer.kernel.numpy()
    by_inputs = np.linalg.svd(np.moveaxis(kernel, -1, 0).reshape(2, -1), compute_uv=False)[0]
    assert abs(sigma(layer, "transposed") - by_inputs) > 0.05


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_half_types_divide_in_float32(dtype):
    layer = SpectralNormalized(layers.Dense(200, use_bias=False, dtype=dtype), seed=0)
    layer.build((None, 200))
    layer.layer.kernel.assign(np.full((200, 200), 400.0))  # a sigma of 80,000, past float16
    for _ in range(3):
        outputs = layer(np.ones((1, 200), "float32"), training=True)
    assert outputs.dtype == dtype.removeprefix("mixed_")
    assert layer.u.dtype == "float32"
    np.testing.assert_allclose(tf.cast(outputs, "float32"), 1.0, atol=0.02)


def test_a_half_type_around_it_does_not_round_the_kernel():
    layer, inputs = made("dense", dtype="mixed_bfloat16", activation=None)
    model = keras.Sequential([keras.Input((6,)), layer])
    same, _ = made("dense", activation=None)
    same.layer.set_weights(layer.layer.get_weights())
    for _ in range(2):
        model(inputs.astype("float32"), training=True)
        same(inputs, training=True)
    np.testing.assert_allclose(layer.u, same.u, atol=1e-6)


def test_a_saved_layer_comes_back_with_its_directions(tmp_path):
    layer, inputs = made("convolution")
    model = keras.Sequential([keras.Input((5, 6, 2)), layer])
    expected = model(inputs, training=True)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(inputs), expected, atol=1e-6)
    (loaded,) = again.layers
    assert isinstance(loaded, SpectralNormalized) and loaded.seed == 1
    np.testing.assert_array_equal(loaded.v, layer.v)


def test_the_seed_fixes_where_u_and_v_start():
    first, second, other = (made("dense", seed=seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.u, second.u)
    assert np.abs(first.u.numpy() - other.u.numpy()).max() > 1e-3
    assert np.abs(first.u.numpy()[:4] - first.v.numpy()[:4]).max() > 1e-3


def test_two_devices_iterate_alike_and_as_one(two_devices):
    with two_devices.scope():
        layer, inputs = made("convolution")
    alone, _ = made("convolution")
    rows = tf.constant(inputs, "float32")

    @tf.function
    def step():
        def replica():
            first = layer(rows, training=True)
            return first, layer(rows, training=True), layer.u.value

        return two_devices.run(replica)

    found = [two_devices.experimental_local_results(part) for part in step()]
    expected = [alone(rows, training=True), alone(rows, training=True), alone.u]
    for parts, value in zip(found, expected, strict=True):
        for part in parts:
            np.testing.assert_allclose(part, value, atol=1e-6)
    np.testing.assert_allclose(layer.v.numpy(), alone.v.numpy(), atol=1e-6)


def test_directions_that_are_loaded_are_those_of_every_device(two_devices):
    with two_devices.scope():
        layer, _ = made("dense")
    other, inputs = made("dense", seed=2)
    other(inputs, training=True)
    layer.set_weights(other.get_weights())
    np.testing.assert_array_equal(layer.u.numpy(), other.u.numpy())
    read = two_devices.run(tf.function(lambda: layer.u.value + 0.0))
    for part in two_devices.experimental_local_results(read):
        np.testing.assert_array_equal(part, other.u.numpy())


@pytest.mark.parametrize(
    "layer", [layers.Conv1D(2, 3), layers.DepthwiseConv2D(3), layers.ReLU()], ids=lambda x: x.name
)
def test_other_layers_are_refused(layer):
    with pytest.raises(ValueError, match="layer must be a Keras Dense, Conv2D or Conv2DTranspose"):
        SpectralNormalized(layer)

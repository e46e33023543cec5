"""Attention over the positions of a map, against NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from eactf.nn.adversarial import SelfAttention

MAPS = np.random.default_rng(0).normal(size=(2, 4, 6, 8)).astype("float32")


def built(gamma, dtype=None):
    layer = SelfAttention(seed=0, dtype=dtype)
    layer.build(MAPS.shape)
    layer.gamma.assign(gamma)
    return layer


def divided(wrapped):
    """The kernel of a 1x1 convolution over its sigma, `(inputs, outputs)`."""
    kernel = wrapped.layer.kernel.numpy()[0, 0].astype("float64")
    return kernel / (wrapped.v.numpy() @ kernel @ wrapped.u.numpy())


def pooled(maps):
    """The greatest of every 2x2 positions."""
    count, height, width, channels = maps.shape
    return maps.reshape(count, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))


def test_gamma_starts_at_nought_where_the_layer_is_the_identity():
    layer = SelfAttention(seed=0)
    np.testing.assert_array_equal(layer(MAPS, training=True), MAPS)
    assert float(layer.gamma) == 0.0


def test_at_nought_only_gamma_has_a_gradient():
    layer, maps = built(0.0), tf.constant(MAPS)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(maps, training=True) * MAPS[::-1])
    variables = [variable.value for variable in layer.trainable_variables]
    for variable, gradient in zip(
        layer.trainable_variables, tape.gradient(loss, variables), strict=True
    ):
        assert (np.abs(gradient).max() > 1e-4) == (variable is layer.gamma)


def test_every_position_gathers_from_all_pooled_ones():
    layer = built(0.7)
    found = layer(MAPS, training=True)
    theta, phi, g, o = (divided(x) for x in (layer.theta, layer.phi, layer.g, layer.o))
    assert (theta.shape, g.shape, o.shape) == ((8, 1), (8, 4), (4, 8))
    expected = MAPS.astype("float64")
    for image, keys, values in zip(expected, pooled(MAPS @ phi), pooled(MAPS @ g), strict=True):
        rows, told = keys.reshape(6, -1), values.reshape(6, -1)
        for position in np.ndindex(image.shape[:2]):
            scores = rows @ (image[position] @ theta)
            shares = np.exp(scores) / np.exp(scores).sum()
            image[position] += 0.7 * (shares @ told) @ o
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_half_types_stay_close_and_keep_their_type():
    layer, plain = built(0.7, "mixed_bfloat16"), built(0.7)
    outputs = layer(MAPS, training=True)
    assert outputs.dtype == "bfloat16"
    np.testing.assert_allclose(
        tf.cast(outputs, "float32"), plain(MAPS, training=True), atol=0.05, rtol=0.02
    )


def test_a_saved_layer_comes_back(tmp_path):
    model = keras.Sequential([keras.Input((4, 6, 8)), built(0.7)])
    expected = model(MAPS, training=True)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(MAPS), expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 4, 8), (2, 1, 4, 8), (2, 4, 4, None)], ids=str)
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"maps must be \(n, height, width, channels\)"):
        SelfAttention().build(shape)

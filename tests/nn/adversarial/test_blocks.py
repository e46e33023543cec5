"""The discriminator's blocks, against the same put together of plain layers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from eactf.nn.adversarial import BranchedDense, DiscriminatorBlock

RNG = np.random.default_rng(0)
MAPS = RNG.normal(size=(2, 5, 6, 3)).astype("float32")
ROWS = RNG.normal(size=(4, 7)).astype("float32")


def plain(wrapped):
    """The wrapped layer with the divided kernel in the place of its own."""
    kernel, bias = wrapped.layer.get_weights()
    layer = type(wrapped.layer).from_config(wrapped.layer.get_config())
    layer.build((None, *(None,) * (kernel.ndim - 2), kernel.shape[-2]))
    matrix = kernel.reshape(-1, kernel.shape[-1])
    layer.set_weights([kernel / (wrapped.v.numpy() @ matrix @ wrapped.u.numpy()), bias])
    return layer


def halved(maps):
    count, height, width, channels = maps.shape
    maps = maps[:, : height // 2 * 2, : width // 2 * 2]
    return maps.reshape(count, height // 2, 2, width // 2, 2, channels).mean(axis=(2, 4))


@pytest.mark.parametrize("preactivate", [True, False])
@pytest.mark.parametrize("downsample", [True, False])
@pytest.mark.parametrize("out", [3, 5])
def test_a_block_is_two_convolutions_beside_a_shortcut(out, preactivate, downsample):
    block = DiscriminatorBlock(out, preactivate, downsample, seed=0)
    found = block(MAPS, training=True)
    x = np.maximum(MAPS, 0) if preactivate else MAPS
    x = plain(block.second)(ops.relu(plain(block.first)(x))).numpy()
    has_own = downsample or out != 3
    shortcut = plain(block.shortcut)(MAPS).numpy() if has_own else MAPS
    assert (block.shortcut is not None) == has_own
    expected = halved(x) + halved(shortcut) if downsample else x + shortcut
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-4)
    assert found.shape == block.compute_output_shape(MAPS.shape)


def test_branches_are_added_to_the_dense_layer_they_stand_on():
    layer = BranchedDense(5, seed=0)
    found = layer(ROWS, training=True)
    expected = plain(layer.stem)(ROWS)
    rectified = ops.relu(expected)
    for first, second in layer.branches:
        expected = expected + plain(second)(ops.relu(plain(first)(rectified)))
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-4)
    assert (len(layer.branches), found.shape) == (4, layer.compute_output_shape(ROWS.shape))


def test_every_layer_starts_uniform_in_one_over_the_root_of_its_inputs():
    block = DiscriminatorBlock(64, seed=3)
    block.build((None, 8, 8, 32))
    for layer, inputs in ((block.first, 32 * 9), (block.second, 64 * 9), (block.shortcut, 32)):
        for values in layer.layer.get_weights():
            assert 0.8 < np.abs(values).max() * np.sqrt(inputs) <= 1.0
            assert values.std() * np.sqrt(3 * inputs) == pytest.approx(1.0, abs=0.25)
    starts = [v.numpy().ravel()[:8] for v in block.weights if v.name == "bias"]
    assert len({values.round(6).tobytes() for values in starts}) == len(starts)


@pytest.mark.parametrize("layer", [BranchedDense(5, seed=1), DiscriminatorBlock(4, seed=1)])
def test_a_saved_layer_comes_back(tmp_path, layer):
    inputs = ROWS if isinstance(layer, BranchedDense) else MAPS
    model = keras.Sequential([keras.Input(inputs.shape[1:]), layer])
    expected = model(inputs, training=True)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(inputs), expected, atol=1e-5)
    assert again.layers[0].get_config() == layer.get_config()


def test_half_types_stay_close_and_keep_their_type():
    for kind, inputs in ((BranchedDense, ROWS), (DiscriminatorBlock, MAPS)):
        found = kind(8, seed=0, dtype="mixed_float16")(inputs, training=True)
        expected = kind(8, seed=0)(inputs, training=True)
        assert found.dtype == "float16"
        np.testing.assert_allclose(tf.cast(found, "float32"), expected, atol=0.02, rtol=0.02)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"inputs must be \(n, height, width, channels\)"):
        DiscriminatorBlock(4).build((None, 1, 4, 3))
    DiscriminatorBlock(3, downsample=False).build((None, 1, 1, 3))
    with pytest.raises(ValueError, match=r"inputs must be \(n, channels\)"):
        BranchedDense(4).build((None, 3, 3))

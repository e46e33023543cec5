"""Residual networks against the numbers of the literature and a convolution in NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from eactf import build_classifier
from eactf.nn.resnet import resnet


def backbone(depth, *, size=32, channels=3, width=4, stem="imagenet", **settings):
    inputs = keras.Input((size, size, channels))
    return keras.Model(inputs, resnet(inputs, depth, stem=stem, width=width, **settings))


def trained_parameters(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


@pytest.mark.parametrize(
    "depth, parameters",
    [("resnet18", 11_176_512), ("resnet34", 21_284_672), ("resnet50", 23_508_032)],
)
def test_parameters_are_those_of_the_reference_networks(depth, parameters):
    assert trained_parameters(backbone(depth, width=64)) == parameters


def test_the_head_of_seven_classes_adds_3591_parameters_to_resnet18():
    classifier = build_classifier("resnet18", image_size=32, classes=7)
    assert trained_parameters(classifier) == 11_176_512 + 3_591


@pytest.mark.parametrize(
    "stem, size, side",
    [
        ("imagenet", 224, 7),
        ("imagenet", 100, 4),
        ("imagenet", 48, 2),
        ("small", 48, 6),
        ("small", 32, 4),
        ("compact", 48, 3),
        ("compact", 64, 4),
    ],
)
def test_each_stem_gives_its_map_size(stem, size, side):
    assert backbone("resnet10", size=size, stem=stem).output_shape == (None, side, side, 32)


def test_a_bottleneck_is_four_times_as_wide_at_its_end():
    assert backbone("resnet50", size=64).output_shape == (None, 2, 2, 128)


def correlate(images, kernel, stride, padding):
    """Convolution with the same zero padding on all four sides, as torch's Conv2d(padding=)."""
    side = kernel.shape[0]
    padded = np.pad(images, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
    places = range(0, padded.shape[1] - side + 1, stride)
    return np.stack(
        [
            np.stack(
                [
                    np.einsum("nhwc,hwco->no", padded[:, y : y + side, x : x + side], kernel)
                    for x in places
                ],
                axis=1,
            )
            for y in places
        ],
        axis=1,
    )


@pytest.mark.parametrize(
    "layer, size, kernel, stride",
    [
        ("stem_conv", 14, 7, 2),
        ("stem_conv", 13, 7, 2),
        ("stage2_block1_1_conv", 28, 3, 2),
        ("stage1_block1_1_conv", 28, 3, 1),
        ("stage2_block1_shortcut_conv", 28, 1, 2),
    ],
)
def test_padding_is_symmetric_as_in_torch(layer, size, kernel, stride):
    model = backbone("resnet10", size=size, channels=2)
    conv = model.get_layer(layer)
    source = conv.input._keras_history.operation
    if layer.replace("conv", "pad") in {other.name for other in model.layers}:
        source = source.input._keras_history.operation
    start = source.output
    images = np.random.default_rng(0).normal(size=(2, *start.shape[1:])).astype("float32")
    x = images
    if source is not conv.input._keras_history.operation:
        x = model.get_layer(layer.replace("conv", "pad"))(x)
    weights = conv.kernel.numpy()
    assert (weights.shape[0], conv.strides[0]) == (kernel, stride)
    expected = correlate(images.astype("float64"), weights, stride, kernel // 2)
    np.testing.assert_allclose(conv(x), expected, atol=1e-5)


def test_the_pool_of_the_stem_pads_all_four_sides():
    model = backbone("resnet10", size=14, channels=1)
    maps = np.random.default_rng(0).uniform(size=(1, 7, 7, 4)).astype("float32")
    pooled = model.get_layer("stem_pool")(model.get_layer("stem_pool_pad")(maps)).numpy()
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1), (0, 0)))
    for y, x in np.ndindex(4, 4):
        window = padded[0, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3]
        np.testing.assert_array_equal(pooled[0, y, x], window.max(axis=(0, 1)))


def test_kernels_start_from_a_normal_of_variance_two_over_fan_out():
    model = backbone("resnet10", width=32, seed=0)
    kernel = model.get_layer("stage2_block1_2_conv").kernel.numpy()
    np.testing.assert_allclose(kernel.std(), np.sqrt(2 / (9 * 64)), rtol=0.02)
    assert abs(kernel.mean()) < 1e-3


def test_the_seed_fixes_every_kernel_and_no_two_layers_start_alike():
    first, same, other = (backbone("resnet10", seed=seed) for seed in (1, 1, 2))
    for one, two in zip(first.weights, same.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())
    kernels = [weight.numpy() for weight in first.weights if weight.name == "kernel"]
    kernels += [weight.numpy() for weight in other.weights if weight.name == "kernel"]
    assert len({kernel.tobytes() for kernel in kernels}) == len(kernels)


def test_an_unknown_depth_or_stem_is_refused_by_name():
    with pytest.raises(ValueError, match="depth='resnet19'"):
        backbone("resnet19")
    with pytest.raises(ValueError, match="stem='tiny'"):
        backbone("resnet10", stem="tiny")

"""Attention consistency: its loss against NumPy at two and four views, its refusals."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import eactf


def built(classifier, *arguments, **settings):
    model = eactf.AttentionConsistency(classifier, *arguments, **settings)
    model.compile(optimizer=eactf.optimizers.SGD(0.25), metrics=["accuracy"])
    return model


def cross_entropy(logits, labels):
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -logs[np.arange(len(labels)), labels].mean()


def expected_parts(model, images, labels, sizes):
    """Cross-entropy over all views and the distances of maps, from the feature maps."""
    kernel, bias = (v.numpy().astype("float64") for v in model.head.trainable_variables)
    losses, cams = [], []
    for network, size in zip(model.networks, sizes, strict=True):
        both = np.concatenate([images, images[:, :, ::-1]])
        both = tf.image.resize(both, (size, size), antialias=True).numpy()
        features = network(both)[0].numpy().astype("float64")
        logits = features.mean(axis=(1, 2)) @ kernel + bias
        losses += [cross_entropy(half, labels) for half in np.split(logits, 2)]
        cams.append(features @ kernel)
    flips = []
    for cam in cams:
        first, second = np.split(cam, 2)
        flips.append(np.mean((first - second[:, :, ::-1]) ** 2))
    return np.mean(losses), np.sum(flips), cams


@pytest.mark.parametrize("views", [2, 4])
def test_the_loss_is_that_of_the_paper(tiny_classifier, faces, views):
    images, labels = faces(4)
    model = built(tiny_classifier(norm=False), 3.0, views=views)
    sizes = [6, 4][: views // 2]  # a map of 4 x 4 and the next smaller: round(6 * 3 / 4)
    entropy, flips, cams = expected_parts(model, images, labels, sizes)
    scale = 0.0
    if views == 4:
        assert [cam.shape[1] for cam in cams] == [4, 2]
        scale = np.mean((cams[0] - cams[1].repeat(2, axis=1).repeat(2, axis=2)) ** 2)
    logs = model.train_step((tf.constant(images), tf.constant(labels)))
    assert float(logs["cross_entropy"]) == pytest.approx(entropy, rel=1e-5)
    assert float(logs["consistency"]) == pytest.approx(flips, rel=1e-5)
    if views == 4:
        assert float(logs["scale_consistency"]) == pytest.approx(scale, rel=1e-4)
    assert float(logs["loss"]) == pytest.approx(entropy + 3.0 * (flips + scale), rel=1e-5)


def test_the_dense_layer_learns_from_both_views_and_not_from_the_maps(tiny_classifier, faces):
    images, labels = faces(4)
    for weight in (0.0, 50.0):
        model = built(tiny_classifier(norm=False), weight)
        kernel, bias = (v.numpy().astype("float64") for v in model.head.trainable_variables)
        expected = np.zeros_like(kernel)
        for view in (images, images[:, :, ::-1]):
            pooled = model.network(view)[0].numpy().mean(axis=(1, 2))
            powers = np.exp(pooled @ kernel + bias)
            error = powers / powers.sum(axis=1, keepdims=True) - np.eye(3)[labels]
            expected += pooled.T @ error / 4 / 2
        model.train_step((tf.constant(images), tf.constant(labels)))
        moved = (kernel - model.head.kernel.numpy()) / 0.25
        np.testing.assert_allclose(moved, expected, atol=1e-5)


def test_images_are_not_erased(tiny_classifier, faces):
    images, _ = faces(50)
    (view,) = built(tiny_classifier()).make_views(tf.constant(images))
    np.testing.assert_array_equal(view, np.concatenate([images, images[:, :, ::-1]]))


def test_a_map_of_one_position_is_refused_with_the_way_out():
    network = eactf.build_classifier("resnet10", image_size=32, channels=1, classes=3, width=4)
    for method in (eactf.AttentionConsistency, eactf.EAC):
        with pytest.raises(ValueError, match=r"1 x 1.*Use larger images, or a stem") as refusal:
            method(network)
    assert "stem='small'" in str(refusal.value)


@pytest.mark.parametrize(
    "settings, message",
    [({"views": 3}, "views must be 2 or 4"), ({"consistency_weight": -1.0}, "must be >= 0")],
)
def test_settings_that_make_no_sense_are_refused(tiny_classifier, settings, message):
    with pytest.raises(ValueError, match=message):
        eactf.AttentionConsistency(tiny_classifier(), **settings)


def test_a_method_saved_whole_opens_again(tiny_classifier, faces, tmp_path):
    images, labels = faces(8)
    model = built(tiny_classifier(), views=4)
    model.fit(images, labels, epochs=1, verbose=0)
    model.save(tmp_path / "ac.keras")
    again = keras.models.load_model(tmp_path / "ac.keras")
    assert again.views == 4
    np.testing.assert_allclose(
        again.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-6
    )


@pytest.mark.parametrize("stem", ["imagenet", "small", "compact"])
def test_residual_networks_open_at_the_smaller_size(stem):
    network = eactf.build_classifier(
        "resnet10", image_size=96, channels=1, classes=3, width=4, stem=stem
    )
    model = built(network, views=4)
    side = model.map_size[0]
    assert model.networks[1].outputs[0].shape[1:3] == (side - 1, side - 1)


def test_the_weight_may_be_ramped(tiny_classifier, faces):
    images, labels = faces(4)
    model = built(tiny_classifier(norm=False), 3.0, consistency_ramp=2.0)
    logs = model.fit(images, labels, batch_size=4, epochs=2, verbose=0).history
    for epoch, weight in enumerate([0.0, 1.5]):
        entropy, distance = logs["cross_entropy"][epoch], logs["consistency"][epoch]
        assert logs["loss"][epoch] == pytest.approx(entropy + weight * distance, rel=1e-5)
    with pytest.raises(ValueError, match="consistency_ramp must be >= 0"):
        built(tiny_classifier(), consistency_ramp=-1.0)

"""The baseline: its step against NumPy, its one view."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import eactf

RATE = 0.25


@pytest.mark.parametrize("soft", [False, True], ids=["hard", "soft"])
def test_a_step_moves_the_head_by_the_mean_gradient_of_cross_entropy(tiny_classifier, faces, soft):
    images, labels = faces(6)
    classifier = tiny_classifier(norm=False)
    model = eactf.CrossEntropy(
        classifier, erasing=eactf.Erasing(probability=0.0), flip_probability=0.0
    )
    model.compile(optimizer=eactf.optimizers.SGD(RATE), metrics=["accuracy"])
    features = model.network(images)[0].numpy().mean(axis=(1, 2)).astype("float64")
    kernel, bias = (variable.numpy() for variable in model.head.trainable_variables)
    rows = np.random.default_rng(1).dirichlet(np.ones(3), 6) if soft else np.eye(3)[labels]

    logs = model.train_step((tf.constant(images), tf.constant(rows if soft else labels)))

    logits = features @ kernel + bias
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    loss = -(rows * np.log(probabilities)).sum(axis=1).mean()
    np.testing.assert_allclose(float(logs["loss"]), loss, rtol=1e-5)
    accuracy = (logits.argmax(axis=1) == rows.argmax(axis=1)).mean()
    np.testing.assert_allclose(float(logs["accuracy"]), accuracy, rtol=1e-6)
    gradient = (probabilities - rows) / 6
    np.testing.assert_allclose(
        (kernel - model.head.kernel.numpy()) / RATE, features.T @ gradient, atol=1e-5
    )
    np.testing.assert_allclose(
        (bias - model.head.bias.numpy()) / RATE, gradient.sum(axis=0), atol=1e-5
    )


def test_images_are_mirrored_with_the_probability_asked_for(tiny_classifier, faces):
    images, _ = faces(2000)
    for probability, low, high in [(0.0, 0, 0), (0.5, 0.46, 0.54), (1.0, 1, 1)]:
        model = eactf.CrossEntropy(
            tiny_classifier(), erasing=eactf.Erasing(probability=0.0), flip_probability=probability
        )
        view = model.make_views(images).numpy()
        mirrored = (view == images[:, :, ::-1]).all(axis=(1, 2, 3))
        assert (mirrored | (view == images).all(axis=(1, 2, 3))).all()
        assert low <= mirrored.mean() <= high


def test_erasing_and_mirroring_are_drawn_apart(tiny_classifier):
    images = np.broadcast_to(np.arange(1.0, 17.0), (2000, 16, 16))[..., None].astype("float32")
    model = eactf.CrossEntropy(tiny_classifier(size=16), erasing=eactf.Erasing(fill=0.0))
    view = model.make_views(images).numpy()
    erased = (view == 0).any(axis=(1, 2, 3))
    rising = (np.where(view == 0, np.nan, view) - images)[..., 0]
    mirrored = np.nanmax(np.abs(rising), axis=(1, 2)) > 0
    assert 0.45 < erased.mean() < 0.55
    assert abs(np.corrcoef(erased, mirrored)[0, 1]) < 0.07


@pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan")])
def test_a_flip_probability_out_of_range_is_refused(tiny_classifier, probability):
    with pytest.raises(ValueError, match="flip_probability must be in"):
        eactf.CrossEntropy(tiny_classifier(), flip_probability=probability)


def test_the_settings_survive_the_configuration(tiny_classifier):
    model = eactf.CrossEntropy(
        tiny_classifier(), flip_probability=0.2, erasing=eactf.Erasing(fill=3.0), seed=5
    )
    config = model.get_config()
    again = eactf.CrossEntropy.from_config(config).get_config()
    config.pop("classifier"), again.pop("classifier")
    assert again == config

"""The networks against numbers that the published PyTorch code gave for the same weights.

Every variable is drawn from its own path, as the code's weights were, with its axes in PyTorch's
order. u and v are among them: one step of power iteration is part of every number.
"""

from __future__ import annotations

import zlib

import numpy as np
import pytest
import tensorflow as tf

from eactf.losses import concordance, discriminator_hinge, encoder_decoder_score
from eactf.nn.adversarial import decoder, discriminator

FACES = {"expression": 7, "affect": 2}
NARROW = {"width": 1 / 8, "noise": 6}


def filled(model):
    """The model with variables that depend on their paths and shapes alone."""
    for variable in model.variables:
        numbers = np.random.default_rng(zlib.crc32(variable.path.encode()))
        values = numbers.normal(size=int(np.prod(variable.shape)))
        if variable.name in ("u", "v"):
            values = values / np.linalg.norm(values)
        elif variable.path.endswith("attention/gamma"):
            values = np.array([0.5])
        elif variable.name == "moving_variance":
            values = values**2 + 0.5
        else:
            values = values * 0.3
        variable.assign(values.reshape(variable.shape).astype("float32"))
    return model


def images():
    return np.random.default_rng(32).uniform(-1, 1, (3, 32, 32, 3)).astype("float32")


def rows(width, seed):
    return np.random.default_rng(seed).normal(size=(3, width)).astype("float32")


ENCODED = {"noise": rows(6, 1), "expression": rows(7, 2) * 2, "affect": rows(2, 3)}
GIVEN = {"noise": rows(6, 4), "expression": np.eye(7)[[1, 4, 6]], "affect": rows(2, 5)}

ENCODER_SCORES = [
    [-0.172813, -1.573223, -0.119627, -0.327361, 0.592060],
    [-0.171125, -1.303543, -0.270080, 0.018242, 0.403507],
    [-0.170911, -1.033343, -0.056966, 0.191839, 0.615793],
]
DECODER_SCORES = [
    [-0.120654, -1.283595, 0.203718, 0.030918, 0.614539],
    [-0.120813, -1.335539, 0.268811, 0.262782, 0.571979],
    [-0.121318, -0.991142, 0.289573, -0.014994, 0.389614],
]
EVALUATED = [
    [-0.125013, -1.534840, 0.130151, -0.432950, 0.526095],
    [-0.124438, -1.271338, -0.120058, -0.035201, 0.412927],
    [-0.124218, -1.045378, 0.097859, 0.154369, 0.563500],
]


def lengths(model, loss, tape, *paths):
    """The length of the loss's gradient by each of the variables."""
    found = {variable.path: variable.value for variable in model.trainable_variables}
    gradients = tape.gradient(loss, [found[path] for path in paths])
    return [float(tf.norm(gradient)) for gradient in gradients]


def test_the_discriminators_scores_losses_and_gradients_are_the_published_ones():
    judge = filled(discriminator(32, FACES, **NARROW))
    made = {"image": images()[::-1] * 0.5, **GIVEN}
    with tf.GradientTape() as tape:
        encoded = judge({"image": images(), **ENCODED}, training=True)
        decoded = judge(made, training=True)
        loss = discriminator_hinge(encoded, decoded)
    np.testing.assert_allclose(encoded, ENCODER_SCORES, atol=3e-6)
    np.testing.assert_allclose(decoded, DECODER_SCORES, atol=3e-6)
    assert float(loss) == pytest.approx(2.1760378, abs=2e-6)
    assert float(encoder_decoder_score(encoded, decoded)) == pytest.approx(-0.1347621, abs=2e-6)
    paths = ["image_block1/second/convolution", "image_attention/g/convolution"]
    paths = [f"{path}/kernel" for path in (*paths, "joint_features/branch3_1/dense")]
    found = lengths(judge, loss, tape, *paths, "image_attention/gamma")
    expected = [0.013415639, 0.010174494, 0.053804375, 0.009436368]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    np.testing.assert_allclose(judge({"image": images(), **ENCODED}), EVALUATED, atol=3e-6)


def test_the_decoders_images_and_gradients_are_the_published_ones():
    model = filled(decoder(32, FACES, **NARROW))
    with tf.GradientTape() as tape:
        made = model(GIVEN, training=True)
        loss = tf.reduce_mean(made * images())
    np.testing.assert_allclose(made[0, 5, 7], [-0.077610, -0.204354, -0.305287], atol=3e-6)
    np.testing.assert_allclose(made[2, 30, 1], [-0.213902, -0.160044, -0.069365], atol=3e-6)
    assert np.std(made) == pytest.approx(0.19024764, abs=1e-6)
    paths = ["dense/inner/kernel", "doubled2/inner/kernel", "last/inner/kernel"]
    found = lengths(model, loss, tape, *paths)
    np.testing.assert_allclose(found, [0.0011640256, 0.0018504023, 0.004224373], rtol=1e-4)


@pytest.mark.parametrize(
    "predicted, given, expected",
    [
        ([0.1, 0.5, -0.3, 0.8], [0.2, 0.4, -0.5, 0.9], 0.7193821257815374),
        ([0.0, -0.2, 0.6, 0.1, 0.9], [0.5, -0.4, 0.1, 0.3, 0.2], 0.18138987043580684),
    ],
)
def test_concordance_is_the_published_one(predicted, given, expected):
    found = concordance(np.array(predicted), np.array(given))
    assert float(found) == pytest.approx(expected, rel=1e-12)

"""A second look: the mean over an image and its mirror image, and how far their maps are apart."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from eactf import losses
from eactf.evaluation.second_look import look_again
from eactf.nn.classifier import open_classifier
from eactf.packed.records import Samples

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture
def samples(faces):
    images, labels = faces(5)
    return Samples(images=images.astype(np.uint8), ids=np.arange(5), given=labels)


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_probabilities_and_change_of_maps_are_those_of_each_image_by_itself(
    tiny_classifier, samples
):
    model, told = tiny_classifier(), []
    found = look_again(model, samples, batch_size=2, progress=lambda *now: told.append(now))
    network, kernel = open_classifier(model).network, model.layers[-1].kernel
    for row in range(5):
        image = samples.images[row : row + 1].astype("float32")
        (f1, z1), (f2, z2) = (network(view, training=False) for view in (image, image[:, :, ::-1]))
        both = (softmax(np.array(z1)) + softmax(np.array(z2))) / 2.0
        np.testing.assert_allclose(found.probabilities[row], both[0], rtol=1e-5)
        maps = [losses.class_activation_maps(f, kernel) for f in (f1, f2)]
        change = float(losses.flip_consistency(*maps))
        np.testing.assert_allclose(found.map_change[row], change, rtol=1e-4)
    assert told == [(2, 5), (4, 5), (5, 5)]


def test_a_sum_of_two_networks_has_probabilities_and_no_maps(tiny_classifier, samples):
    inputs = keras.Input((6, 6, 1))
    one, other = tiny_classifier(), tiny_classifier(filters=3)
    model = keras.Model(inputs, keras.layers.Add()([one(inputs), other(inputs)]))
    found = look_again(model, samples, batch_size=8)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1.0, rtol=1e-5)
    assert np.isnan(found.map_change).all()

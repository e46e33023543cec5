"""A real network looks at images: agreement of maps, covered blocks, samples of the images."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from tiny_classifiers import make_faces, make_tiny_classifier

from eactf.data.pipeline import ImageForm
from eactf.packed.records import Samples
from eactf.report.page import looking
from eactf.report.page.network import open_for_maps

FORM = ImageForm(16, 1)


def samples(images, given=None):
    images = np.asarray(images).round().astype(np.uint8)
    labels = np.zeros(len(images), np.int64) if given is None else given
    return Samples(images=images, ids=np.arange(len(images)), given=labels)


@pytest.fixture(scope="module")
def classifier():
    return make_tiny_classifier(size=16, channels=1)


@pytest.fixture(scope="module")
def faces():
    return make_faces(20, size=16, channels=1)[0]


def test_maps_of_symmetric_images_by_a_symmetric_network_agree(classifier, faces):
    convolution = next(layer for layer in classifier.layers if "conv" in layer.name)
    kernel, *rest = convolution.get_weights()
    convolution.set_weights([(kernel + kernel[:, ::-1]) / 2, *rest])
    found = looking.look_at(classifier, open_for_maps(classifier), samples(faces), FORM)
    assert np.nanmin(found.agreement) == pytest.approx(1.0, abs=1e-3)
    assert found.distance == pytest.approx(np.zeros(20), abs=1e-4)
    assert found.mirrored == pytest.approx(found.logits, abs=1e-3)


def test_agreement_is_the_correlation_of_the_predicted_classes_maps():
    draws = np.random.default_rng(0)
    maps, turned = draws.normal(size=(2, 4, 3, 3, 5)).astype(np.float32)
    chosen = np.array([0, 4, 2, 2])
    views = tf.constant(maps), tf.constant(turned)
    agreement, distance = map(np.asarray, looking.likeness(*views, chosen))
    for row, label in enumerate(chosen):
        pair = maps[row, ..., label].ravel(), turned[row, ..., label].ravel()
        assert agreement[row] == pytest.approx(np.corrcoef(*pair)[0, 1], abs=1e-5)
        assert distance[row] == pytest.approx(np.square(maps[row] - turned[row]).mean(), abs=1e-5)


def test_a_covered_block_shows_the_images_mean(faces):
    images = faces.astype(np.uint8)
    covered = looking.covered(images, (slice(0, 5), slice(3, 9)))
    assert (covered[:, :5, 3:9] == images.mean(axis=(1, 2), keepdims=True).round()).all()
    covered[:, :5, 3:9] = images[:, :5, 3:9]
    assert np.array_equal(covered, images)


def test_covering_is_judged_on_every_block(classifier, faces):
    network = open_for_maps(classifier)
    judged = looking.look_at(classifier, network, samples(faces), FORM)
    shares, uncovered, count = looking.judge_occluded(classifier, judged, FORM, 10)
    assert shares.shape == (3, 3)
    assert count == 10
    assert 0 <= uncovered <= 1


def test_images_come_in_their_order_whatever_the_batches(monkeypatch, faces):
    monkeypatch.setattr(looking, "_AT_ONCE", 7)
    stored = samples(faces)
    found = np.concatenate([batch.numpy() for batch in looking.batches_of(stored, FORM)])
    assert np.array_equal(found, stored.images)


def test_a_sample_of_images_is_drawn_by_their_ids(faces):
    stored = samples(faces)
    few = looking.some_of(stored, 6)
    shuffled = looking.some_of(stored.take(np.arange(20)[::-1]), 6)
    assert len(few) == 6
    assert set(few.ids) == set(shuffled.ids)
    assert looking.some_of(stored, 20) is stored

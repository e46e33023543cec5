"""Noise in several labels of a sample at once: other annotators, and a machine's numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eactf.errors import DataError, UsageError
from eactf.faces import EXPRESSIONS, drawn_face_dataset
from eactf.noise import apply_noise, draw_noise, label_by_machine
from eactf.packed.records import Samples


@pytest.fixture
def samples():
    images = np.zeros((4000, 2, 2, 1), np.uint8)
    return Samples(images, np.arange(4000), np.arange(4000) % 10)


@pytest.fixture
def faces():
    return drawn_face_dataset(train=200, validation=0, test=0, size=16).splits["train"]


def annotated(samples, rates, **settings):
    return apply_noise(samples, "abcdefghij", kind="annotators", rates=rates, **settings)


def test_each_annotator_draws_its_share_anew_among_all_classes(samples):
    noisy, manifest = annotated(samples, (0.2, 0.3, 0.4), seed=1)
    sets = [noisy.given, noisy.labels["annotator2"], noisy.labels["annotator3"]]
    wrong = [np.mean(labels != samples.given) for labels in sets]
    np.testing.assert_allclose(wrong, [0.18, 0.27, 0.36], atol=0.025)
    assert manifest.kind == "annotators"
    np.testing.assert_array_equal(noisy.clean, samples.given)


def test_annotators_err_independently_and_the_first_as_symmetric_noise_does(samples):
    noisy, _ = annotated(samples, (0.4, 0.4), seed=2)
    first, second = noisy.given != samples.given, noisy.labels["annotator2"] != samples.given
    assert np.mean(first & second) == pytest.approx(0.36**2, abs=0.02)
    alone = draw_noise(
        samples.given, samples.ids, 10, kind="symmetric", rate=0.4, include_true=True, seed=2
    )
    np.testing.assert_array_equal(noisy.given, alone)


def test_annotators_without_rates_or_whose_labels_are_there_already_are_refused(samples):
    with pytest.raises(UsageError, match="a rate for each"):
        annotated(samples, ())
    taken = replace(samples, labels={"annotator2": samples.given})
    with pytest.raises(DataError, match="'annotator2' already"):
        annotated(taken, (0.1, 0.1))


def test_a_machine_gives_numbers_too_where_it_is_told_to(faces):
    settings = {"kind": "machine", "seed": 4}
    plain, _ = apply_noise(faces, EXPRESSIONS, **settings)
    valued, _ = apply_noise(faces, EXPRESSIONS, values=True, **settings)
    np.testing.assert_array_equal(plain.values["valence"], faces.values["valence"])
    np.testing.assert_array_equal(plain.given, valued.given)
    np.testing.assert_array_equal(valued.values["clean_valence"], faces.values["valence"])
    # As in Python: the label set of the machine, and the numbers that go with it.
    by_hand = label_by_machine(faces, EXPRESSIONS, seed=4)
    np.testing.assert_array_equal(valued.given, by_hand.labels["machine"])
    np.testing.assert_array_equal(valued.values["arousal"], by_hand.values["arousal"])


def test_true_values_that_are_there_already_are_not_replaced_by_a_machines(faces):
    truth = np.zeros(len(faces), np.float32)
    known = replace(faces, values={**faces.values, "clean_valence": truth})
    valued, _ = apply_noise(known, EXPRESSIONS, kind="machine", values=True)
    np.testing.assert_array_equal(valued.values["clean_valence"], truth)


def test_data_without_numbers_gets_none(samples):
    seven = replace(samples, given=samples.given % 7)
    noisy, _ = apply_noise(seven, EXPRESSIONS, kind="machine", values=True)
    assert not noisy.values

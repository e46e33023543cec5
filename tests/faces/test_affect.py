"""Valence and arousal of drawn faces: by expression and strength, whatever the batch."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.errors import DataError
from eactf.faces import EXPRESSIONS, draw_faces, drawn_affect, drawn_face_dataset

COUNT = 1400


def by_expression(**settings):
    """The valence and arousal of the faces of each expression, `(n, 2)` each."""
    labels = draw_faces(COUNT, size=16, **settings)[1]
    both = np.stack(list(drawn_affect(COUNT, **settings).values()), axis=1)
    return {name: both[labels == index] for index, name in enumerate(EXPRESSIONS)}


@pytest.mark.parametrize("difficulty", [0.0, 1.0, 2.0])
def test_every_face_lies_on_its_expressions_ray_within_the_scale(difficulty):
    for name, both in by_expression(seed=3, difficulty=difficulty).items():
        assert both.dtype == np.float32 and np.abs(both).max() <= 1, name
        full = by_expression(seed=3, difficulty=0.0)[name][0]
        np.testing.assert_allclose(both[:, 0] * full[1], both[:, 1] * full[0], atol=1e-6)


def test_the_signs_are_those_of_the_expressions():
    means = {name: np.sign(both.mean(axis=0)).tolist() for name, both in by_expression().items()}
    assert means == {
        "neutral": [0, 0],
        "happiness": [1, 1],
        "surprise": [1, 1],
        "sadness": [-1, -1],
        "anger": [-1, 1],
        "disgust": [-1, 1],
        "fear": [-1, 1],
    }


def test_a_weak_expression_has_a_weak_value_and_looks_weak():
    """The strength that the values say is the one that the pixels show."""
    labels = draw_faces(COUNT, size=16, seed=5)[1]
    happy = np.flatnonzero(labels == EXPRESSIONS.index("happiness"))
    valence = drawn_affect(COUNT, seed=5)["valence"][happy]
    images = draw_faces(COUNT, size=48, seed=5)[0][happy, :, :, 0].astype(np.float64)
    weak, strong = valence < np.quantile(valence, 0.3), valence > np.quantile(valence, 0.7)
    mouth = (slice(30, 44), slice(12, 36))
    assert images[strong].mean(axis=0)[mouth].std() > images[weak].mean(axis=0)[mouth].std()
    assert valence.min() < 0.4 < 0.75 < valence.max()


def test_the_values_are_the_same_whatever_the_batch():
    whole = drawn_affect(40, seed=9, difficulty=0.5)
    part = drawn_affect(5, seed=9, start=20, difficulty=0.5)
    for name in whole:
        np.testing.assert_array_equal(whole[name][20:25], part[name])


def test_a_drawn_data_set_has_the_values_of_its_faces():
    splits = drawn_face_dataset(train=4, validation=2, test=3, size=16, seed=2).splits
    expected = drawn_affect(3, seed=2, start=6)
    for name in ("valence", "arousal"):
        np.testing.assert_array_equal(splits["test"].values[name], expected[name])


def test_known_faces_keep_their_values():
    """Recorded experiments name them by seed alone."""
    values = drawn_affect(3, seed=7)
    valence, arousal = [0.044602715, 0.34616995, 0.33708656], [0.8028488, 0.11538998, 0.112362184]
    np.testing.assert_array_equal(values["valence"], np.float32(valence))
    np.testing.assert_array_equal(values["arousal"], np.float32(arousal))


def test_faces_that_cannot_be_drawn_have_no_values():
    with pytest.raises(DataError, match="start = -1"):
        drawn_affect(1, start=-1)
    with pytest.raises(DataError, match="difficulty = 3"):
        drawn_affect(1, difficulty=3)

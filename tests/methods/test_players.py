"""What decoder and discriminator are given of labels, some of which are missing."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from eactf.methods.players import given_rows, players_of, scores_of, weights_of_scores
from eactf.methods.tasks import tasks_of
from eactf.nn.adversarial import encoder, score_names

HEADS = {"expression": 3, "affect": 2}


def tiny_encoder():
    return encoder(32, HEADS, channels=1, noise=3, width=1 / 64, seed=1)


def test_given_labels_are_one_hot_and_what_is_missing_is_the_encoders_own():
    tasks = tasks_of(tiny_encoder(), {"affect": ("valence", "arousal")}, None)
    own = {"expression": tf.constant([[0.0, 0, 0], [2.0, 0, 0]]), "affect": tf.fill((2, 2), 9.0)}
    targets = {
        "expression": tf.constant([2, -1]),
        "valence": tf.constant([0.5, np.nan]),
        "arousal": tf.constant([np.nan, -0.5]),
    }
    with tf.GradientTape() as tape:
        tape.watch(list(own.values()))
        rows = given_rows(tasks, targets, own)
    shares = np.exp([2.0, 0, 0]) / np.exp([2.0, 0, 0]).sum()
    np.testing.assert_allclose(rows["expression"], [[0, 0, 1], shares], rtol=1e-6)
    np.testing.assert_array_equal(rows["affect"], [[0.5, 9], [9, -0.5]])
    assert tape.gradient(rows, list(own.values())) == [None, None]


def test_soft_labels_are_given_as_they_are():
    tasks = tasks_of(tiny_encoder(), None, None)
    soft = {"expression": tf.constant([[0.2, 0.3, 0.5]]), "affect": tf.constant([[1.0, 0.0]])}
    rows = given_rows(tasks, soft, soft)
    for name, found in rows.items():
        np.testing.assert_array_equal(found, soft[name])


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_new_networks_have_the_encoders_form_and_scores_in_its_order():
    made = tiny_encoder()
    tasks = tasks_of(made, {"affect": ("valence", "arousal")}, None)
    players = players_of(made, tasks, None, None, seed=0)
    assert players.decoder.output_shape == made.input_shape
    assert players.decoder.get_layer("doubled1").layer.filters == 512 // 64
    assert scores_of(players.discriminator) == score_names(HEADS)
    weights = weights_of_scores(players.discriminator, {"joint": 2.0})
    assert weights == {"image": 1, "noise": 1, "expression": 1, "affect": 1, "joint": 2}

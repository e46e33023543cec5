"""DivideMix's loss of a mixed batch, against NumPy, and what must not change it."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from numeric_slope import slopes

from eactf.losses import dividemix_loss, guessed_targets, mixed, refined_targets
from losses.examples import LOGITS, SOFT, gradients
from losses.test_predictions import (
    PRIOR,
    cross_entropy_by_hand,
    penalty_by_hand,
    squared_error_by_hand,
)

LABELLED, WEIGHT = 3, 25.0


def by_hand(logits, targets, labelled=LABELLED, weight=WEIGHT, prior=PRIOR):
    parts = {
        "labelled": cross_entropy_by_hand(logits[:labelled], targets[:labelled]),
        "unlabelled": squared_error_by_hand(logits[labelled:], targets[labelled:]),
        "penalty": penalty_by_hand(logits, prior),
    }
    return parts["labelled"] + weight * parts["unlabelled"] + parts["penalty"], parts


@pytest.mark.parametrize("prior", [None, PRIOR], ids=["uniform", "given"])
def test_the_loss_and_its_gradients_are_those_of_numpy(prior):
    known = np.ones(6) if prior is None else prior
    total, parts = dividemix_loss(LOGITS, SOFT, LABELLED, WEIGHT, prior)
    expected, expected_parts = by_hand(LOGITS, SOFT, prior=known)
    np.testing.assert_allclose(total, expected, rtol=1e-12)
    assert list(parts) == ["labelled", "unlabelled", "penalty"]
    for name, part in parts.items():
        np.testing.assert_allclose(part, expected_parts[name], rtol=1e-12)
    found = gradients(lambda z, t: dividemix_loss(z, t, LABELLED, WEIGHT, prior)[0], LOGITS, SOFT)
    numeric = slopes(lambda arrays: by_hand(*arrays, prior=known)[0], [LOGITS, SOFT])
    for one, other in zip(found, numeric, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-8)


def test_numbers_that_are_tensors_give_the_same_loss_and_no_new_graph():
    traces = []

    @tf.function(jit_compile=True)
    def loss(labelled, weight):
        traces.append(1)
        return dividemix_loss(LOGITS, SOFT, labelled, weight)

    for labelled, weight in ((1, 0.0), (3, 25.0), (4, 25.0), (0, 1.0)):
        total, parts = loss(tf.constant(labelled), tf.constant(weight))
        expected, expected_parts = dividemix_loss(LOGITS, SOFT, labelled, weight)
        np.testing.assert_allclose(total, expected, rtol=1e-12)
        tf.nest.map_structure(
            lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-12),
            parts,
            expected_parts,
        )
    assert len(traces) == 1


def test_labelled_rows_alone_are_the_form_for_no_unlabelled_weight():
    total, parts = dividemix_loss(LOGITS, SOFT, 4, 0.0)
    assert float(parts["unlabelled"]) == 0.0
    assert float(total) == pytest.approx(float(parts["labelled"] + parts["penalty"]))
    for found in gradients(lambda z: dividemix_loss(z, SOFT, 4, 0.0)[0], LOGITS):
        assert np.isfinite(found).all()


def test_a_batch_without_labelled_rows_has_a_loss_too():
    total, parts = dividemix_loss(LOGITS, SOFT, 0, 2.0)
    assert float(parts["labelled"]) == 0.0
    assert float(total) == pytest.approx(float(2 * parts["unlabelled"] + parts["penalty"]))
    total, parts = dividemix_loss(np.zeros((0, 6)), np.zeros((0, 6)), 0, 2.0)
    assert float(total) == 0.0


def test_the_labels_that_were_given_to_unlabelled_samples_never_reach_the_loss():
    """Every target of the unlabelled rows is guessed, so that the labels have no way in."""
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 6, 8)  # the last four are of samples that were set aside
    own, other = rng.dirichlet(np.ones(6), (2, 8))

    def loss(labels):
        refined = refined_targets(np.eye(6)[labels[:4]], [0.9, 0.7, 0.8, 1.0], own[:4], 0.5)
        guessed = guessed_targets([own[4:], other[4:]], 0.5)
        targets = mixed(np.concatenate([refined, guessed]), np.arange(8)[::-1].copy(), 0.7)
        return dividemix_loss(np.tile(LOGITS, (2, 1)), targets, 4, 25.0)[0]

    permuted = np.concatenate([labels[:4], (labels[4:] + 1) % 6])
    assert float(loss(permuted)) == float(loss(labels))
    swapped = np.concatenate([(labels[:4] + 1) % 6, labels[4:]])
    assert float(loss(swapped)) != float(loss(labels))


def test_the_division_of_the_other_network_is_not_that_of_the_own():
    """Swapped clean probabilities make other targets and another loss."""
    by_one, by_other = np.array([0.9, 0.1, 0.8, 0.6]), np.array([0.2, 0.9, 0.7, 0.6])

    def loss(clean):
        targets = refined_targets(np.eye(6)[[0, 5, 2, 2]], clean, SOFT, 0.5)
        return float(dividemix_loss(LOGITS, targets, 4, 0.0)[0])

    assert abs(loss(by_one) - loss(by_other)) > 1e-2


def test_what_is_out_of_range_is_refused():
    for labelled in (-1, 5, 2.5):
        with pytest.raises(ValueError, match=r"labelled_rows must be a whole number in 0\.\.4"):
            dividemix_loss(LOGITS, SOFT, labelled, 1.0)
    with pytest.raises(ValueError, match="unlabelled_weight must be >= 0; received"):
        dividemix_loss(LOGITS, SOFT, 2, -1.0)
    with pytest.raises(ValueError, match="targets must be of the logits' shape"):
        dividemix_loss(LOGITS, SOFT[:3], 2, 1.0)

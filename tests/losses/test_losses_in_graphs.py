"""Every loss in a graph that does not know how many samples a batch has, XLA too."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from eactf.losses import (
    class_activation_maps,
    concordance,
    cross_entropy,
    discriminator_hinge,
    dividemix_loss,
    encoder_decoder_score,
    flip_consistency,
    generalized_cross_entropy,
    guessed_targets,
    mean_squared_probability_error,
    mix_by_uncertainty,
    mixed,
    negative_entropy,
    prior_penalty,
    rank_regularization,
    refined_targets,
    relabel_candidates,
    scale_consistency,
    sharpen,
    small_loss_selection,
    smooth_labels,
    soft_cross_entropy,
    symmetric_divergence,
    two_view_contrastive,
)
from losses.examples import (
    CAM,
    FEATURES,
    HARD,
    KERNEL,
    LOG_VARIANCE,
    LOGITS,
    MIRRORED,
    MU,
    PERMUTATION,
    SOFT,
)

UNKNOWN_BATCH = [
    (lambda x, y, p: cross_entropy(x, p), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: cross_entropy(x, y), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: generalized_cross_entropy(x, y), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: smooth_labels(p, 6, 0.1), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: rank_regularization(x[:, 0]), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: relabel_candidates(y, p), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: negative_entropy(x), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: prior_penalty(x), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: soft_cross_entropy(x, y), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: symmetric_divergence(x, y), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: mean_squared_probability_error(x, y), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: dividemix_loss(x, y, 3, 25.0), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: sharpen(y, 0.5), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: guessed_targets([y, y], 0.5), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: refined_targets(y, x[:, 0] > 0, y, 0.5), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: mixed(x, p % 4, 0.7), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: small_loss_selection(x[:, 0], 0.3), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: two_view_contrastive(ops.reshape(x, (-1, 2, 3)), 1.0), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: concordance(x, y), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: discriminator_hinge(x, y), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: encoder_decoder_score(x, y), (LOGITS, SOFT, HARD)),
    (mix_by_uncertainty, (MU, LOG_VARIANCE, PERMUTATION)),
    (lambda x, y, p: flip_consistency(x, y), (CAM, MIRRORED, HARD)),
    (lambda x, y, p: scale_consistency(x, y), (CAM, MIRRORED, HARD)),
    (lambda x, y, p: class_activation_maps(x, KERNEL), (FEATURES, SOFT, HARD)),
]


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("function, arguments", UNKNOWN_BATCH, ids=lambda x: "")
def test_a_graph_need_not_know_the_batch(function, arguments, compiled):
    signature = [tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in arguments]
    graph = tf.function(function, input_signature=signature, jit_compile=compiled, autograph=False)
    tf.nest.map_structure(
        lambda found, expected: np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6),
        graph(*arguments),
        function(*arguments),
    )

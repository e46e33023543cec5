"""What encoder, decoder and discriminator of a joint distribution are trained by, from its scores.

The discriminator judges tuples. The encoder's is an image, the latent noise and the labels that it
drew from the image; the decoder's are noise, labels as given and the image that it made of them.
Each tuple gets S scores: one for each of its parts and one for all of them together. Their weights
are the supplement's gamma, 1 throughout there, for the parts' scores, and one more for the joint
score ("Facial emotion recognition with noisy multi-task annotations", Zhang, Huang, Ni, Gomes,
WACV 2021, with its published code).
"""

from __future__ import annotations

from typing import Any

from keras import ops

from eactf.losses.arguments import check_shape, raised

__all__ = ["discriminator_hinge", "encoder_decoder_score"]

Tensor = Any


def encoder_decoder_score(
    encoder_scores: Tensor, decoder_scores: Tensor, weights: Tensor | None = None
) -> Tensor:
    """What encoder and decoder lower together: mean(w s_enc) - mean(w s_dec), a scalar.

    Both scores are `(N, S)`, of the encoder's tuples and of the decoder's; the means are over rows
    and scores. `weights` `(S,)`, 1 where None, are what each score is multiplied by. The encoder
    lowers its scores and the decoder raises its own: the opposite of `discriminator_hinge`, without
    its bounds. Gradients reach all arguments. Raises `ValueError` for other shapes.

    >>> float(encoder_decoder_score([[1.0, 2.0]], [[0.0, -1.0]]))
    2.0
    """
    encoded, decoded = _weighted(encoder_scores, decoder_scores, weights)
    return _mean(encoded) - _mean(decoded)


def discriminator_hinge(
    encoder_scores: Tensor, decoder_scores: Tensor, weights: Tensor | None = None
) -> Tensor:
    """What the discriminator lowers: mean(relu(1 - w s_enc)) + mean(relu(1 + w s_dec)), a scalar.

    Arguments and errors as in `encoder_decoder_score`. Each score has a hinge of its own, and the
    mean is over rows and scores: 2 where all scores are 0, and 0 where every weighted score tells
    the tuples apart by a margin of 1.

    >>> float(discriminator_hinge([[1.0, 0.5]], [[-1.0, 0.0]]))
    0.75
    """
    encoded, decoded = _weighted(encoder_scores, decoder_scores, weights)
    return _mean(ops.relu(1.0 - encoded)) + _mean(ops.relu(1.0 + decoded))


def _weighted(encoded: Tensor, decoded: Tensor, weights: Tensor | None) -> list[Tensor]:
    encoded, decoded = raised(encoded, decoded)
    check_shape("encoder_scores must be (n, scores)", encoded, (None, None))
    expected = f"decoder_scores must be (n, {encoded.shape[-1]})"
    check_shape(expected, decoded, (None, encoded.shape[-1]))
    if weights is None:
        return [encoded, decoded]
    weights = ops.cast(ops.convert_to_tensor(weights), encoded.dtype)
    check_shape(f"weights must be ({encoded.shape[-1]},)", weights, (encoded.shape[-1],))
    return [encoded * weights, decoded * weights]


def _mean(scores: Tensor) -> Tensor:
    """The mean over all rows and scores; 0 where there is no row."""
    return ops.sum(scores) / ops.cast(ops.maximum(ops.size(scores), 1), scores.dtype)

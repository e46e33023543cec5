"""This package holds losses and class activation maps as pure functions, written in `keras.ops`.

Everything is channels last. N images, H x W map positions, C feature channels, L classes.

Arrays are tensors, NumPy arrays or nested lists of any integer or float dtype. Those that are
computed with one another are first raised to the widest of their dtypes, at least float32: half
types and integers become float32, float64 stays. `cross_entropy`, what rests on it, and
`rank_regularization` compute in float32 whatever comes.

Shapes other than the documented ones raise `ValueError` instead of broadcasting, as far as they
are known: a size that is None inside a `tf.function` passes. So do numbers out of range; those
given as tensors pass.
"""

from __future__ import annotations

from eactf.losses.adversarial import discriminator_hinge, encoder_decoder_score
from eactf.losses.agreement import concordance
from eactf.losses.classification import (
    adjusted_logits,
    cross_entropy,
    generalized_cross_entropy,
    smooth_labels,
    weighted_mean,
)
from eactf.losses.contrast import two_view_contrastive
from eactf.losses.dividemix import dividemix_loss
from eactf.losses.importance import low_group, rank_regularization, relabel_candidates
from eactf.losses.maps import (
    class_activation_maps,
    flip_consistency,
    map_spread,
    scale_consistency,
)
from eactf.losses.predictions import (
    mean_squared_probability_error,
    negative_entropy,
    prior_penalty,
    soft_cross_entropy,
    symmetric_divergence,
)
from eactf.losses.selection import small_loss_selection
from eactf.losses.targets import guessed_targets, mixed, refined_targets, sharpen
from eactf.losses.uncertainty import add_up_loss, mix_by_uncertainty

__all__ = [
    "add_up_loss",
    "adjusted_logits",
    "class_activation_maps",
    "concordance",
    "cross_entropy",
    "discriminator_hinge",
    "dividemix_loss",
    "encoder_decoder_score",
    "flip_consistency",
    "generalized_cross_entropy",
    "guessed_targets",
    "low_group",
    "map_spread",
    "mean_squared_probability_error",
    "mix_by_uncertainty",
    "mixed",
    "negative_entropy",
    "prior_penalty",
    "rank_regularization",
    "refined_targets",
    "relabel_candidates",
    "scale_consistency",
    "sharpen",
    "small_loss_selection",
    "smooth_labels",
    "soft_cross_entropy",
    "symmetric_divergence",
    "two_view_contrastive",
    "weighted_mean",
]

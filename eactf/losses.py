"""Losses and maps as pure functions: arrays in, arrays out, written in `keras.ops`.

Everything is channels last. N images, H x W map positions, C feature channels, L classes.
"""

from __future__ import annotations

import math
from typing import Any

from keras import ops

__all__ = [
    "add_up_loss",
    "class_activation_maps",
    "cross_entropy",
    "flip_consistency",
    "generalized_cross_entropy",
    "low_group",
    "map_spread",
    "mix_by_uncertainty",
    "rank_regularization",
    "relabel_candidates",
    "scale_consistency",
    "smooth_labels",
]

Tensor = Any


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Softmax cross-entropy of each sample, `(N,)` (EAC, eq. 2, before the mean).

    `logits` is `(N, L)`. `labels` is `(N,)` class indices or `(N, L)` soft labels whose rows
    sum to 1. Computed in float32 from log-softmax, so that no logit overflows. A class index
    outside 0..L-1 has no loss: nan, where a row of noughts would train on nothing in silence.
    Raises `ValueError` for labels of any other shape.
    """
    log_probabilities = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    classes = log_probabilities.shape[-1]
    if len(labels.shape) == 1:
        known = ops.logical_and(labels >= 0, labels < classes)
        hard = ops.one_hot(labels, classes, dtype="float32")
        return ops.where(known, -ops.sum(hard * log_probabilities, axis=-1), float("nan"))
    if len(labels.shape) != 2 or labels.shape[-1] != classes:
        raise ValueError(
            f"labels must be (n,) class indices or (n, {classes}) soft labels; received shape "
            f"{tuple(labels.shape)}"
        )
    return -ops.sum(ops.cast(labels, "float32") * log_probabilities, axis=-1)


def class_activation_maps(features: Tensor, kernel: Tensor) -> Tensor:
    """Class activation maps of every class, `(N, H, W, L)` (EAC, eq. 1).

    `features` is `(N, H, W, C)`, the last convolutional map; `kernel` is `(C, L)`, the kernel of
    the dense layer behind the global average pooling. No bias, no rectifier, no rescaling: the
    mean of a map over its positions is the class's logit less its bias. One matrix product;
    nothing of size N x L x C x H x W is made. Gradients reach both arguments: pass
    `ops.stop_gradient(kernel)` for EAC.
    """
    # Two axes only: TensorFlow 2.21's oneDNN product of four-axis arrays corrupts memory where
    # one of the axes is 1.
    rows = ops.matmul(ops.reshape(features, (-1, kernel.shape[0])), kernel)
    return ops.reshape(rows, (*ops.shape(features)[:-1], kernel.shape[1]))


def flip_consistency(cam: Tensor, mirrored_cam: Tensor) -> Tensor:
    """Mean squared distance between a CAM and the CAM of the mirrored image, flipped back.

    Both maps are `(N, H, W, L)`; `mirrored_cam` is as the mirrored image gave it. Mean over all
    four axes (EAC, eq. 3, its norm read as a sum over positions). Gradients reach both maps.
    """
    return ops.mean(ops.square(cam - ops.flip(mirrored_cam, axis=2)))


def map_spread(cam: Tensor) -> Tensor:
    """How far maps are from flat: the standard deviation over positions, averaged, a scalar.

    `cam` is `(N, H, W, L)`. Flat maps satisfy the consistency loss perfectly and say nothing. In a
    run that learns the spread grows with the logits; one that stays near its first value, or falls,
    while accuracy stays at the largest class's share is a collapse.
    """
    return ops.mean(ops.std(cam, axis=(1, 2)))


def scale_consistency(cam: Tensor, smaller_cam: Tensor) -> Tensor:
    """Mean squared distance between the CAMs of an image at two sizes, a scalar.

    `cam` is `(N, H, W, L)`, `smaller_cam` `(N, h, w, L)`; sizes are static. Both are brought to the
    least common multiple of their sizes by repeating positions (Guo et al., "Visual attention
    consistency under image transforms", CVPR 2019: 7 x 7 and 6 x 6 to 42 x 42). Gradients reach
    both.
    """
    for axis in (1, 2):
        sizes = cam.shape[axis], smaller_cam.shape[axis]
        common = math.lcm(*sizes)
        cam = ops.repeat(cam, common // sizes[0], axis=axis)
        smaller_cam = ops.repeat(smaller_cam, common // sizes[1], axis=axis)
    return ops.mean(ops.square(cam - smaller_cam))


def generalized_cross_entropy(logits: Tensor, labels: Tensor, exponent: float = 0.7) -> Tensor:
    """Generalised cross-entropy of each sample, `(N,)`: (1 - p_label^q) / q.

    `exponent` q is in (0, 1]: towards 0 it is cross-entropy, at 1 the mean absolute error, which
    forgives wrong labels and learns slowly (Zhang and Sabuncu, NeurIPS 2018; 0.7 there). `labels`
    as in `cross_entropy`; with soft labels p is the expected probability. Computed from
    log-softmax. Raises `ValueError` for an exponent out of range.
    """
    if not 0 < exponent <= 1:
        raise ValueError(f"exponent must be above 0 and at most 1; received {exponent!r}")
    if len(labels.shape) == 1:
        log_probability = -cross_entropy(logits, labels)
    else:
        logs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
        shares = ops.log(ops.maximum(ops.cast(labels, "float32"), 1e-30))
        log_probability = ops.logsumexp(logs + shares, axis=-1)
    return -ops.expm1(exponent * log_probability) / exponent


def smooth_labels(labels: Tensor, classes: int, smoothing: float) -> Tensor:
    """Soft labels `(N, classes)`: `smoothing` of each label spread evenly over all classes.

    `labels` is `(N,)` class indices or `(N, classes)` soft labels; `smoothing` in [0, 1) (Szegedy
    et al., CVPR 2016, section 7). A class index out of range gives nan, as in `cross_entropy`.
    """
    if len(labels.shape) == 1:
        known = ops.logical_and(labels >= 0, labels < classes)[:, None]
        labels = ops.where(known, ops.one_hot(labels, classes, dtype="float32"), float("nan"))
    return (1.0 - smoothing) * ops.cast(labels, "float32") + smoothing / classes


def rank_regularization(weights: Tensor, ratio: float = 0.7, margin: float = 0.15) -> Tensor:
    """SCN's rank regularisation, a scalar >= 0: important samples must stand off from the rest.

    `weights` is `(N,)` or `(N, 1)`, the importance of each sample of a batch. The floor(N * ratio)
    largest are the high group (the product taken in double precision, as the published code does:
    62 of 90 at 0.7), the others the low group; max(0, mean(low) - mean(high) + `margin`) (Wang et
    al., "Suppressing uncertainties for large-scale facial expression recognition", CVPR 2020,
    eq. 3). Gradients pass through the means, not through the grouping. Where a group is empty, as
    in a batch of one, the two means count as equal: `margin`, without a gradient.
    """
    weights = ops.reshape(ops.cast(weights, "float32"), (-1,))
    count, high = ops.shape(weights)[0], _high_count(weights, ratio)
    descending = -ops.sort(-weights)
    is_high = ops.cast(ops.arange(count) < high, "float32")
    mean_high = ops.sum(descending * is_high) / ops.cast(ops.maximum(high, 1), "float32")
    low = ops.cast(ops.maximum(count - high, 1), "float32")
    mean_low = ops.sum(descending * (1.0 - is_high)) / low
    both = ops.logical_and(high > 0, high < count)
    return ops.relu(ops.where(both, mean_low - mean_high, 0.0) + margin)


def low_group(weights: Tensor, ratio: float = 0.7) -> Tensor:
    """Which samples are in the low group of `rank_regularization`, `(N,)` bool."""
    weights = ops.reshape(ops.cast(weights, "float32"), (-1,))
    rank = ops.argsort(ops.argsort(-weights))
    return ops.cast(rank, "int32") >= _high_count(weights, ratio)


def _high_count(weights: Tensor, ratio: float) -> Tensor:
    count = ops.cast(ops.shape(weights)[0], "float64")
    return ops.cast(ops.floor(count * ratio), "int32")


def relabel_candidates(
    probabilities: Tensor, labels: Tensor, margin: float = 0.2
) -> tuple[Tensor, Tensor]:
    """Which samples SCN gives another label, `(N,)` bool, and the labels then, `(N,)` int32.

    `probabilities` is `(N, L)`, `labels` `(N,)` class indices. A sample changes to its most
    probable class where that is more probable than its label by more than `margin` (SCN, eq. 4);
    the others keep theirs.
    """
    labels = ops.cast(labels, "int32")
    own = ops.sum(probabilities * ops.one_hot(labels, probabilities.shape[-1]), axis=-1)
    changes = ops.max(probabilities, axis=-1) - own > margin
    best = ops.cast(ops.argmax(probabilities, axis=-1), "int32")
    return changes, ops.where(changes, best, labels)


def mix_by_uncertainty(
    mu: Tensor, log_variance: Tensor, permutation: Tensor
) -> tuple[Tensor, Tensor]:
    """RUL's mixed features `(N, D)` and the weight `(N,)` of each sample in its own mixture.

    `mu` and `log_variance` are `(N, D)`, `permutation` `(N,)` says whom each is mixed with. A
    sample's uncertainty is s = mean exp(log_variance) over D; its weight a = s / (s + s_other);
    the mixture a * mu + (1 - a) * mu_other. The more uncertain sample weighs more (Zhang, Wang,
    Deng, "Relative uncertainty learning for facial expression recognition", NeurIPS 2021, eq. 2
    and 3). Computed from logarithms, so that no variance overflows. Gradients reach both arguments.
    """
    log_uncertainty = ops.logsumexp(log_variance, axis=-1)  # the mean's 1 / D cancels
    other = ops.take(log_uncertainty, permutation, axis=0)
    weight = ops.sigmoid(log_uncertainty - other)
    share = weight[:, None]
    return share * mu + (1.0 - share) * ops.take(mu, permutation, axis=0), weight


def add_up_loss(logits: Tensor, labels: Tensor, permuted_labels: Tensor) -> Tensor:
    """RUL's loss of mixed features, a scalar: both labels must be readable from the mixture.

    Half the mean cross-entropy with each; the halves are equal whatever the mixing weights (RUL,
    eq. 4). Labels as in `cross_entropy`.
    """
    own = ops.mean(cross_entropy(logits, labels))
    return 0.5 * own + 0.5 * ops.mean(cross_entropy(logits, permuted_labels))

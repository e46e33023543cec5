"""Losses and maps as pure functions: arrays in, arrays out, written in `keras.ops`.

Everything is channels last. N images, H x W map positions, C feature channels, L classes.
"""

from __future__ import annotations

from typing import Any

from keras import ops

__all__ = [
    "class_activation_maps",
    "cross_entropy",
    "flip_consistency",
    "map_spread",
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

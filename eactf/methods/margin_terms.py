"""Ada-CM's terms of images without labels: what is guessed of them, and what guesses cost.

Li, Wang, Yang, Wang, Gao, "Towards semi-supervised deep facial expression recognition with an
adaptive confidence margin", CVPR 2022: sure images teach their guess on a strong view, unsure ones
only that their two weak views are one image.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from keras import ops

from eactf import losses

__all__ = ["Guess", "guess", "sure_cross_entropy", "unsure_term"]

Tensor = Any


class Guess(NamedTuple):
    """Guesses of n images, `(n,)` each: `classes` int32, `confidence` float32, `is_sure` bool."""

    classes: Tensor
    confidence: Tensor
    is_sure: Tensor


def guess(logits: Tensor, others: Tensor, margins: Tensor) -> Guess:
    """The class of the greatest mean probability of two weak views `(n, classes)`.

    An image is sure whose confidence reaches the margin of the class that is guessed; `margins` is
    `(classes,)`. No gradient passes.
    """
    mean = ops.stop_gradient((ops.softmax(logits) + ops.softmax(others)) / 2.0)
    classes, confidence = ops.cast(ops.argmax(mean, axis=-1), "int32"), ops.max(mean, axis=-1)
    return Guess(classes, confidence, confidence >= ops.take(margins, classes))


def sure_cross_entropy(logits: Tensor, guessed: Guess) -> Tensor:
    """Cross-entropy of strong views with the guessed classes, over all n: an unsure image costs 0.

    The sum is divided by n, as published, not by the number of sure images.
    """
    values = losses.cross_entropy(logits, guessed.classes)
    return ops.mean(ops.where(guessed.is_sure, values, 0.0))


def unsure_term(kind: str, pairs: Tensor, is_sure: Tensor, temperature: float) -> Tensor:
    """What unsure images cost, a scalar; 0 where there are none.

    `pairs` is `(n, 2, D)`: with `kind` contrastive the unit features of two weak views
    (`losses.two_view_contrastive` with `temperature`), with kl the logits of a weak and a strong
    view (`losses.symmetric_divergence`).
    """
    unsure = ops.logical_not(is_sure)
    if kind == "contrastive":
        return losses.two_view_contrastive(pairs, temperature, unsure)
    return losses.symmetric_divergence(pairs[:, 0], pairs[:, 1], unsure)

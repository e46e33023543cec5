"""How well a batch's predicted numbers, such as valence and arousal, agree with those given."""

from __future__ import annotations

from typing import Any

from keras import ops

from eactf.losses.arguments import check_shape, raised

__all__ = ["concordance"]

Tensor = Any


def concordance(predicted: Tensor, given: Tensor) -> Tensor:
    """The concordance of each column of a batch, `(D,)`; of numbers `(N,)` a scalar.

    2 cov / (var_p + var_g + (mean_p - mean_g)^2), which is low for numbers that differ in their
    course, spread or level (Lin, "A concordance correlation coefficient to evaluate
    reproducibility", Biometrics 1989). The covariance has 1/N and the variances 1/(N - 1), as in
    the published code of "Facial emotion recognition with noisy multi-task annotations" (Zhang,
    Huang, Ni, Gomes, WACV 2021): in [-(N - 1)/N, (N - 1)/N], so that the loss
    1 - mean(concordance) stays at least 1/N. `eactf.metrics.concordance` is the measure itself.

    `predicted` and `given` are both `(N,)` or both `(N, D)`. A column in which neither varies and
    both are alike has no concordance, nor has a single sample: 0, without a gradient. Gradients
    reach both. Raises `ValueError` for other shapes.

    >>> round(float(concordance([0.0, 0.5, 1.0], [0.0, 0.5, 1.0])), 4)
    0.6667
    """
    predicted, given = raised(predicted, given)
    check_shape("predicted must be (n,) or (n, columns)", predicted, (None,), (None, None))
    check_shape(f"given must be of predicted's shape {predicted.shape}", given, predicted.shape)
    count = ops.cast(ops.maximum(ops.shape(predicted)[0], 1), predicted.dtype)
    # A common origin changes nothing but this: what never varies has squares of exactly 0.
    origin = ops.stop_gradient(given[:1])
    predicted, given = predicted - origin, given - origin
    means = [ops.sum(numbers, axis=0) / count for numbers in (predicted, given)]
    apart, given_apart = predicted - means[0], given - means[1]
    covariance = ops.sum(apart * given_apart, axis=0) / count
    squares = ops.sum(ops.square(apart) + ops.square(given_apart), axis=0)
    spread = squares / ops.maximum(count - 1.0, 1.0) + ops.square(means[0] - means[1])
    # Deviates: nought over nought is no number there, and spoils every weight.
    return 2.0 * covariance / ops.where(spread > 0, spread, 1.0)

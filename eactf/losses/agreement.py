"""How well a batch's predicted numbers, such as valence and arousal, agree with those given."""

from __future__ import annotations

from typing import Any

from keras import ops

from eactf.losses.arguments import check_shape, raised

__all__ = ["concordance"]

Tensor = Any


def concordance(predicted: Tensor, given: Tensor, counted: Tensor | None = None) -> Tensor:
    """The concordance of each column of a batch, `(D,)`; of numbers `(N,)` a scalar.

    2 cov / (var_p + var_g + (mean_p - mean_g)^2), which is low for numbers that differ in their
    course, spread or level (Lin, "A concordance correlation coefficient to evaluate
    reproducibility", Biometrics 1989). The covariance has 1/N and the variances 1/(N - 1), as in
    the published code of "Facial emotion recognition with noisy multi-task annotations" (Zhang,
    Huang, Ni, Gomes, WACV 2021): in [-(N - 1)/N, (N - 1)/N], so that the loss
    1 - mean(concordance) stays at least 1/N. `eactf.metrics.concordance` is the measure itself.

    `predicted` and `given` are both `(N,)` or both `(N, D)`. `counted`, booleans of their shape,
    says which numbers are known, all where it is None: others may be nan, and N is the number of
    those known, column by column. A column in which neither varies and both are alike has no
    concordance, nor has a single sample: 0, without a gradient. Gradients reach both. Raises
    `ValueError` for other shapes.

    >>> round(float(concordance([0.0, 0.5, 1.0], [0.0, 0.5, 1.0])), 4)
    0.6667
    """
    predicted, given = raised(predicted, given)
    check_shape("predicted must be (n,) or (n, columns)", predicted, (None,), (None, None))
    check_shape(f"given must be of predicted's shape {predicted.shape}", given, predicted.shape)
    if counted is not None:
        counted = ops.cast(ops.convert_to_tensor(counted), "bool")
        check_shape(f"counted must be of predicted's shape {predicted.shape}", counted, given.shape)
    count, origin = _all_counted(given) if counted is None else _some_counted(given, counted)
    # A common origin changes nothing but this: what never varies has squares of exactly 0.
    pair = [_known(numbers - origin, counted) for numbers in (predicted, given)]
    means = [ops.sum(numbers, axis=0) / count for numbers in pair]
    apart, given_apart = (_known(n - m, counted) for n, m in zip(pair, means, strict=True))
    covariance = ops.sum(apart * given_apart, axis=0) / count
    squares = ops.sum(ops.square(apart) + ops.square(given_apart), axis=0)
    spread = squares / ops.maximum(count - 1.0, 1.0) + ops.square(means[0] - means[1])
    # Deviates: nought over nought is no number there, and spoils every weight.
    return 2.0 * covariance / ops.where(spread > 0, spread, 1.0)


def _all_counted(given: Tensor) -> tuple[Tensor, Tensor]:
    """How many numbers there are, at least 1, and one of them, `(1, D)` or `(1,)`."""
    count = ops.cast(ops.maximum(ops.shape(given)[0], 1), given.dtype)
    return count, ops.stop_gradient(given[:1])


def _some_counted(given: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    """As `_all_counted`, of each column's numbers that are known."""
    lowest = -1e30
    largest = ops.max(ops.where(counted, given, lowest), axis=0, keepdims=True, initial=lowest)
    count = ops.sum(ops.cast(counted, given.dtype), axis=0)
    return ops.maximum(count, 1.0), ops.stop_gradient(largest)


def _known(numbers: Tensor, counted: Tensor | None) -> Tensor:
    """`numbers`, 0 where they are not known."""
    return numbers if counted is None else ops.where(counted, numbers, 0.0)

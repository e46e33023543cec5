"""What MixMatch-like methods learn from: sharpened, refined and guessed targets, and mixtures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from eactf.losses.arguments import check_number, check_shape, checked_permutation, number_of, raised

__all__ = ["guessed_targets", "mixed", "refined_targets", "sharpen"]

Tensor = Any


def sharpen(probabilities: Tensor, temperature: float) -> Tensor:
    """The rows `(N, L)` to the power of 1 / `temperature`, each divided by its sum.

    Below 1 a row gets more certain, at 1 it stays as it is (Berthelot et al., "MixMatch", NeurIPS
    2019, eq. 7; DivideMix, eq. 4, takes 0.5). A row is divided by its largest number first, so that
    no power underflows altogether; a row of noughts is no distribution and gives nan. Gradients
    reach the probabilities. Raises `ValueError` for other shapes and a temperature that is not
    above 0.

    >>> sharpen([[0.2, 0.8]], 0.5).numpy().round(4)
    array([[0.0588, 0.9412]], dtype=float32)
    """
    check_number("temperature must be above 0", temperature, lambda number: number > 0)
    (probabilities,) = raised(probabilities)
    check_shape("probabilities must be (n, classes)", probabilities, (None, None))
    # What a row is divided by cancels: no gradient is lost with it. Keras has no maximum of no rows
    # without something to begin with.
    largest = ops.stop_gradient(ops.max(probabilities, axis=-1, keepdims=True, initial=0.0))
    exponent = 1.0 / number_of(temperature, probabilities.dtype)
    powers = ops.power(probabilities / largest, exponent)
    return powers / ops.sum(powers, axis=-1, keepdims=True)


def refined_targets(
    one_hot: Tensor, clean_probability: Tensor, own_probabilities: Tensor, temperature: float
) -> Tensor:
    """DivideMix's refined labels, `(N, L)`: the given label as far as it is clean, then sharpened.

    w * `one_hot` + (1 - w) * `own_probabilities`, sharpened (DivideMix, eq. 3 and 4). `one_hot` is
    `(N, L)`, the labels as given; `clean_probability` w is `(N,)` or `(N, 1)`, by the *other*
    network's mixture; `own_probabilities` `(N, L)` is the mean of this network's over its views.
    These are targets: no gradient passes. Raises `ValueError` for other shapes and as `sharpen`.

    >>> refined_targets([[1.0, 0.0]], [0.5], [[0.2, 0.8]], 0.5).numpy().round(4)
    array([[0.6923, 0.3077]], dtype=float32)
    """
    labels, clean, own = raised(one_hot, clean_probability, own_probabilities)
    check_shape("one_hot must be (n, classes)", labels, (None, None))
    expected = f"own_probabilities must be of one_hot's shape {labels.shape}"
    check_shape(expected, own, labels.shape)
    count = labels.shape[0]
    check_shape(f"clean_probability must be ({count},)", clean, (count,), (count, 1))
    clean = ops.reshape(clean, (-1, 1))
    return ops.stop_gradient(sharpen(clean * labels + (1.0 - clean) * own, temperature))


def guessed_targets(probabilities: Sequence[Tensor], temperature: float) -> Tensor:
    """DivideMix's guessed labels, `(N, L)`: the mean of several predictions, sharpened.

    `probabilities` is a list of `(N, L)` arrays: those of each view by each network (two views and
    two networks make four; DivideMix, algorithm 1). These are targets: no gradient passes. Raises
    `ValueError` for other or unequal shapes, for no predictions, and as `sharpen`.

    >>> guessed_targets([[[0.2, 0.8]], [[0.6, 0.4]]], 0.5).numpy().round(4)
    array([[0.3077, 0.6923]], dtype=float32)
    """
    if not isinstance(probabilities, (list, tuple)) or not probabilities:
        received = "an empty one" if isinstance(probabilities, (list, tuple)) else "one array"
        expected = "probabilities must be a list of (n, classes) arrays"
        raise ValueError(f"{expected}; received {received}")
    guesses = raised(*probabilities)
    shape = guesses[0].shape
    check_shape("probabilities must be a list of (n, classes) arrays", guesses[0], (None, None))
    for guess in guesses[1:]:
        check_shape(f"all probabilities must be of the first one's shape {shape}", guess, shape)
    return ops.stop_gradient(sharpen(sum(guesses) / len(guesses), temperature))


def mixed(rows: Tensor, permutation: Tensor, coefficient: float) -> Tensor:
    """Each row mixed with another: l * rows + (1 - l) * rows[permutation], of the shape of `rows`.

    `rows` is `(N, ...)`, images or targets; `permutation` `(N,)` says whom each is mixed with;
    `coefficient` l in [0, 1] is one for all (mixup, Zhang et al., ICLR 2018). MixMatch and
    DivideMix take max(l, 1 - l) of a Beta draw, so that a row stays nearest to itself. Gradients
    reach the rows. Raises `ValueError` for rows without an axis, a permutation of another shape or
    that is not of integers, and a coefficient out of range.

    >>> mixed([[0.0], [1.0]], [1, 0], 0.75).numpy()
    array([[0.25], [0.75]], dtype=float32)
    """
    check_number("coefficient must be in [0, 1]", coefficient, lambda share: 0 <= share <= 1)
    (rows,) = raised(rows)
    if not len(rows.shape):
        raise ValueError("rows must be (n, ...); received shape ()")
    permutation = checked_permutation(permutation, rows.shape[0], "rows")
    coefficient = number_of(coefficient, rows.dtype)
    return coefficient * rows + (1.0 - coefficient) * ops.take(rows, permutation, axis=0)

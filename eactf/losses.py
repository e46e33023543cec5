"""This module holds losses and class activation maps as pure functions, written in `keras.ops`.

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

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from keras import backend, ops

__all__ = [
    "add_up_loss",
    "adjusted_logits",
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
    "weighted_mean",
]

Tensor = Any


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Softmax cross-entropy of each sample, `(N,)` (EAC, eq. 2, before the mean).

    `logits` is `(N, L)`. `labels` is `(N,)` class indices or `(N, L)` soft labels whose rows
    sum to 1. Computed in float32 from log-softmax, so that no logit overflows. A class index
    outside 0..L-1, or a fraction, has no loss: nan, where a row of noughts would train on nothing
    in silence. Raises `ValueError` for logits or labels of any other shape.
    """
    log_probabilities, labels = _log_probabilities(logits, labels)
    if len(labels.shape) == 1:
        known, hard = _one_hot(labels, log_probabilities.shape[-1], "float32")
        return ops.where(known, -ops.sum(hard * log_probabilities, axis=-1), float("nan"))
    return -ops.sum(ops.cast(labels, "float32") * log_probabilities, axis=-1)


def adjusted_logits(logits: Tensor, prior: Tensor, tau: float = 1.0) -> Tensor:
    """The logits plus `tau` times the logarithm of the class prior, `(N, L)` float32.

    Cross-entropy of these, with the logits themselves for prediction, trains for the mean of the
    classes' recalls instead of for accuracy: a frequent class has to win by less (Menon et al.,
    "Long-tail learning via logit adjustment", ICLR 2021, eq. 10; tau = 1 is theirs, 0 leaves the
    logits as they are).

    `prior` is `(L,)`, how often each class is given as a label in training, as counts or as
    shares. A class without any has no logarithm: it is taken to be as rare as the rarest class
    that has some, so that its logit is finite and is still learnt to be low. Gradients reach the
    logits. Raises `ValueError` for other shapes, a negative tau, and a prior with negative numbers
    or of nothing but noughts, where its numbers are known.

    >>> import numpy as np
    >>> adjusted_logits(np.zeros((1, 3)), [90, 10, 0]).numpy().round(2)
    array([[-0.11, -2.3 , -2.3 ]], dtype=float32)
    """
    _check_number("tau must be >= 0", tau, lambda number: number >= 0)
    logits = ops.cast(ops.convert_to_tensor(logits), "float32")
    _check_shape("logits must be (n, classes)", logits, (None, None))
    if isinstance(prior, (list, tuple, np.ndarray)):
        numbers = np.asarray(prior, "float64")
        if not (np.isfinite(numbers) & (numbers >= 0)).all() or not numbers.any():
            raise ValueError(f"prior must be of numbers >= 0, not all 0; received {prior!r}")
    prior = ops.cast(ops.convert_to_tensor(prior), "float32")
    _check_shape(f"prior must be ({logits.shape[-1]},)", prior, (logits.shape[-1],))
    floor = ops.min(ops.where(prior > 0.0, prior, float("inf")))
    shares = ops.maximum(prior, floor) / ops.sum(prior)
    return logits + tau * ops.log(shares)


def weighted_mean(losses: Tensor, weights: Tensor | None = None) -> Tensor:
    """The mean of the losses `(N,)` of a batch, each times its weight, a scalar.

    `weights` is `(N,)` and is to average one over the batch; None: all count alike. The mean is
    over all N, so that a part of a batch enters the whole with its share of the samples. Raises
    `ValueError` for weights of another shape.
    """
    (losses,) = _raised(losses)
    if weights is None:
        return ops.mean(losses)
    (weights,) = _raised(weights)
    _check_shape(f"weights must be of the losses' shape {losses.shape}", weights, losses.shape)
    return ops.mean(losses * ops.cast(weights, losses.dtype))


def class_activation_maps(features: Tensor, kernel: Tensor) -> Tensor:
    """Class activation maps of every class, `(N, H, W, L)` (EAC, eq. 1).

    `features` is `(N, H, W, C)`, the last convolutional map; `kernel` is `(C, L)`, the kernel of
    the dense layer behind the global average pooling. No bias, no rectifier, no rescaling: the
    mean of a map over its positions is the class's logit less its bias. One matrix product;
    nothing of size N x L x C x H x W is made. Gradients reach both arguments: pass
    `ops.stop_gradient(kernel)` for EAC. Raises `ValueError` for other shapes.
    """
    features, kernel = _raised(features, kernel)
    _check_shape("kernel must be (channels, classes)", kernel, (None, None))
    channels = kernel.shape[0]
    expected = f"features must be (n, height, width, {channels}) for this kernel"
    _check_shape(expected, features, (None, None, None, channels))
    # Two axes only: TensorFlow 2.21's oneDNN product of four-axis arrays corrupts memory where
    # one of the axes is 1.
    rows = ops.matmul(ops.reshape(features, (-1, channels)), kernel)
    return ops.reshape(rows, (*ops.shape(features)[:-1], kernel.shape[1]))


def flip_consistency(cam: Tensor, mirrored_cam: Tensor) -> Tensor:
    """Mean squared distance between a CAM and the CAM of the mirrored image, flipped back.

    Both maps are `(N, H, W, L)`; `mirrored_cam` is as the mirrored image gave it. Mean over all
    four axes (EAC, eq. 3, its norm read as a sum over positions). Gradients reach both maps.
    Raises `ValueError` for maps of other or unequal shapes.
    """
    cam, mirrored_cam = _raised(cam, mirrored_cam)
    _check_shape("cam must be (n, height, width, classes)", cam, (None,) * 4)
    _check_shape(f"mirrored_cam must be of cam's shape {cam.shape}", mirrored_cam, cam.shape)
    return ops.mean(ops.square(cam - ops.flip(mirrored_cam, axis=2)))


def map_spread(cam: Tensor) -> Tensor:
    """How far maps are from flat: the standard deviation over positions, averaged, a scalar.

    `cam` is `(N, H, W, L)`. Flat maps satisfy the consistency loss perfectly and say nothing. In a
    run that learns the spread grows with the logits; one that stays near its first value, or falls,
    while accuracy stays at the largest class's share is a collapse.
    """
    (cam,) = _raised(cam)
    _check_shape("cam must be (n, height, width, classes)", cam, (None,) * 4)
    return ops.mean(ops.std(cam, axis=(1, 2)))


def scale_consistency(cam: Tensor, smaller_cam: Tensor) -> Tensor:
    """Mean squared distance between the CAMs of an image at two sizes, a scalar.

    `cam` is `(N, H, W, L)`, `smaller_cam` `(N, h, w, L)`; sizes are static. Both are brought to the
    least common multiple of their sizes by repeating positions (Guo et al., "Visual attention
    consistency under image transforms", CVPR 2019: 7 x 7 and 6 x 6 to 42 x 42). Gradients reach
    both. Raises `ValueError` for other shapes and for unequal N or L.
    """
    cam, smaller_cam = _raised(cam, smaller_cam)
    _check_shape("cam must be (n, height, width, classes)", cam, (None,) * 4)
    expected = f"smaller_cam must have the images and classes of cam, of shape {cam.shape}"
    _check_shape(expected, smaller_cam, (cam.shape[0], None, None, cam.shape[3]))
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
    log-softmax. Raises `ValueError` for an exponent out of range and as `cross_entropy`.
    """
    _check_number("exponent must be above 0 and at most 1", exponent, lambda q: 0 < q <= 1)
    labels = ops.convert_to_tensor(labels)
    if len(labels.shape) == 1:
        log_probability = -cross_entropy(logits, labels)
    else:
        logs, labels = _log_probabilities(logits, labels)
        shares = ops.log(ops.maximum(ops.cast(labels, "float32"), 1e-30))
        log_probability = ops.logsumexp(logs + shares, axis=-1)
    return -ops.expm1(exponent * log_probability) / exponent


def smooth_labels(labels: Tensor, classes: int, smoothing: float) -> Tensor:
    """Soft labels `(N, classes)`: `smoothing` of each label spread evenly over all classes.

    `labels` is `(N,)` class indices or `(N, classes)` soft labels; `smoothing` in [0, 1) (Szegedy
    et al., CVPR 2016, section 7), float32. A class index out of range gives nan, as in
    `cross_entropy`. Raises `ValueError` for labels of other shapes and a smoothing out of range.
    """
    _check_number("smoothing must be in [0, 1)", smoothing, lambda share: 0 <= share < 1)
    labels = _checked_labels(labels, None, classes)
    if len(labels.shape) == 1:
        known, rows = _one_hot(labels, classes, "float32")
        labels = ops.where(known[:, None], rows, float("nan"))
    return (1.0 - smoothing) * ops.cast(labels, "float32") + smoothing / classes


def rank_regularization(weights: Tensor, ratio: float = 0.7, margin: float = 0.15) -> Tensor:
    """SCN's rank regularisation, a scalar >= 0: important samples must stand off from the rest.

    `weights` is `(N,)` or `(N, 1)`, the importance of each sample of a batch. The floor(N * ratio)
    largest are the high group (the product taken in double precision, as the published code does:
    62 of 90 at 0.7), the others the low group; max(0, mean(low) - mean(high) + `margin`) (Wang et
    al., "Suppressing uncertainties for large-scale facial expression recognition", CVPR 2020,
    eq. 3). Gradients pass through the means, not through the grouping. Where a group is empty, as
    in a batch of one, the two means count as equal: `margin`, without a gradient. Raises
    `ValueError` for weights of other shapes, a ratio outside (0, 1) and a margin below 0.
    """
    _check_number("margin must be >= 0", margin, lambda number: number >= 0)
    weights, high = _importance(weights, ratio)
    count = ops.shape(weights)[0]
    descending = -ops.sort(-weights)
    is_high = ops.cast(ops.arange(count) < high, "float32")
    mean_high = ops.sum(descending * is_high) / ops.cast(ops.maximum(high, 1), "float32")
    low = ops.cast(ops.maximum(count - high, 1), "float32")
    mean_low = ops.sum(descending * (1.0 - is_high)) / low
    both = ops.logical_and(high > 0, high < count)
    return ops.relu(ops.where(both, mean_low - mean_high, 0.0) + margin)


def low_group(weights: Tensor, ratio: float = 0.7) -> Tensor:
    """Which samples are in the low group of `rank_regularization`, `(N,)` bool.

    `weights` and `ratio` are as there, and refused as there.
    """
    weights, high = _importance(weights, ratio)
    rank = ops.argsort(ops.argsort(-weights))
    return ops.cast(rank, "int32") >= high


def _importance(weights: Tensor, ratio: float) -> tuple[Tensor, Tensor]:
    """The weights `(N,)` in float32 and how many of them are in the high group."""
    _check_number("ratio must be between 0 and 1", ratio, lambda number: 0 < number < 1)
    weights = ops.convert_to_tensor(weights)
    _check_shape("weights must be (n,) or (n, 1)", weights, (None,), (None, 1))
    weights = ops.reshape(ops.cast(weights, "float32"), (-1,))
    count = ops.cast(ops.shape(weights)[0], "float64")
    return weights, ops.cast(ops.floor(count * ratio), "int32")


def relabel_candidates(
    probabilities: Tensor, labels: Tensor, margin: float = 0.2
) -> tuple[Tensor, Tensor]:
    """Which samples SCN gives another label, `(N,)` bool, and the labels then, `(N,)` int32.

    `probabilities` is `(N, L)`, `labels` `(N,)` class indices. A sample changes to its most
    probable class where that is more probable than its label by more than `margin` (SCN, eq. 4);
    the others keep theirs, and so does a label outside 0..L-1, whose probability is not known. The
    probabilities' dtype decides at the margin itself: 0.6 - 0.4 > 0.2 in float32, not in float64.
    Raises `ValueError` for other shapes and a margin below 0.
    """
    _check_number("margin must be >= 0", margin, lambda number: number >= 0)
    (probabilities,), labels = _raised(probabilities), ops.convert_to_tensor(labels)
    _check_shape("probabilities must be (n, classes)", probabilities, (None, None))
    count, classes = probabilities.shape
    _check_shape(f"labels must be class indices of shape ({count},)", labels, (count,))
    known, hard = _one_hot(labels, classes, probabilities.dtype)
    own = ops.sum(probabilities * hard, axis=-1)
    is_clear = ops.max(probabilities, axis=-1) - own > margin
    changes = ops.logical_and(known, is_clear)
    best = ops.cast(ops.argmax(probabilities, axis=-1), "int32")
    return changes, ops.where(changes, best, ops.cast(labels, "int32"))


def mix_by_uncertainty(
    mu: Tensor, log_variance: Tensor, permutation: Tensor
) -> tuple[Tensor, Tensor]:
    """RUL's mixed features `(N, D)` and the weight `(N,)` of each sample in its own mixture.

    `mu` and `log_variance` are `(N, D)`, `permutation` `(N,)` says whom each is mixed with. A
    sample's uncertainty is s = mean exp(log_variance) over D; its weight a = s / (s + s_other);
    the mixture a * mu + (1 - a) * mu_other. The more uncertain sample weighs more (Zhang, Wang,
    Deng, "Relative uncertainty learning for facial expression recognition", NeurIPS 2021, eq. 2
    and 3). Computed from logarithms, so that no variance overflows. Gradients reach both arguments.
    Raises `ValueError` for other shapes and for a permutation that is not of integers.
    """
    mu, log_variance = _raised(mu, log_variance)
    _check_shape("mu must be (n, features)", mu, (None, None))
    _check_shape(f"log_variance must be of mu's shape {mu.shape}", log_variance, mu.shape)
    permutation = _checked_permutation(permutation, mu.shape[0])
    log_uncertainty = ops.logsumexp(log_variance, axis=-1)  # the mean's 1 / D cancels
    other = ops.take(log_uncertainty, permutation, axis=0)
    weight = ops.sigmoid(log_uncertainty - other)
    share = weight[:, None]
    return share * mu + (1.0 - share) * ops.take(mu, permutation, axis=0), weight


def add_up_loss(
    logits: Tensor,
    labels: Tensor,
    permuted_labels: Tensor,
    weights: Tensor | None = None,
    permuted_weights: Tensor | None = None,
) -> Tensor:
    """RUL's loss of mixed features, a scalar: both labels must be readable from the mixture.

    Half the mean cross-entropy with each; the halves are equal whatever the mixing weights (RUL,
    eq. 4). Labels, and what is raised, as in `cross_entropy`; weights as in `weighted_mean`, each
    those of its labels' own samples.
    """
    own = weighted_mean(cross_entropy(logits, labels), weights)
    other = weighted_mean(cross_entropy(logits, permuted_labels), permuted_weights)
    return 0.5 * own + 0.5 * other


def _log_probabilities(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The log-softmax of logits `(N, L)` in float32, and their labels as a tensor."""
    logits = ops.cast(ops.convert_to_tensor(logits), "float32")
    _check_shape("logits must be (n, classes)", logits, (None, None))
    return ops.log_softmax(logits, axis=-1), _checked_labels(labels, *logits.shape)


def _checked_labels(labels: Tensor, count: int | None, classes: int) -> Tensor:
    labels = ops.convert_to_tensor(labels)
    expected = f"labels must be (n,) class indices or (n, {classes}) soft labels"
    if count is not None:
        expected += f", n = {count}"
    _check_shape(expected, labels, (count,), (count, classes))
    return labels


def _checked_permutation(permutation: Tensor, count: int | None) -> Tensor:
    permutation = ops.convert_to_tensor(permutation)
    if not backend.is_int_dtype(permutation.dtype):
        received = backend.standardize_dtype(permutation.dtype)
        raise ValueError(f"permutation must be of integers; received {received}")
    _check_shape(
        f"permutation must be of shape ({count},), a place for each row of mu",
        permutation,
        (count,),
    )
    return ops.cast(permutation, "int32")  # no gather takes indices of every integer type


def _one_hot(labels: Tensor, classes: int, dtype: str) -> tuple[Tensor, Tensor]:
    """Which labels `(N,)` are classes, `(N,)` bool, and their rows `(N, L)`, noughts if not."""
    index = ops.cast(labels, "int64")  # holds every class, as the labels' own type may not
    is_whole = ops.equal(labels, index)
    known = ops.logical_and(is_whole, ops.logical_and(index >= 0, index < classes))
    return known, ops.one_hot(index, classes, dtype=dtype)


def _raised(*arrays: Tensor) -> list[Tensor]:
    """The arrays as tensors of one dtype: the widest of theirs, at least float32."""
    tensors = [ops.convert_to_tensor(array) for array in arrays]
    dtype = backend.result_type(*(tensor.dtype for tensor in tensors), "float32")
    return [ops.cast(tensor, dtype) for tensor in tensors]


def _check_shape(expected: str, array: Tensor, *allowed: Any) -> None:
    """`ValueError` where what is known of an array's shape fits none of those allowed."""
    if not any(_fits(array.shape, other) for other in allowed):
        raise ValueError(f"{expected}; received shape {tuple(array.shape)}")


def _fits(shape: Any, other: Any) -> bool:
    """Whether two shapes may be the same; None is a size that is not known."""
    if None in (getattr(shape, "rank", 0), getattr(other, "rank", 0)):
        return True
    return len(shape) == len(other) and all(
        None in sizes or sizes[0] == sizes[1] for sizes in zip(shape, other, strict=True)
    )


def _check_number(expected: str, number: Any, is_allowed: Callable[[float], bool]) -> None:
    """`ValueError` for a number out of range; that of a tensor may not be known."""
    if isinstance(number, Real) and not is_allowed(float(number)):
        raise ValueError(f"{expected}; received {number!r}")

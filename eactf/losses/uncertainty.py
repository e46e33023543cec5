"""RUL's mixtures of features by their uncertainty, and what such a mixture costs."""

from __future__ import annotations

from typing import Any

from keras import ops

from eactf.losses.arguments import check_shape, checked_permutation, raised
from eactf.losses.classification import cross_entropy, weighted_mean

__all__ = ["add_up_loss", "mix_by_uncertainty"]

Tensor = Any


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
    mu, log_variance = raised(mu, log_variance)
    check_shape("mu must be (n, features)", mu, (None, None))
    check_shape(f"log_variance must be of mu's shape {mu.shape}", log_variance, mu.shape)
    permutation = checked_permutation(permutation, mu.shape[0], "mu")
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

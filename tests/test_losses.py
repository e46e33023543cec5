"""The losses against NumPy, values and gradients."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from eactf.losses import (
    add_up_loss,
    class_activation_maps,
    cross_entropy,
    flip_consistency,
    generalized_cross_entropy,
    low_group,
    map_spread,
    mix_by_uncertainty,
    rank_regularization,
    relabel_candidates,
    scale_consistency,
    smooth_labels,
)

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(2, 4, 5, 3))
KERNEL = RNG.normal(size=(3, 6))
CAM = RNG.normal(size=(2, 4, 5, 6))
MIRRORED = RNG.normal(size=(2, 4, 5, 6))
LOGITS = RNG.normal(size=(4, 6)) * 3
HARD = np.array([0, 5, 2, 2])
SOFT = RNG.dirichlet(np.ones(6), 4)


def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def gradients(loss, *arguments):
    tensors = [tf.constant(argument) for argument in arguments]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = loss(*tensors)
    return [gradient.numpy() for gradient in tape.gradient(value, tensors)]


def finite_difference(loss, array, step=1e-5):
    gradient = np.zeros_like(array)
    for place in np.ndindex(array.shape):
        ahead, behind = array.copy(), array.copy()
        ahead[place] += step
        behind[place] -= step
        gradient[place] = (float(loss(ahead)) - float(loss(behind))) / (2 * step)
    return gradient


@pytest.mark.parametrize("labels", [HARD, SOFT], ids=["hard", "soft"])
def test_cross_entropy_is_each_samples_own_and_its_gradient_is_softmax_less_label(labels):
    rows = np.eye(6)[labels] if labels.ndim == 1 else labels
    expected = [-sum(row * log) for row, log in zip(rows, log_softmax(LOGITS), strict=True)]
    np.testing.assert_allclose(cross_entropy(LOGITS, labels), expected, rtol=1e-5)
    (gradient,) = gradients(lambda z: cross_entropy(z, labels), LOGITS)
    np.testing.assert_allclose(gradient, np.exp(log_softmax(LOGITS)) - rows, atol=1e-6)


def test_cross_entropy_survives_logits_that_overflow_exp():
    logits = np.array([[1e4, -1e4, 0.0], [0.0, 1e4, 0.0]], "float32")
    np.testing.assert_allclose(cross_entropy(logits, np.array([0, 0])), [0.0, 1e4], rtol=1e-6)


def test_cross_entropy_of_half_precision_logits_is_computed_in_float32():
    logits = tf.cast(LOGITS, tf.bfloat16)
    loss = cross_entropy(logits, HARD)
    assert loss.dtype == tf.float32
    expected = -log_softmax(tf.cast(logits, tf.float64).numpy())[np.arange(4), HARD]
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_cross_entropy_of_a_label_outside_the_classes_is_not_a_number():
    loss = cross_entropy(LOGITS, np.array([6, -1, 0, 5])).numpy()
    assert np.isnan(loss).tolist() == [True, True, False, False]


@pytest.mark.parametrize("loss", [cross_entropy, generalized_cross_entropy])
@pytest.mark.parametrize("shape", [(4, 1), (4, 5), (4, 6, 1), (1,), (3,), (1, 6), (3, 6), ()])
def test_cross_entropies_refuse_labels_of_another_shape(loss, shape):
    with pytest.raises(ValueError, match="soft labels, n = 4; received shape"):
        loss(LOGITS, np.zeros(shape))


@pytest.mark.parametrize("shape", [(6,), (4, 1, 6)])
def test_cross_entropy_refuses_logits_of_another_shape(shape):
    with pytest.raises(ValueError, match="logits must be \\(n, classes\\); received shape"):
        cross_entropy(np.zeros(shape), np.zeros(shape[:1]))


INDEX_TYPES = ["bool", "int8", "uint8", "int64", "uint64", "float16", "float64"]


@pytest.mark.parametrize("dtype", INDEX_TYPES)
def test_class_indices_are_taken_in_any_type(dtype):
    labels = np.array([0, 1, 1, 0])
    wide = np.tile(LOGITS, 60)  # more classes than an 8-bit index can tell
    expected = -log_softmax(wide)[np.arange(4), labels]
    for given in (labels.astype(dtype), tf.cast(labels, dtype)):
        np.testing.assert_allclose(cross_entropy(wide, given), expected, rtol=1e-5)
        np.testing.assert_array_equal(smooth_labels(given, 300, 0.0), np.eye(300)[labels])


@pytest.mark.parametrize("labels", [HARD, SOFT], ids=["hard", "soft"])
def test_losses_of_lists_are_those_of_arrays(labels):
    lists = LOGITS.tolist(), labels.tolist()
    for loss in (cross_entropy, generalized_cross_entropy):
        np.testing.assert_allclose(loss(*lists), loss(LOGITS, labels), rtol=1e-5)
    smoothed = smooth_labels(lists[1], 6, 0.1)
    np.testing.assert_allclose(smoothed, smooth_labels(labels, 6, 0.1), rtol=1e-6)


def test_a_fraction_is_no_class():
    assert np.isnan(cross_entropy(LOGITS, np.array([1.5, -0.5, np.nan, np.inf]))).all()


def test_maps_are_the_sum_over_channels_of_every_position():
    expected = np.zeros((2, 4, 5, 6))
    for n, h, w, j in np.ndindex(expected.shape):
        expected[n, h, w, j] = sum(FEATURES[n, h, w, c] * KERNEL[c, j] for c in range(3))
    np.testing.assert_allclose(class_activation_maps(FEATURES, KERNEL), expected, rtol=1e-12)


def test_logits_are_the_mean_of_the_maps_and_the_bias():
    bias = RNG.normal(size=6)
    maps = class_activation_maps(FEATURES, KERNEL).numpy()
    logits = FEATURES.mean(axis=(1, 2)) @ KERNEL + bias
    np.testing.assert_allclose(maps.mean(axis=(1, 2)) + bias, logits, rtol=1e-12)


def test_gradients_of_the_maps_reach_features_and_kernel():
    upstream = RNG.normal(size=CAM.shape)
    of_features, of_kernel = gradients(
        lambda f, k: tf.reduce_sum(class_activation_maps(f, k) * upstream), FEATURES, KERNEL
    )
    np.testing.assert_allclose(of_features, np.einsum("nhwl,cl->nhwc", upstream, KERNEL))
    np.testing.assert_allclose(of_kernel, np.einsum("nhwl,nhwc->cl", upstream, FEATURES))


def test_maps_never_hold_every_pair_of_channel_and_class():
    function = tf.function(class_activation_maps).get_concrete_function(
        tf.TensorSpec((None, 7, 7, 32)), tf.TensorSpec((32, 11))
    )
    shapes = [out.shape for op in function.graph.get_operations() for out in op.outputs]
    assert all(shape.rank is None or shape.rank <= 4 for shape in shapes)


def test_maps_of_other_channels_than_the_kernels_are_refused():
    with pytest.raises(ValueError, match="width, 3\\) for this kernel; received shape"):
        class_activation_maps(FEATURES[..., :2], KERNEL)
    with pytest.raises(ValueError, match="kernel must be"):
        class_activation_maps(FEATURES, KERNEL[0])


def test_maps_of_half_types_do_not_overflow():
    features, kernel = np.full((1, 1, 2, 3), 200.0, "float16"), np.full((3, 2), 200.0, "float16")
    np.testing.assert_array_equal(class_activation_maps(features, kernel), 120_000.0)
    large = np.array([300.0, -300.0], "float16").reshape(1, 1, 2, 1)
    assert float(flip_consistency(large, large)) == 600.0**2
    assert float(scale_consistency(large, -large)) == 600.0**2
    assert float(map_spread(large)) == 300.0


PAIRS = [
    (np.float32, np.float64, tf.float64),
    (np.float16, np.float32, tf.float32),
    (np.float16, tf.bfloat16, tf.float32),
    (np.int32, np.float32, tf.float32),
    (np.int64, np.int8, tf.float32),
]
MAP_FUNCTIONS = [
    (class_activation_maps, (FEATURES, KERNEL)),
    (flip_consistency, (CAM, MIRRORED)),
    (scale_consistency, (CAM, MIRRORED)),
]


@pytest.mark.parametrize("function, arguments", MAP_FUNCTIONS, ids=lambda x: "")
@pytest.mark.parametrize("first, second, expected", PAIRS)
def test_maps_of_two_types_meet_in_the_wider_one(function, arguments, first, second, expected):
    given = [tf.cast(np.round(4 * x), t) for x, t in zip(arguments, (first, second), strict=True)]
    found = function(*given)
    assert found.dtype == expected
    exact = function(*(tf.cast(x, tf.float64) for x in given))
    np.testing.assert_allclose(found, exact, rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 4, 5, 6), (2, 4, 5, 1), (2, 4, 5), (2, 4, 1, 6)])
def test_maps_are_not_broadcast(shape):
    with pytest.raises(ValueError, match="mirrored_cam must be of cam's shape"):
        flip_consistency(CAM, np.zeros(shape))
    with pytest.raises(ValueError, match="cam must be"):
        flip_consistency(np.zeros((4, 5, 6)), np.zeros(shape))


@pytest.mark.parametrize("shape", [(1, 2, 5, 6), (2, 2, 5, 1), (2, 2, 5)])
def test_maps_of_two_sizes_are_of_the_same_images_and_classes(shape):
    with pytest.raises(ValueError, match="the images and classes of cam"):
        scale_consistency(CAM, np.zeros(shape))


def test_the_spread_is_of_maps_of_four_axes():
    with pytest.raises(ValueError, match="cam must be"):
        map_spread(CAM[0])


def test_consistency_is_the_mean_over_all_four_axes_of_the_flipped_back_difference():
    total = 0.0
    for n, h, w, j in np.ndindex(CAM.shape):
        total += (CAM[n, h, w, j] - MIRRORED[n, h, CAM.shape[2] - 1 - w, j]) ** 2
    np.testing.assert_allclose(flip_consistency(CAM, MIRRORED), total / CAM.size, rtol=1e-12)


def test_consistency_is_nought_for_exact_mirrors_and_not_for_equal_maps():
    assert float(flip_consistency(CAM, CAM[:, :, ::-1])) == 0.0
    assert float(flip_consistency(CAM, CAM)) > 0.1
    assert float(flip_consistency(CAM, CAM[:, ::-1])) > 0.1


def test_the_gradient_of_the_consistency_reaches_both_maps():
    difference = CAM - MIRRORED[:, :, ::-1]
    of_cam, of_mirrored = gradients(flip_consistency, CAM, MIRRORED)
    np.testing.assert_allclose(of_cam, 2 * difference / CAM.size, rtol=1e-12)
    np.testing.assert_allclose(of_mirrored, -2 * difference[:, :, ::-1] / CAM.size, rtol=1e-12)
    np.testing.assert_allclose(
        of_mirrored, finite_difference(lambda m: flip_consistency(CAM, m), MIRRORED), atol=1e-8
    )


def test_the_consistency_reaches_the_features_of_both_views_by_its_closed_formula():
    second = RNG.normal(size=FEATURES.shape)

    def loss(first, mirrored):
        return flip_consistency(
            class_activation_maps(first, KERNEL), class_activation_maps(mirrored, KERNEL)
        )

    difference = FEATURES @ KERNEL - (second @ KERNEL)[:, :, ::-1]
    of_first, of_second = gradients(loss, FEATURES, second)
    np.testing.assert_allclose(of_first, 2 / CAM.size * difference @ KERNEL.T)
    np.testing.assert_allclose(of_second, -2 / CAM.size * difference[:, :, ::-1] @ KERNEL.T)


def test_the_spread_is_the_mean_deviation_over_positions_and_nought_for_flat_maps():
    np.testing.assert_allclose(map_spread(CAM), CAM.std(axis=(1, 2)).mean(), rtol=1e-10)
    flat = np.broadcast_to(RNG.normal(size=(2, 1, 1, 6)), CAM.shape)
    np.testing.assert_allclose(map_spread(flat), 0.0, atol=1e-12)


def rank_by_hand(weights, ratio, margin):
    high = int(len(weights) * ratio)
    ordered = np.sort(weights)[::-1]
    if high in (0, len(weights)):
        return margin
    return max(0.0, ordered[high:].mean() - ordered[:high].mean() + margin)


@pytest.mark.parametrize("count, ratio", [(10, 0.7), (90, 0.7), (170, 0.7), (5, 0.5), (2, 0.7)])
def test_rank_regularization_parts_the_groups_as_the_published_code_does(count, ratio):
    weights = np.random.default_rng(count).uniform(0.4, 0.6, count).astype("float32")
    expected = rank_by_hand(weights, ratio, 0.15)
    assert float(rank_regularization(weights, ratio, 0.15)) == pytest.approx(expected, rel=1e-5)
    column = rank_regularization(weights[:, None], ratio, 0.15)
    assert float(column) == pytest.approx(expected, rel=1e-5)


def test_rank_regularization_counts_the_high_group_by_a_double_precision_product():
    weights = np.zeros(90, "float32")
    weights[:62] = 1.0  # int(90 * 0.7) is 62: the group is pure, the means 1 and 0
    assert float(rank_regularization(weights, 0.7, 1.5)) == pytest.approx(0.5)


def test_rank_regularization_pulls_the_groups_means_apart_and_stops_at_the_margin():
    weights = np.array([0.9, 0.5, 0.55, 0.6, 0.52])
    (gradient,) = gradients(lambda w: rank_regularization(w, 0.4, 0.5), weights)
    np.testing.assert_allclose(gradient, [-1 / 2, 1 / 3, 1 / 3, -1 / 2, 1 / 3], rtol=1e-5)
    (gradient,) = gradients(lambda w: rank_regularization(w, 0.4, 0.01), weights)
    np.testing.assert_array_equal(gradient, 0.0)


@pytest.mark.parametrize("count, ratio", [(1, 0.7), (4, 0.1), (1, 0.999)])
def test_rank_regularization_without_two_groups_is_the_margin_and_teaches_nothing(count, ratio):
    weights = np.linspace(0.2, 0.8, count)
    assert float(rank_regularization(weights, ratio, 0.15)) == pytest.approx(0.15)
    (gradient,) = gradients(lambda w: rank_regularization(w, ratio, 0.15), weights)
    np.testing.assert_array_equal(gradient, 0.0)


@pytest.mark.parametrize("function", [rank_regularization, low_group])
def test_importance_is_one_number_a_sample(function):
    for shape in ((6, 5), (1, 6), (6, 1, 1), ()):
        with pytest.raises(ValueError, match=r"weights must be .* received shape"):
            function(np.ones(shape))


@pytest.mark.parametrize("ratio", [7, -1, 0, 1, 1.0, float("nan"), np.float32(2)])
@pytest.mark.parametrize("function", [rank_regularization, low_group])
def test_a_ratio_out_of_range_is_refused(function, ratio):
    with pytest.raises(ValueError, match="ratio must be between 0 and 1; received"):
        function(np.ones(6), ratio)


@pytest.mark.parametrize("margin", [-0.1, float("nan"), np.float64(-1)])
def test_a_margin_below_nought_is_refused(margin):
    with pytest.raises(ValueError, match="margin must be >= 0; received"):
        rank_regularization(np.ones(6), 0.7, margin)
    with pytest.raises(ValueError, match="margin must be >= 0; received"):
        relabel_candidates(SOFT, HARD, margin)


def test_the_low_group_is_of_the_smallest_weights_in_their_own_order():
    weights = [[0.9], [0.1], [0.5], [0.7]]
    np.testing.assert_array_equal(low_group(weights, 0.5), [False, True, True, False])


def test_relabel_candidates_are_those_more_probable_elsewhere_by_more_than_the_margin():
    probabilities = np.array(
        [[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.375, 0.5, 0.125], [0.3, 0.5, 0.2]], "float32"
    )
    labels = np.array([1, 0, 0, 2])
    mask, new = relabel_candidates(probabilities, labels, 0.2)
    np.testing.assert_array_equal(mask, [True, False, False, True])
    np.testing.assert_array_equal(new, [0, 0, 0, 1])
    mask, _ = relabel_candidates(probabilities, labels, 0.125)
    np.testing.assert_array_equal(mask, [True, False, False, True])  # not at the margin itself


ALL_FLOATS = ["float16", "bfloat16", "float32", "float64"]


@pytest.mark.parametrize("dtype", ALL_FLOATS)
@pytest.mark.parametrize("label_dtype", INDEX_TYPES[1:])
def test_relabel_candidates_take_probabilities_and_labels_of_any_type(dtype, label_dtype):
    probabilities = tf.cast([[0.125, 0.875], [0.5, 0.5], [0.75, 0.25]], dtype)
    labels = np.array([0, 1, 1], label_dtype)
    arrays = (probabilities, labels), (probabilities.numpy(), labels)
    for given in (*arrays, (probabilities.numpy().tolist(), labels.tolist())):
        mask, new = relabel_candidates(*given, 0.25)
        np.testing.assert_array_equal(mask, [True, False, True])
        np.testing.assert_array_equal(new, [1, 1, 0])
        assert new.dtype == tf.int32


@pytest.mark.parametrize("dtype", ALL_FLOATS)
def test_the_type_of_the_probabilities_decides_at_the_margin(dtype):
    probabilities = tf.cast(np.array([[0.6, 0.4]]), dtype)
    at_least_single = np.float64 if dtype == "float64" else np.float32
    high, low = probabilities.numpy()[0].astype(at_least_single)
    mask, _ = relabel_candidates(probabilities, [1], 0.2)
    assert mask.numpy().tolist() == [bool(high - low > at_least_single(0.2))]


def test_at_the_margin_single_precision_relabels_and_double_does_not():
    probabilities = np.array([[0.6, 0.4]])
    assert relabel_candidates(probabilities.astype("float32"), [1], 0.2)[0].numpy().all()
    assert relabel_candidates(probabilities.tolist(), [1], 0.2)[0].numpy().all()
    assert not relabel_candidates(probabilities, [1], 0.2)[0].numpy().any()


def test_a_label_outside_the_classes_is_kept():
    probabilities = np.array([[0.1, 0.9]] * 3, "float32")
    for run in (relabel_candidates, tf.function(relabel_candidates)):
        mask, new = run(probabilities, np.array([-1, 2, 0]))
        np.testing.assert_array_equal(mask, [False, False, True])
        np.testing.assert_array_equal(new, [-1, 2, 1])


@pytest.mark.parametrize("shape", [(4, 1), (1,), (4, 6), ()])
def test_relabel_candidates_refuse_labels_of_another_shape(shape):
    with pytest.raises(ValueError, match="class indices of shape \\(4,\\); received shape"):
        relabel_candidates(SOFT.astype("float32"), np.zeros(shape, int))


def test_relabel_candidates_refuse_probabilities_of_one_sample_alone():
    with pytest.raises(ValueError, match="probabilities must be"):
        relabel_candidates(SOFT[0].astype("float32"), np.zeros(1, int))


MU, LOG_VARIANCE = RNG.normal(size=(2, 5, 4))
PERMUTATION = np.array([3, 0, 2, 4, 1])


def mixed_by_hand(mu, log_variance):
    uncertainty = np.exp(log_variance).mean(axis=1)
    weight = uncertainty / (uncertainty + uncertainty[PERMUTATION])
    return weight[:, None] * mu + (1 - weight[:, None]) * mu[PERMUTATION], weight


def test_the_more_uncertain_sample_weighs_more_in_the_mixture():
    mixed, weight = mix_by_uncertainty(MU, LOG_VARIANCE, PERMUTATION)
    expected, expected_weight = mixed_by_hand(MU, LOG_VARIANCE)
    np.testing.assert_allclose(mixed, expected, rtol=1e-5)
    np.testing.assert_allclose(weight, expected_weight, rtol=1e-5)
    assert float(weight[2]) == pytest.approx(0.5)  # mixed with itself


def test_the_gradient_of_the_mixture_reaches_features_and_uncertainty():
    target = RNG.normal(size=MU.shape)

    def loss(mu, log_variance):
        mixed, _ = mix_by_uncertainty(mu, log_variance, PERMUTATION)
        return tf.reduce_sum(mixed * target)

    def by_hand(mu, log_variance):
        return np.sum(mixed_by_hand(mu, log_variance)[0] * target)

    to_mu, to_variance = gradients(loss, MU, LOG_VARIANCE)
    by_mu = finite_difference(lambda mu: by_hand(mu, LOG_VARIANCE), MU)
    by_variance = finite_difference(lambda v: by_hand(MU, v), LOG_VARIANCE)
    np.testing.assert_allclose(to_mu, by_mu, atol=1e-6)
    np.testing.assert_allclose(to_variance, by_variance, atol=1e-6)


def test_uncertainties_that_overflow_exp_still_mix():
    log_variance = np.full((2, 3), 500.0, "float32")
    _, weight = mix_by_uncertainty(MU[:2, :3].astype("float32"), log_variance, np.array([1, 0]))
    np.testing.assert_allclose(weight, [0.5, 0.5])


@pytest.mark.parametrize("first, second, expected", PAIRS)
def test_features_and_uncertainties_of_two_types_mix_in_the_wider_one(first, second, expected):
    mu, log_variance = tf.cast(4 * MU, first), tf.cast(4 * LOG_VARIANCE, second)
    exact = mixed_by_hand(*(tf.cast(x, tf.float64).numpy() for x in (mu, log_variance)))
    for found, value in zip(mix_by_uncertainty(mu, log_variance, PERMUTATION), exact, strict=True):
        assert found.dtype == expected
        np.testing.assert_allclose(found, value, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_features_of_half_types_mix_in_float32(dtype):
    mu, log_variance = tf.cast(MU, dtype), tf.cast(LOG_VARIANCE, dtype)
    exact = mixed_by_hand(*(tf.cast(x, tf.float64).numpy() for x in (mu, log_variance)))
    for found, value in zip(mix_by_uncertainty(mu, log_variance, PERMUTATION), exact, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "uint16", "uint32", "uint64", "int64"])
def test_a_permutation_may_be_of_any_integer_type(dtype):
    mixed, _ = mix_by_uncertainty(MU, LOG_VARIANCE, PERMUTATION.astype(dtype))
    np.testing.assert_allclose(mixed, mixed_by_hand(MU, LOG_VARIANCE)[0], rtol=1e-5)
    mixed, _ = mix_by_uncertainty(MU.tolist(), LOG_VARIANCE.tolist(), PERMUTATION.tolist())
    np.testing.assert_allclose(mixed, mixed_by_hand(MU, LOG_VARIANCE)[0], rtol=1e-4)


def test_what_cannot_be_mixed_is_refused():
    for permutation in (PERMUTATION[:4], PERMUTATION[:, None], 0):
        with pytest.raises(ValueError, match="permutation must be of shape \\(5,\\)"):
            mix_by_uncertainty(MU, LOG_VARIANCE, permutation)
    with pytest.raises(ValueError, match="permutation must be of integers; received float64"):
        mix_by_uncertainty(MU, LOG_VARIANCE, PERMUTATION + 0.5)
    with pytest.raises(ValueError, match="log_variance must be of mu's shape"):
        mix_by_uncertainty(MU, LOG_VARIANCE[:, :1], PERMUTATION)
    with pytest.raises(ValueError, match="mu must be"):
        mix_by_uncertainty(MU[0], LOG_VARIANCE[0], PERMUTATION)


UNKNOWN_BATCH = [
    (lambda x, y, p: cross_entropy(x, p), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: cross_entropy(x, y), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: generalized_cross_entropy(x, y), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: smooth_labels(p, 6, 0.1), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: rank_regularization(x[:, 0]), (LOGITS, SOFT, HARD)),
    (lambda x, y, p: relabel_candidates(y, p), (LOGITS, SOFT, HARD)),
    (mix_by_uncertainty, (MU, LOG_VARIANCE, PERMUTATION)),
    (lambda x, y, p: flip_consistency(x, y), (CAM, MIRRORED, HARD)),
    (lambda x, y, p: scale_consistency(x, y), (CAM, MIRRORED, HARD)),
    (lambda x, y, p: class_activation_maps(x, KERNEL), (FEATURES, SOFT, HARD)),
]


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
@pytest.mark.parametrize("function, arguments", UNKNOWN_BATCH, ids=lambda x: "")
def test_a_graph_need_not_know_the_batch(function, arguments, compiled):
    signature = [tf.TensorSpec((None, *x.shape[1:]), x.dtype) for x in arguments]
    graph = tf.function(function, input_signature=signature, jit_compile=compiled, autograph=False)
    tf.nest.map_structure(
        lambda found, expected: np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6),
        graph(*arguments),
        function(*arguments),
    )


def test_the_add_up_loss_is_half_of_each_labels_cross_entropy():
    other = np.array([1, 1, 4, 0])
    logs = log_softmax(LOGITS)
    expected = -0.5 * np.mean([logs[i, HARD[i]] + logs[i, other[i]] for i in range(4)])
    assert float(add_up_loss(LOGITS, HARD, other)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("labels", [HARD, SOFT], ids=["hard", "soft"])
def test_generalized_cross_entropy_is_the_papers_formula(labels):
    rows = np.eye(6)[labels] if labels.ndim == 1 else labels
    probability = np.sum(rows * np.exp(log_softmax(LOGITS)), axis=1)
    for exponent in (0.3, 0.7, 1.0):
        expected = (1 - probability**exponent) / exponent
        found = generalized_cross_entropy(LOGITS, labels, exponent)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    near = generalized_cross_entropy(LOGITS, HARD, 1e-4)
    np.testing.assert_allclose(near, cross_entropy(LOGITS, HARD), rtol=1e-3)


@pytest.mark.parametrize("exponent", [0.0, -1.0, 1.5, float("nan")])
def test_an_exponent_out_of_range_is_refused(exponent):
    with pytest.raises(ValueError, match="exponent must be above 0"):
        generalized_cross_entropy(LOGITS, HARD, exponent)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, 7, float("nan")])
def test_a_smoothing_out_of_range_is_refused(smoothing):
    with pytest.raises(ValueError, match="smoothing must be in"):
        smooth_labels(HARD, 6, smoothing)


@pytest.mark.parametrize("shape", [(4, 1), (4, 5), (4, 6, 1)])
def test_smooth_labels_refuse_labels_of_another_shape(shape):
    with pytest.raises(ValueError, match="soft labels; received shape"):
        smooth_labels(np.zeros(shape), 6, 0.1)


def test_smooth_labels_spread_their_share_over_all_classes():
    smoothed = smooth_labels(np.array([2, 0]), 4, 0.2)
    np.testing.assert_allclose(smoothed, [[0.05, 0.05, 0.85, 0.05], [0.85, 0.05, 0.05, 0.05]])
    np.testing.assert_allclose(smooth_labels(SOFT, 6, 0.1), 0.9 * SOFT + 0.1 / 6, rtol=1e-6)
    assert np.isnan(smooth_labels(np.array([4]), 4, 0.2)).all()


def test_scale_consistency_compares_positions_at_the_least_common_size():
    small = RNG.normal(size=(2, 2, 2, 6))
    large = RNG.normal(size=(2, 3, 3, 6))
    expected = np.mean(
        (large.repeat(2, axis=1).repeat(2, axis=2) - small.repeat(3, axis=1).repeat(3, axis=2)) ** 2
    )
    assert float(scale_consistency(large, small)) == pytest.approx(expected)
    assert float(scale_consistency(large, large)) == 0.0

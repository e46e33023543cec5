"""DivideMix's step against NumPy: targets, mixtures, loss, gradient, batch statistics, ramp."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from numeric_slope import slopes

import eactf
from eactf.methods.training_rows import Phase

CLASSES, RATE = 3, 0.05
SIZES = {"even": (4, 4), "ragged": (3, 5), "no unlabelled": (3, 0), "one labelled": (1, 4)}


class Still(eactf.DivideMix):
    """Views that are the images, scaled by the view's number: no two are alike."""

    def make_views(self, images):
        return images * (1.0 + 0.1 * (self._keys.view % 8))


def linear(seed, norm=False):
    """Logits that are a matrix product: pooled pixels, dense; with a normalisation between."""
    inputs = keras.Input((2, 2, 4))
    x = inputs
    if norm:
        x = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-3)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    normal = keras.initializers.RandomNormal(stddev=1.0, seed=seed)
    return keras.Model(
        inputs, keras.layers.Dense(CLASSES, kernel_initializer=normal, bias_initializer=normal)(x)
    )


def built(norm=False, **settings):
    model = Still(
        linear(1, norm), linear(2, norm), **{"warm_up": 2, "flip_probability": 0.0, **settings}
    )
    model.compile(optimizer=eactf.optimizers.SGD(RATE))
    model.run_eagerly = True
    return model


def drawn(labelled, unlabelled, seed=0):
    """What a step takes: images, labels and ids, clean probabilities, images and ids."""
    numbers = np.random.default_rng(seed)
    known, others = (
        numbers.normal(size=(count, 2, 2, 4)).astype("float32") for count in (labelled, unlabelled)
    )
    labels = numbers.integers(0, CLASSES, labelled)
    clean = numbers.uniform(size=labelled).astype("float32")
    ids = np.arange(labelled + unlabelled, dtype="int32")
    return (known, labels, ids[:labelled]), clean, (others, ids[labelled:])


def tensors(data):
    return keras.tree.map_structure(keras.ops.convert_to_tensor, data)


def views_of(images, trained):
    """The four views' factors are 1, 1.1 for labelled images, 1.2, 1.3 for the others."""
    (known, _, _), _, (others, _) = images
    pooled = [np.float64(rows).mean(axis=(1, 2)) for rows in (known, known, others, others)]
    return [rows * (1 + 0.1 * number) for number, rows in enumerate(pooled)]


def softmax(logits):
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def sharpened(rows, temperature):
    powers = rows ** (1 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def expected_step(model, data, trained, weight, labelled_only, temperature):
    """Loss parts and gradients of kernel and bias of the trained network, from the card."""
    (_, labels, _), clean, _ = data
    own, other = (
        [np.float64(v.numpy()) for v in model.networks[n].trainable_variables]
        for n in (trained, 1 - trained)
    )

    def probabilities(rows, kernel, bias):
        return softmax(rows @ kernel + bias)

    x1, x2, u1, u2 = views = views_of(data, trained)
    guessed = [probabilities(u, *network) for network in (own, other) for u in (u1, u2)]
    tu = sharpened(sum(guessed) / 4, temperature)
    refined = (probabilities(x1, *own) + probabilities(x2, *own)) / 2
    clean = np.float64(clean)[:, None]
    tx = sharpened(clean * np.eye(CLASSES)[labels] + (1 - clean) * refined, temperature)
    everyone, targets = np.concatenate(views), np.concatenate([tx, tx, tu, tu])
    permutation, coefficient = (np.array(d) for d in model.draw_mixture(len(everyone)))
    assert sorted(permutation) == list(range(len(everyone)))
    assert 0.5 <= coefficient <= 1
    everyone, targets = (
        coefficient * rows + (1 - coefficient) * rows[permutation] for rows in (everyone, targets)
    )
    first = 2 * len(labels)
    if labelled_only:
        everyone, targets = everyone[:first], targets[:first]

    def parts(network):
        p = probabilities(everyone, *network)
        entropy = -(targets * np.log(p)).sum(axis=1)[:first].mean()
        squares = ((p - targets) ** 2)[first:]
        penalty = (np.log(1 / CLASSES / p.mean(axis=0)) / CLASSES).sum()
        return entropy, squares.mean() if squares.size else 0.0, penalty

    def loss(network):
        labelled, unlabelled, penalty = parts(network)
        return labelled + weight * unlabelled + penalty

    return (loss(own), *parts(own)), slopes(loss, own), permutation


STEPS = {
    "labelled only": ({}, 0.0, True),
    "all rows at weight 0": ({"forward_unlabelled": True}, 0.0, False),
    "weight without a ramp": ({"unlabelled_weight": 25.0, "unlabelled_ramp": 0.0}, 25.0, False),
    "in the ramp": ({"unlabelled_weight": 25.0}, 25.0 * 1.75 / 16, False),
    "another temperature": (
        {"unlabelled_weight": 7.0, "unlabelled_ramp": 0.0, "temperature": 0.8, "alpha": 0.5},
        7.0,
        False,
    ),
    "published guesses": ({"guess": "training", "unlabelled_weight": 3.0}, 3 * 1.75 / 16, False),
}


@pytest.mark.parametrize("trained", [0, 1])
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("settings, weight, labelled_only", STEPS.values(), ids=STEPS)
def test_a_step_is_that_of_the_paper(settings, weight, labelled_only, sizes, trained):
    model, data = built(**settings), drawn(*sizes)
    begin_phase(model, trained, done=3, of=4, epoch=3)  # 1.75 epochs after the warm-up
    temperature = settings.get("temperature", 0.5)
    before = [[v.numpy() for v in network.variables] for network in model.networks]
    found, gradients, _ = expected_step(model, data, trained, weight, labelled_only, temperature)
    logs = model.train_step(tensors(data))
    names = ("loss", "labelled", "unlabelled", "penalty")
    for name, value in zip(names, found, strict=True):
        assert float(logs[name]) == pytest.approx(value, rel=1e-5, abs=1e-6), name
    assert float(logs["unlabelled_weight"]) == pytest.approx(weight)
    for variable, start, slope in zip(
        model.networks[trained].variables, before[trained], gradients, strict=True
    ):
        np.testing.assert_allclose(start - variable.numpy(), RATE * slope, atol=2e-6)
        assert np.abs(slope).max() > 1e-3
    for variable, start in zip(
        model.networks[1 - trained].variables, before[1 - trained], strict=True
    ):
        np.testing.assert_array_equal(variable.numpy(), start)


def begin_phase(model, trained, *, done=0, of=4, epoch=2):
    """As in the midst of a phase, `done` of whose steps were taken."""
    model.trained = trained
    model.epoch.assign(epoch)
    model._phase_start.assign(0)
    model._phase_steps.assign(of)
    model.optimizers[trained].iterations.assign(done)


@pytest.mark.parametrize("trained", [0, 1])
def test_published_guesses_move_batch_statistics_in_the_published_order(trained):
    model = built(norm=True, guess="training", unlabelled_weight=3.0, unlabelled_ramp=0.0)
    data = drawn(4, 3)
    begin_phase(model, trained)
    network, frozen = model.networks[trained], model.networks[1 - trained]
    still = [v.numpy() for v in frozen.variables]
    mean, variance = np.zeros(4), np.ones(4)
    (known, _, _), _, (others, _) = data
    views = [
        np.float64(rows) * (1 + 0.1 * number)
        for number, rows in enumerate((known, known, others, others))
    ]
    permutation, coefficient = (np.array(d) for d in model.draw_mixture(14))
    stacked = np.concatenate(views)
    mixture = coefficient * stacked + (1 - coefficient) * stacked[permutation]
    x1, x2, u1, u2 = views
    for rows in (u1, u2, x1, x2, mixture):
        values = rows.reshape(-1, 4)
        mean = 0.9 * mean + 0.1 * values.mean(axis=0)
        variance = 0.9 * variance + 0.1 * values.var(axis=0, ddof=1)
    model.train_step(tensors(data))
    moved = {variable.name: variable.numpy() for variable in network.non_trainable_variables}
    np.testing.assert_allclose(moved["moving_mean"], mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(moved["moving_variance"], variance, rtol=1e-5)
    for variable, start in zip(frozen.variables, still, strict=True):
        np.testing.assert_array_equal(variable.numpy(), start)


@pytest.mark.parametrize("sizes", [(3, 5), (3, 0)], ids=["ragged", "no unlabelled"])
@pytest.mark.parametrize("guess", ["evaluation", "training"])
def test_xla_takes_the_step_of_eager_code(guess, sizes):
    data, ends = tensors(drawn(*sizes)), []
    any_size = keras.tree.map_structure(
        lambda column: tf.TensorSpec((None, *column.shape[1:]), column.dtype), data
    )
    for compiled in (False, True):
        model = built(norm=True, guess=guess, unlabelled_weight=3.0, unlabelled_ramp=0.0)
        begin_phase(model, 1)
        step = model.train_step
        if compiled:
            step = tf.function(step, [any_size], jit_compile=True, autograph=False)
        step(data)
        ends.append([variable.numpy() for variable in model.variables])
    for one, other in zip(*ends, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)


def test_published_guesses_of_no_images_move_no_statistics():
    model = built(norm=True, guess="training")
    before = [variable.numpy() for variable in model.networks[0].variables]
    assert model._batch_logits(np.zeros((0, 2, 2, 4), "float32")).shape == (0, CLASSES)
    for variable, start in zip(model.networks[0].variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), start)


@pytest.mark.parametrize("weight, rows", [(0.0, 8), (3.0, 14)])
def test_guesses_in_evaluation_mode_move_statistics_by_the_mixed_rows_alone(weight, rows):
    model, data = built(norm=True, unlabelled_weight=weight, unlabelled_ramp=0.0), drawn(4, 3)
    begin_phase(model, 0)
    (known, _, _), _, (others, _) = data
    stacked = np.concatenate([known, 1.1 * known, 1.2 * others, 1.3 * others])
    permutation, coefficient = (np.array(d) for d in model.draw_mixture(14))
    mixture = (coefficient * stacked + (1 - coefficient) * stacked[permutation])[:rows]
    model.train_step(tensors(data))
    moved = {v.name: v.numpy() for v in model.networks[0].non_trainable_variables}
    np.testing.assert_allclose(
        moved["moving_mean"], 0.1 * mixture.mean(axis=(0, 1, 2)), rtol=1e-4, atol=1e-6
    )


def test_one_call_guesses_what_four_would():
    """In evaluation mode; by a network whose statistics are not those of the batch."""
    model = built(norm=True)
    views = [0.5 + rows for rows in np.random.default_rng(0).normal(size=(4, 3, 2, 2, 4))]
    views = [view.astype("float32") for view in views]
    own, guessed = model.guesses(views)
    x1, x2, u1, u2 = views
    first, second = model.networks
    wanted = [first(x1), first(x2), first(u1), first(u2), second(u1), second(u2)]
    for found, logits in zip([*own, *guessed], wanted, strict=True):
        np.testing.assert_allclose(found, softmax(np.array(logits)), rtol=1e-5)


def test_permutation_and_coefficient_are_functions_of_seed_network_and_step():
    def draws(seed, trained, step):
        model = built(seed=seed)
        begin_phase(model, trained, done=step)
        permutation, coefficient = model.draw_mixture(12)
        return (*np.array(permutation).tolist(), float(coefficient))

    places = [(seed, trained, step) for seed in (0, 1) for trained in (0, 1) for step in (0, 1, 7)]
    found = [draws(*place) for place in places]
    assert found == [draws(*place) for place in places]
    assert len({draw[:-1] for draw in found}) == len(places)
    assert len({draw[-1] for draw in found}) == len(places)


def test_coefficients_have_the_distribution_of_the_larger_share():
    model, coefficients, firsts = built(alpha=4.0), [], []
    for step in range(120):
        begin_phase(model, 0, done=step)
        permutation, coefficient = model.draw_mixture(4)
        coefficients.append(float(coefficient))
        firsts.append(int(permutation[0]))
    # E max(l, 1 - l) of Beta(4, 4) is 1/2 + 35/256.
    assert np.mean(coefficients) == pytest.approx(0.5 + 35 / 256, abs=0.03)
    assert np.bincount(firsts, minlength=4) == pytest.approx(np.full(4, 30), abs=18)


def test_the_unlabelled_weight_rises_from_nought_over_sixteen_epochs():
    model = built(unlabelled_weight=25.0, warm_up=2)
    for epoch, done, expected in ((2, 0, 0.0), (2, 2, 0.5), (10, 0, 8.0), (18, 0, 16.0)):
        begin_phase(model, 1, done=done, epoch=epoch)
        weight = float(model.ramped_unlabelled_weight())
        assert weight == pytest.approx(25.0 * expected / 16)
    begin_phase(model, 1, epoch=30)
    assert float(model.ramped_unlabelled_weight()) == 25.0


@pytest.mark.parametrize("labelled, counted", [(8, 3), (9, 3), (3, 1)])
def test_the_ramp_counts_steps_as_published(labelled, counted):
    """num_iter is floor(|X| / B) + 1, one more than the steps where batches are even."""
    phase = Phase(0, np.arange(labelled), 4, np.arange(4), np.ones(9))
    assert built().counted_steps(phase) == counted
    assert built().counted_steps(Phase(0, np.arange(labelled), 4)) == -(-labelled // 4)


def test_the_weight_of_the_first_step_after_the_warm_up_is_nought(faces):
    class Weights(keras.callbacks.Callback):
        seen = ()

        def on_train_batch_end(self, batch, logs=None):
            self.seen = (*self.seen, (self.model.trained, logs.get("unlabelled_weight")))

    model, weights = built(unlabelled_weight=25.0, warm_up=1), Weights()
    model.run_eagerly = False
    images, labels = faces(24, size=2, channels=4)
    model.fit(images / 100, labels, batch_size=4, epochs=2, callbacks=[weights], verbose=0)
    after = [pair for pair in weights.seen if pair[1] is not None]
    assert after[0] == (0, 0.0)
    # Logs are running means over an epoch's samples; they rise from the first step on.
    assert 0.0 < after[1][1] < 25.0 / 16


def test_the_confidence_penalty_is_part_of_the_warm_up_alone():
    (known, labels, ids), *_ = drawn(4, 0)
    losses = []
    for penalty in (False, True):
        model = built(confidence_penalty=penalty)
        logits = np.float64(model.networks[0](known))
        losses.append(float(model.train_step(tensors((known, labels, ids)))["loss"]))
    p = softmax(logits)
    assert losses[0] == pytest.approx(-np.log(p[np.arange(4), labels]).mean(), rel=1e-5)
    assert losses[1] - losses[0] == pytest.approx((p * np.log(p)).sum(axis=1).mean(), rel=1e-4)


def test_soft_labels_are_refined_as_hard_ones():
    data = drawn(4, 4)
    (known, labels, ids), clean, others = data
    soft = (known, np.eye(CLASSES, dtype="float32")[labels], ids), clean, others
    losses = [float(built().train_step(tensors(given))["loss"]) for given in (data, soft)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_in_the_mixing_step_all_labels_count_alike():
    (known, labels, ids), clean, others = data = drawn(4, 4)
    weighed = (known, labels, ids, np.array([0, 9, 1, 2], "float32")), clean, others
    ends = []
    for given in (data, weighed):
        model = built()
        model._weigh_classes({0: 7.0})
        begin_phase(model, 0)
        model.train_step(tensors(given))
        ends.append(np.concatenate([v.numpy().ravel() for v in model.networks[0].variables]))
    plain = built()
    begin_phase(plain, 0)
    plain.train_step(tensors(data))
    ends.append(np.concatenate([v.numpy().ravel() for v in plain.networks[0].variables]))
    for end in ends[1:]:
        np.testing.assert_array_equal(end, ends[0])


@pytest.mark.parametrize(
    "settings, told",
    [
        ({"warm_up": 0}, "warm_up"),
        ({"threshold": 1.0}, "threshold"),
        ({"alpha": 0.0}, "alpha"),
        ({"temperature": 0.0}, "temperature"),
        ({"guess": "both"}, "guess"),
        ({"unlabelled_weight": -1.0}, "unlabelled_weight"),
        ({"loss_history": 0}, "loss_history"),
        ({"clip_quantile": 0.0}, "clip_quantile"),
    ],
)
def test_settings_out_of_range_are_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        eactf.DivideMix(linear(1), **settings)

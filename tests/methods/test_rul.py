"""RUL: its step against NumPy, what is kept, its uncertainty, its rates."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from numeric_slope import slopes

import eactf

RATE = 0.05


def built(classifier, rate=RATE, **settings):
    plain = {
        "erasing": eactf.Erasing(probability=0.0),
        "flip_probability": 0.0,
        "dropout": 0.0,
        "embedding": 4,
    }
    model = eactf.RUL(classifier, **{**plain, **settings})
    # Without graphs, as SCN's: building them takes longer than all these steps.
    model.compile(optimizer=eactf.optimizers.SGD(rate), metrics=["accuracy"], run_eagerly=True)
    return model


def normalized(x, gamma=1.0, beta=0.0):
    """Batch normalisation of a training batch over the last axis, by hand."""
    axes = tuple(range(x.ndim - 1))
    return (x - x.mean(axes)) / np.sqrt(x.var(axes) + 2e-5) * gamma + beta


def branch(features, kernel, bias, gamma, beta):
    flat = normalized(features).reshape(len(features), -1)
    return normalized(flat @ kernel + bias, gamma, beta)


def loss_by_hand(features, weights, labels, permutation):
    (*mu_weights, head, offset), variance_weights = weights[:6], weights[6:]
    mu, log_variance = branch(features, *mu_weights), branch(features, *variance_weights)
    uncertainty = np.exp(log_variance).mean(axis=1)
    weight = (uncertainty / (uncertainty + uncertainty[permutation]))[:, None]
    logits = (weight * mu + (1 - weight) * mu[permutation]) @ head + offset
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    rows = np.arange(len(labels))
    return -0.5 * (logs[rows, labels] + logs[rows, labels[permutation]]).mean()


def trained_weights(model):
    def of(branch):
        return [*branch.dense.variables, branch.normalize.gamma, branch.normalize.beta]

    head = model.head.trainable_variables
    return [*of(model.features_branch), *head, *of(model.uncertainty_branch)]


def test_a_step_follows_the_gradient_of_the_add_up_loss_of_mixtures(tiny_classifier, faces):
    images, labels = faces(6)
    ids = np.array([5, 11, 2, 8, 90, 3])
    model = built(tiny_classifier(norm=False), head_rate=4.0)
    features = model.network(images).numpy().astype("float64")
    weights = [v.numpy().astype("float64") for v in trained_weights(model)]
    batch = model.unpack(tuple(map(tf.constant, (images, labels, ids))))
    draws = model.views_of(batch, model.drawn)[1].numpy()
    permutation = np.argsort(draws)

    logs = model.train_step(tuple(map(tf.constant, (images, labels, ids))))

    expected = loss_by_hand(features, weights, labels, permutation)
    assert float(logs["loss"]) == pytest.approx(expected, rel=1e-4)
    gradients = slopes(lambda moved: loss_by_hand(features, moved, labels, permutation), weights)
    for place, (weight, variable) in enumerate(zip(weights, trained_weights(model), strict=True)):
        rate = RATE * (4.0 if place in (4, 5) else 1.0)  # the head's
        moved = (weight - variable.numpy()) / rate
        np.testing.assert_allclose(moved, gradients[place], atol=3e-5)


def test_the_permutation_changes_with_the_epoch_and_not_with_the_place(tiny_classifier, faces):
    images, labels = faces(50)
    model = built(tiny_classifier())

    def draws(order):
        columns = (images[order], labels[order], np.arange(50)[order])
        return model.views_of(model.unpack(tuple(map(tf.constant, columns))), model.drawn)[1]

    forwards, backwards = draws(np.arange(50)).numpy(), draws(np.arange(50)[::-1]).numpy()
    np.testing.assert_array_equal(forwards, backwards[::-1])
    model.epoch.assign(1)
    assert (draws(np.arange(50)).numpy() != forwards).all()


def test_the_classifier_kept_is_plain_keras_and_predicts_as_the_method(
    tiny_classifier, faces, tmp_path
):
    images, labels = faces(12)
    model = built(tiny_classifier(), dropout=0.4)
    model.fit(images, labels, batch_size=6, epochs=2, verbose=0)
    model.classifier.save(tmp_path / "model.keras")
    opened = keras.models.load_model(tmp_path / "model.keras", compile=False)
    expected = model.predict(images, verbose=0)
    np.testing.assert_allclose(opened.predict(images, verbose=0), expected, atol=1e-5)
    homes = {type(layer).__module__.partition(".")[0] for layer in opened.layers}
    assert homes == {"keras"}


def test_the_old_head_is_neither_trained_nor_kept(tiny_classifier):
    classifier = tiny_classifier()
    model = built(classifier)
    old = classifier.layers[-1].kernel
    assert all(variable is not old for variable in model.trainable_variables)
    assert all(variable is not old for variable in model.classifier.variables)


def test_uncertainty_is_the_mean_exponential_of_the_branch_in_evaluation(tiny_classifier, faces):
    images, labels = faces(12)
    model = built(tiny_classifier())
    model.fit(images, labels, batch_size=6, epochs=1, verbose=0)
    maps = model.network(images).numpy().astype("float64")

    def evaluated(layer, x):
        mean, variance = (v.numpy() for v in (layer.moving_mean, layer.moving_variance))
        return (x - mean) / np.sqrt(variance + 2e-5)

    branch = model.uncertainty_branch
    flat = evaluated(branch.normalize_map, maps).reshape(12, -1)
    kernel, bias = (v.numpy() for v in branch.dense.variables)
    v = evaluated(branch.normalize, flat @ kernel + bias)
    v = v * branch.normalize.gamma.numpy() + branch.normalize.beta.numpy()
    found = model.sample_scores(tf.constant(images))["uncertainty"]
    np.testing.assert_allclose(found, np.exp(v).mean(axis=1), rtol=1e-4)


def test_a_lone_sample_is_seen_by_the_moving_averages_and_leaves_them(tiny_classifier, faces):
    images, labels = faces(13)
    model = built(tiny_classifier(norm=False))
    model.fit(images[:12], labels[:12], batch_size=6, epochs=1, verbose=0)
    branches = (model.features_branch, model.uncertainty_branch)
    averages = [v for b in branches for v in (b.normalize.moving_mean, b.normalize.moving_variance)]
    before = [variable.numpy() for variable in averages]
    flat = normalized(model.network(images[12:]).numpy().astype("float64")).reshape(1, -1)
    kernel, bias = (v.numpy() for v in branches[0].dense.variables)
    norm = branches[0].normalize
    mu = (flat @ kernel + bias - before[0]) / np.sqrt(before[1] + 2e-5)
    mu = mu * norm.gamma.numpy() + norm.beta.numpy()
    logits = mu @ model.head.kernel.numpy() + model.head.bias.numpy()
    loss = np.log(np.exp(logits).sum()) - logits[0, labels[12]]

    logs = model.fit(images[12:], labels[12:], batch_size=6, epochs=1, verbose=0).history

    assert logs["loss"][0] == pytest.approx(loss, rel=1e-4)
    assert logs["mixing"][0] == 0.0
    for variable, value in zip(averages, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)


def test_the_head_starts_uniform_in_one_over_the_root_of_its_inputs(tiny_classifier):
    heads = [
        built(tiny_classifier(classes=200), embedding=16, seed=seed).head for seed in (1, 1, 2)
    ]
    for weights in (heads[0].kernel.numpy(), heads[0].bias.numpy()):
        assert 0.22 < np.abs(weights).max() <= 0.25  # 1 / sqrt(16)
        assert weights.std() == pytest.approx(0.25 / np.sqrt(3), rel=0.15)
    np.testing.assert_array_equal(heads[0].bias.numpy(), heads[1].bias.numpy())
    assert (heads[0].bias.numpy() != heads[2].bias.numpy()).all()
    assert abs(np.corrcoef(heads[0].kernel.numpy()[0], heads[0].bias.numpy())[0, 1]) < 0.3


def test_dropout_leaves_the_share_asked_for_and_the_mean(tiny_classifier, faces):
    model = built(tiny_classifier(size=12, filters=8), dropout=0.4)
    keys = np.arange(400)[:, None]
    maps = np.random.default_rng(0).normal(size=(400, 10, 10, 8)).astype("float32")
    seen = {}
    model.features_branch.dense.call = lambda x: seen.setdefault("flat", x)[:, :4]
    model.features_branch.train(maps, tf.constant(keys))
    flat = seen["flat"].numpy()
    assert np.mean(flat == 0) == pytest.approx(0.4, abs=0.005)
    whole = normalized(maps.astype("float64")).reshape(400, -1)
    np.testing.assert_allclose(flat[flat != 0], whole[flat != 0] / 0.6, rtol=1e-3, atol=1e-4)


def test_a_method_saved_whole_opens_again(tiny_classifier, faces, tmp_path):
    images, labels = faces(12)
    model = built(tiny_classifier(), head_rate=3.0)
    model.fit(images, labels, batch_size=6, epochs=1, verbose=0)
    model.save(tmp_path / "rul.keras")
    again = keras.models.load_model(tmp_path / "rul.keras")
    assert again.head_rate == 3.0
    np.testing.assert_allclose(
        again.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-6
    )
    again.fit(images, labels, batch_size=6, epochs=1, verbose=0)


def test_a_head_rate_needs_an_optimizer_that_has_one(tiny_classifier):
    model = eactf.RUL(tiny_classifier())
    with pytest.raises(ValueError, match=r"head_rate = 10 needs eactf\.optimizers"):
        model.compile(optimizer=keras.optimizers.Adam())
    eactf.RUL(tiny_classifier(), head_rate=1.0).compile(optimizer=keras.optimizers.Adam())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"embedding": 0}, r"embedding must be a whole number in \[1, 4096\]; received 0"),
        ({"embedding": 8.0}, "embedding must be a whole number"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\); received 1.0"),
        ({"head_rate": 0.0}, "head_rate must be > 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tiny_classifier, settings, message):
    with pytest.raises(ValueError, match=message):
        eactf.RUL(tiny_classifier(), **settings)


def test_a_classifier_of_any_size_is_refused(tiny_classifier):
    with pytest.raises(ValueError, match="must take images of one size"):
        eactf.RUL(tiny_classifier(size=None))

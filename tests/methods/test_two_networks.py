"""The two-network variant: its step against NumPy, its thresholds, what is kept of every class."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from numeric_slope import slopes

import eactf
from eactf import losses

pytestmark = pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*:UserWarning")
CLASSES, RATE = 3, 0.05


class Still(eactf.TwoNetworks):
    """Views that are the images, scaled by the view's number."""

    def make_views(self, images):
        return images * (1.0 + 0.1 * (self._keys.view % 8))


def linear(seed):
    """Logits that are a matrix product: pooled pixels, dense."""
    inputs = keras.Input((4, 4, 4))
    normal = keras.initializers.RandomNormal(seed=seed, stddev=1.0)
    x = keras.layers.Conv2D(4, 1, use_bias=False, kernel_initializer=normal)(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(
        inputs, keras.layers.Dense(CLASSES, kernel_initializer=normal, bias_initializer=normal)(x)
    )


def built(**settings):
    model = Still(linear(1), linear(2), **{"flip_probability": 0.0, **settings})
    model.compile(optimizer=eactf.optimizers.SGD(RATE))
    model.run_eagerly = True
    return model


def samples(count=6, seed=0):
    numbers = np.random.default_rng(seed)
    images = numbers.normal(size=(count, 4, 4, 4)).astype("float32")
    return images, numbers.integers(0, CLASSES, count)


def step_of(images, labels, clean=None):
    """What a step takes where nothing else was set aside."""
    count = len(images)
    clean = np.ones(count, "float32") if clean is None else clean
    data = (images, labels, np.arange(count)), clean, (images[:0], np.arange(0))
    return keras.tree.map_structure(keras.ops.convert_to_tensor, data)


def softmax(logits):
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("trained", [0, 1])
@pytest.mark.parametrize("prior", ["uniform", "empirical"])
def test_a_step_is_cross_entropy_and_penalty_on_the_kept_labels(prior, trained):
    shares = np.array([0.5, 0.3, 0.2])
    given = {"class_prior": (5, 3, 2)} if prior == "empirical" else {}
    model = built(prior=prior, **given)
    model.trained = trained
    images, labels = samples()
    conv, *head = (np.float64(v.numpy()) for v in model.networks[trained].trainable_variables)
    rows = np.float64(images).mean(axis=(1, 2)) @ conv[0, 0]
    target = shares if given else np.full(CLASSES, 1 / CLASSES)

    def parts(kernel, bias):
        p = softmax(rows @ kernel + bias)
        cross_entropy = -np.log(p[np.arange(6), labels]).mean()
        return cross_entropy, (target * np.log(target / p.mean(axis=0))).sum()

    other = [v.numpy() for v in model.networks[1 - trained].variables]
    found = dict(zip(("cross_entropy", "penalty"), parts(*head), strict=True))
    gradients = slopes(lambda arrays: sum(parts(*arrays)), head)
    # However unlikely the label is to be clean: it is kept, and counts as every other.
    logs = model.train_step(step_of(images, labels, np.linspace(0, 1, 6).astype("float32")))
    assert sorted(logs) == ["cross_entropy", "loss", "penalty"]
    assert float(logs["loss"]) == pytest.approx(sum(found.values()), rel=1e-5)
    for name, value in found.items():
        assert float(logs[name]) == pytest.approx(value, rel=1e-5)
    moved = model.networks[trained].trainable_variables[1:]
    for variable, start, slope in zip(moved, head, gradients, strict=True):
        np.testing.assert_allclose(start - variable.numpy(), RATE * slope, atol=2e-6)
    for variable, start in zip(model.networks[1 - trained].variables, other, strict=True):
        np.testing.assert_array_equal(variable.numpy(), start)


@pytest.mark.parametrize("unlabelled", ["none", "mixmatch"])
def test_the_consistency_is_that_of_the_trained_networks_maps(unlabelled):
    mixing = {"unlabelled": unlabelled}
    plain, model = built(**mixing), built(consistency_weight=3.0, **mixing)
    images, labels = samples()
    for each in (plain, model):
        each.trained = 1
    features, _ = model.opened_networks[1](images)
    mirrored, _ = model.opened_networks[1](images[:, :, ::-1])
    kernel = model.heads[1].kernel
    expected = losses.flip_consistency(
        losses.class_activation_maps(features, kernel),
        losses.class_activation_maps(mirrored, kernel),
    )
    logs, without = (each.train_step(step_of(images, labels)) for each in (model, plain))
    assert float(logs["consistency"]) == pytest.approx(float(expected), rel=1e-5)
    difference = float(logs["loss"]) - float(without["loss"])
    assert difference == pytest.approx(3.0 * float(expected), rel=1e-4)
    assert "consistency" not in without


def test_with_mixmatch_a_step_is_dividemixs():
    """Of equal networks, images, weights and draws."""
    images, labels = samples(10)
    clean = np.linspace(0, 1, 6).astype("float32")
    known = images[:6], labels[:6], np.arange(6)
    data = keras.tree.map_structure(
        keras.ops.convert_to_tensor, (known, clean, (images[6:], np.arange(6, 10)))
    )

    class Mix(eactf.DivideMix):
        make_views = Still.make_views

    shared = {"unlabelled_weight": 4.0, "unlabelled_ramp": 0.0, "flip_probability": 0.0}
    mix = Mix(linear(1), linear(2), **shared)
    mix.compile(optimizer=eactf.optimizers.SGD(RATE))
    two = built(unlabelled="mixmatch", **shared)
    one, other = (model.train_step(data) for model in (mix, two))
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert float(other[name]) == pytest.approx(float(value), rel=1e-6), name


def division_of(model, clean, given, agree=True):
    """Thresholds and kept labels of a network whose predictions are the labels, or are not."""
    images = np.zeros((len(given), 4, 4, 4), "float32")
    model.fit(images, given, batch_size=4, epochs=0, verbose=0)
    logits = np.eye(CLASSES)[(given + (not agree)) % CLASSES]
    thresholds = model.thresholds(clean, given, logits, model.warm_up + 1)
    return thresholds, model.kept(clean, given, thresholds, model.rows)


def test_thresholds_are_ada_cms_within_floor_and_beta():
    given, clean = np.repeat([0, 1, 2], 20), np.repeat([1.0, 0.8, 0.1], 20)
    model = built(warm_up=3, least_of_each_class=0)
    thresholds, kept = division_of(model, clean, given)
    growth = 1 / (1 + np.exp(-2.0))  # the second epoch after the warm-up
    np.testing.assert_allclose(thresholds, [0.97 * growth, 0.97 * 0.8 * growth, 0.5])
    assert ((thresholds >= 0.5) & (thresholds < 0.97)).all()
    assert kept.tolist() == [True] * 40 + [False] * 20
    disagreeing, _ = division_of(model, clean, given, agree=False)
    np.testing.assert_array_equal(disagreeing, np.full(CLASSES, 0.5))
    fixed, _ = division_of(built(thresholds="fixed", floor=0.7), clean, given)
    np.testing.assert_array_equal(fixed, np.full(CLASSES, 0.7))


def test_the_first_epoch_after_the_warm_up_is_counted_as_the_first(eagerly):
    images, given = samples(24)
    model = built(warm_up=2)
    model.fit(images, given, batch_size=8, epochs=2, verbose=0)
    division = model.division
    assert division.epoch == 2
    for number, network in enumerate(model.networks):
        clean, found = division.clean[:, number], network(images).numpy().argmax(axis=1)
        for label in range(CLASSES):
            agrees = (given == label) & (found == label)
            mean = clean[agrees].mean() if agrees.any() else 0.0
            expected = max(0.5, 0.97 * mean / (1 + np.exp(-1.0)))
            assert division.thresholds[number, label] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("least, counts", [(8, [20, 8, 3]), (2, [20, 2, 2]), (0, [20, 0, 0])])
def test_of_a_class_of_unlikely_labels_the_likeliest_are_kept(least, counts):
    given, clean = np.repeat([0, 1, 2], [20, 20, 3]), np.linspace(0.01, 0.3, 43)
    clean[:20] = 0.99
    _, kept = division_of(built(least_of_each_class=least), clean, given)
    assert np.bincount(given[kept], minlength=CLASSES).tolist() == counts
    for label in (1, 2):
        members = np.flatnonzero(given == label)
        assert kept[members[len(members) - counts[label] :]].all()


def test_a_class_without_any_label_is_no_fault(eagerly):
    images, given = samples(24)
    model = built(warm_up=1)
    logs = model.fit(images, given % 2, batch_size=8, epochs=3, verbose=0).history
    assert np.isfinite([value for values in logs.values() for value in values]).all()
    assert (model.division.thresholds[:, 2] == 0.5).all()


TINY = {
    "all kept": lambda kept: np.ones_like(kept),
    "one set aside": lambda kept: np.arange(len(kept))[:, None] > 0 * kept,
    "one kept": lambda kept: np.arange(len(kept))[:, None] < 1 + 0 * kept,
}


@pytest.mark.parametrize("change", TINY.values(), ids=TINY)
@pytest.mark.parametrize("count", [3, 12])
@pytest.mark.parametrize("unlabelled", ["none", "mixmatch"])
def test_next_to_nothing_labelled_or_unlabelled_is_trained_on(eagerly, change, count, unlabelled):
    images, given = samples(count)
    more = {"unlabelled": unlabelled}
    more |= {"unlabelled_weight": 2.0, "unlabelled_ramp": 0.0} if unlabelled != "none" else {}
    model = built(warm_up=1, **more)
    model.fit(images, given, batch_size=8, epochs=1, verbose=0)
    model.division.kept[:] = change(model.division.kept)
    first, second = model.phases(1, model.rows)
    assert len(first.labelled) == len(second.labelled) == model.division.kept[:, 0].sum()
    if count - len(first.labelled) < 2:
        assert len(first.unlabelled) == 0
    logs = model.fit(images, given, batch_size=8, initial_epoch=1, epochs=2, verbose=0).history
    assert np.isfinite([value for values in logs.values() for value in values]).all()
    if unlabelled == "mixmatch" and not len(first.unlabelled):
        assert logs["unlabelled"] == [0.0]


@pytest.mark.parametrize(
    "settings, told",
    [
        ({"prior": "empirical"}, "class_prior"),
        ({"thresholds": "none"}, "thresholds"),
        ({"beta": 1.5}, "beta"),
        ({"floor": -0.1}, "floor"),
        ({"least_of_each_class": -1}, "least_of_each_class"),
        ({"unlabelled": "guessed"}, "unlabelled"),
        ({"warm_up": 0}, "warm_up"),
    ],
)
def test_settings_out_of_range_are_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        eactf.TwoNetworks(linear(1), **settings)

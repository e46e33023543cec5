"""Divisions: that they find clean labels, when they are made, who is trained on whose."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

import eactf

pytestmark = pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*:UserWarning")
CLASSES = 3


def easy(count=240, noise=0.3, seed=0):
    """Images whose class is where they are bright, some labels of which are another class's."""
    numbers = np.random.default_rng(seed)
    truth = numbers.integers(0, CLASSES, count)
    images = numbers.normal(scale=0.3, size=(count, 4, 4, CLASSES))
    images[np.arange(count), :, :, truth] += 1.0
    wrong = numbers.uniform(size=count) < noise
    given = np.where(wrong, (truth + numbers.integers(1, CLASSES, count)) % CLASSES, truth)
    return images.astype("float32"), given, truth


def network(seed, norm=True):
    """One convolution, pooling and dense logits."""
    normal = keras.initializers.RandomNormal(stddev=0.3, seed=seed)
    inputs = keras.Input((4, 4, CLASSES))
    x = keras.layers.Conv2D(6, 3, use_bias=not norm, kernel_initializer=normal)(inputs)
    if norm:
        x = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-3)(x)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    return keras.Model(inputs, keras.layers.Dense(CLASSES, kernel_initializer=normal)(x))


def built(method=eactf.DivideMix, norm=True, rate=0.1, **settings):
    model = method(network(1, norm), network(2, norm), **{"warm_up": 2, **settings})
    model.compile(optimizer=eactf.optimizers.SGD(rate, momentum=0.9))
    return model


def values(model):
    return [[v.numpy() for v in network.variables] for network in model.networks]


def assert_same(one, two):
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("noise", [0.2, 0.35, 0.5])
@pytest.mark.parametrize("method", [eactf.DivideMix, eactf.TwoNetworks])
def test_the_losses_after_the_warm_up_tell_clean_labels_from_wrong_ones(method, noise):
    images, given, truth = easy(noise=noise)
    model = built(method, warm_up=2)
    model.fit(images, given, batch_size=16, epochs=2, verbose=0)
    for figures in model.division.figures(given, truth, ["a", "b", "c"]):
        assert figures["area_under_curve"] > 0.9
        assert figures["precision"] > 1 - noise + 0.1
        assert figures["recall"] > 0.5


class Recording(keras.callbacks.Callback):
    """What both networks and the division were before each epoch and each phase."""

    def __init__(self):
        super().__init__()
        self.epochs, self.phases = [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs.append((values(self.model), self.model.division))
        self.phases.append({})

    def on_train_batch_end(self, batch, logs=None):
        self.phases[-1][self.model.trained] = values(self.model)


@pytest.mark.parametrize(
    "method, settings",
    [
        (eactf.DivideMix, {}),
        (eactf.DivideMix, {"unlabelled_weight": 5.0, "guess": "training"}),
        (eactf.TwoNetworks, {}),
        (eactf.TwoNetworks, {"unlabelled": "mixmatch"}),
    ],
    ids=["labelled only", "published", "kept only", "mixmatch"],
)
def test_the_network_that_is_not_trained_stands_still_bit_for_bit(eagerly, method, settings):
    images, given, _ = easy(30)
    model, seen = built(method, warm_up=1, **settings), Recording()
    model.fit(images, given, batch_size=8, epochs=2, callbacks=[seen], verbose=0)
    for (start, _), phases in zip(seen.epochs, seen.phases, strict=True):
        assert_same(phases[0][1], start[1])
        assert_same(phases[1][0], phases[0][0])
        for number in (0, 1):
            moved = zip(start[number], phases[number][number], strict=True)
            assert not any(np.array_equal(one, two) for one, two in moved)


def test_both_divisions_are_made_of_the_networks_that_the_epoch_begins_with(eagerly):
    images, given, _ = easy(60)
    model, seen = built(warm_up=1), Recording()
    model.fit(images, given, batch_size=16, epochs=3, callbacks=[seen], verbose=0)
    assert seen.epochs[0][1] is None
    for epoch, (start, division) in list(enumerate(seen.epochs))[1:]:
        assert division.epoch == epoch
        fresh = built(warm_up=1)
        fresh.attach(model.rows)
        for own, weights in zip(fresh.networks, start, strict=True):
            own.set_weights(weights)
        again = fresh.divide(model.rows, epoch)
        np.testing.assert_array_equal(again.clean, division.clean)
        np.testing.assert_array_equal(again.kept, division.kept)
    assert model.division.epoch == 3


def test_the_clean_probability_is_that_of_the_losses_without_augmentation(eagerly):
    from eactf import mixture

    images, given, _ = easy(60)
    model = built(
        warm_up=1,
        flip_probability=1.0,
        erasing=eactf.Erasing(probability=1.0),
        monotone=True,
        clip_quantile=0.9,
    )
    model.fit(images, given, batch_size=16, epochs=1, verbose=0)
    for number, own in enumerate(model.networks):
        losses = keras.losses.sparse_categorical_crossentropy(given, own(images), from_logits=True)
        expected = mixture.clean_probability(losses.numpy(), True, 0.9)
        np.testing.assert_allclose(model.division.clean[:, number], expected, atol=1e-3)
        assert np.array_equal(model.division.kept[:, number], model.division.clean[:, number] > 0.5)


def taken(model, epoch):
    """The phases of an epoch."""
    return model.phases(epoch, model.rows)


def test_each_network_is_trained_on_what_the_other_one_keeps(eagerly):
    images, given, _ = easy(60)
    model = built(warm_up=1)
    model.fit(images, given, batch_size=16, epochs=1, verbose=0)
    division = model.division
    assert not np.array_equal(division.kept[:, 0], division.kept[:, 1])
    for number, phase in enumerate(taken(model, 1)):
        assert phase.network == number
        kept = np.flatnonzero(division.kept[:, 1 - number])
        np.testing.assert_array_equal(np.sort(phase.labelled), kept)
        assert set(phase.unlabelled) == set(range(60)) - set(kept)
        assert len(phase.unlabelled) == phase.steps * 16
        np.testing.assert_array_equal(phase.clean, division.clean[:, 1 - number])


def test_divisions_that_change_places_change_the_training(eagerly):
    import dataclasses

    images, given, _ = easy(60)
    ends = []
    for swapped in (False, True):
        model = built(warm_up=1)
        model.fit(images, given, batch_size=16, epochs=1, verbose=0)
        if swapped:
            turned = {name: getattr(model.division, name)[:, ::-1] for name in ("clean", "kept")}
            model.division = dataclasses.replace(model.division, **turned)
        model.fit(images, given, batch_size=16, initial_epoch=1, epochs=2, verbose=0)
        ends.append(model.predict_each(images, verbose=0))
    assert np.abs(ends[0] - ends[1]).max(axis=(0, 2)).min() > 1e-3


def test_a_label_at_the_threshold_is_not_kept():
    model = built(threshold=0.5)
    model.fit(*easy(20)[:2], batch_size=2, epochs=0, verbose=0)
    clean = np.array([0.5, np.nextafter(0.5, 1), 0.5, 0.9] + [0.1] * 16)
    kept = model.kept(clean, np.zeros(20, int), np.full(CLASSES, 0.5), model.rows)
    assert np.flatnonzero(kept).tolist() == [1, 3]


def test_the_likeliest_labels_fill_a_batch_where_all_are_unlikely():
    model = built(threshold=0.5)
    model.fit(*easy(20)[:2], batch_size=8, epochs=0, verbose=0)
    clean = np.linspace(0.4, 0.0, 20)
    kept = model.kept(clean, np.zeros(20, int), np.full(CLASSES, 0.5), model.rows)
    assert np.flatnonzero(kept).tolist() == list(range(8))
    model.fit(*easy(5)[:2], batch_size=8, epochs=0, verbose=0)
    assert model.kept(clean[:5], np.zeros(5, int), np.full(CLASSES, 0.5), model.rows).all()


def test_labels_that_were_set_aside_reach_nothing(eagerly):
    """Other labels instead of them give the same weights, bit for bit."""
    images, given, _ = easy(40)
    ends = []
    for change in (0, 1):
        model = built(warm_up=1, unlabelled_weight=5.0)
        model.fit(images, given, batch_size=8, epochs=1, verbose=0)
        aside = np.arange(0, 40, 3)
        model.division = replace(model.division, digest=None)  # it stays that of other labels
        model.division.kept[aside] = False
        labels = given.copy()
        labels[aside] = (labels[aside] + change) % CLASSES
        model.fit(images, labels, batch_size=8, initial_epoch=1, epochs=2, verbose=0)
        ends.append(values(model))
    for one, two in zip(*ends, strict=True):
        assert_same(one, two)


def test_the_warm_up_of_dividemix_takes_batches_of_twice_the_size():
    images, given, _ = easy(70)
    for method, sizes in ((eactf.DivideMix, 32), (eactf.TwoNetworks, 16)):
        model = built(method)
        model.fit(images, given, batch_size=16, epochs=0, verbose=0)
        phases = taken(model, 0)
        assert [phase.batch_size for phase in phases] == [sizes] * 2
        assert [phase.unlabelled for phase in phases] == [None] * 2
        first, second = (phase.labelled for phase in phases)
        assert not np.array_equal(first, second)
        assert np.array_equal(np.sort(first), np.arange(70))


def test_orders_are_functions_of_seed_epoch_and_network():
    images, given, _ = easy(30)

    def orders(seed):
        model = built(seed=seed, warm_up=9)
        model.fit(images, given, batch_size=8, epochs=0, verbose=0)
        return [tuple(p.labelled) for epoch in (0, 1) for p in taken(model, epoch)]

    assert orders(0) == orders(0)
    assert len({*orders(0), *orders(1)}) == 8


class Counting(eactf.DivideMix):
    """Counts how often the step of each network and kind is traced."""

    traced = ()

    def train_step(self, data):
        self.traced = (*self.traced, (self.trained, isinstance(data[0], tuple)))
        return super().train_step(data)


def test_no_step_is_traced_twice_whatever_is_kept():
    images, given, _ = easy(61)
    model = Counting(network(1), network(2), warm_up=1, unlabelled_weight=5.0)
    model.compile(optimizer=eactf.optimizers.SGD(0.1))
    sizes = set()
    for epoch in range(5):
        model.fit(images, given, batch_size=8, initial_epoch=epoch, epochs=epoch + 1, verbose=0)
        sizes |= set(model.division.kept.sum(axis=0).tolist())
        if epoch == 2:  # everything is kept, or next to nothing
            model.division.kept[:, 0] = True
            model.division.kept[:, 1] = np.arange(61) < 8
    assert len(sizes) > 3
    assert sorted(model.traced) == [(number, kind) for number in (0, 1) for kind in (False, True)]


def test_no_step_is_traced_twice_on_two_devices(two_devices):
    images, given, _ = easy(13)
    with two_devices.scope():
        model = Counting(network(1, norm=False), network(2, norm=False), warm_up=1)
        model.compile(optimizer=eactf.optimizers.SGD(0.1))
    model.fit(images, given, batch_size=8, epochs=2, verbose=0)
    model.division.kept[:, 0] = True
    model.fit(images, given, batch_size=8, initial_epoch=2, epochs=3, verbose=0)
    assert set(model.traced) == {(number, kind) for number in (0, 1) for kind in (False, True)}
    assert len(model.traced) == 2 * 4  # one a replica


class States(keras.callbacks.Callback):
    """Keeps the state before the first step of every epoch and behind every step."""

    def __init__(self):
        super().__init__()
        self.kept = {}

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self.kept[epoch, 0] = self.model.state()

    def on_train_batch_end(self, batch, logs=None):
        self.kept[self.epoch, batch + 1] = self.model.state()


LASTS = {
    "dividemix": (eactf.DivideMix, {"unlabelled_weight": 5.0, "loss_history": 2}),
    "two networks": (eactf.TwoNetworks, {}),
}


@pytest.mark.parametrize("method, settings", LASTS.values(), ids=LASTS)
def test_a_training_that_is_taken_up_anywhere_is_the_one_that_was_not(method, settings):
    images, given, _ = easy(24)
    data = {"x": images, "y": given, "batch_size": 8, "epochs": 3, "verbose": 0}
    whole, states = built(method, warm_up=1, **settings), States()
    whole.fit(**data, callbacks=[states])
    end = whole.state()
    again = built(method, warm_up=1, **settings, rate=0.3)
    again.fit(**{**data, "x": images[::-1]})  # and is then another one
    warm_up = 2 if method is eactf.DivideMix else 3
    first = -(-int(states.kept[2, 0]["extra/division_kept"][:, 1].sum()) // 8)
    for epoch, steps in ((0, 1), (0, warm_up), (1, 0), (1, 1), (2, first), (2, first + 1)):
        again.restore(states.kept[epoch, steps])
        if (epoch, steps + 1) not in states.kept:
            continue  # the epoch's last step
        again.fit(**data, initial_epoch=epoch, first_step=steps)
        state = again.state()
        assert state.keys() == end.keys()
        for name, array in state.items():
            if not name.startswith("metrics/"):  # of the running epoch, which began anew
                np.testing.assert_array_equal(array, end[name], err_msg=f"{name} {epoch} {steps}")


@pytest.mark.parametrize("method, settings", LASTS.values(), ids=LASTS)
def test_a_training_is_a_function_of_its_seed(eagerly, method, settings):
    images, given, _ = easy(24)

    def end(seed):
        model = built(method, warm_up=1, seed=seed, **settings)
        model.fit(images, given, batch_size=8, epochs=2, verbose=0)
        return np.concatenate([v.ravel() for variables in values(model) for v in variables])

    first = end(3)
    np.testing.assert_array_equal(end(3), first)
    assert np.abs(end(4) - first).max() > 1e-3


def test_the_record_says_how_often_guesses_of_labels_set_aside_are_right(eagerly):
    images, given, truth = easy(60)
    names = ["a", "b", "c"]
    model = built(warm_up=1)
    model.fit(images, given, batch_size=16, epochs=1, verbose=0)
    each = [np.float64(network(images)) for network in model.networks]
    shares = [np.exp(z) / np.exp(z).sum(axis=1, keepdims=True) for z in each]
    right = sum(shares).argmax(axis=1) == truth
    record = model.epoch_record(np.arange(60), given, truth, names)
    for number, phase in enumerate(taken(model, 1), start=1):
        aside = np.setdiff1d(np.arange(60), phase.labelled)
        assert record[f"guess_accuracy_{number}"] == pytest.approx(right[aside].mean())
    again = built(warm_up=1)
    again.restore_extra_state(model.extra_state())
    assert again.epoch_record(np.arange(60), given, truth, names) == record
    assert "guess_accuracy_1" not in model.epoch_record(np.arange(60), given, None, names)
    plain = built(eactf.TwoNetworks, warm_up=1)  # which does nothing with them
    plain.fit(images, given, batch_size=16, epochs=1, verbose=0)
    assert "guess_accuracy_1" not in plain.epoch_record(np.arange(60), given, truth, names)


def test_a_division_of_other_samples_or_another_epoch_is_made_anew(eagerly):
    images, given, _ = easy(20)
    model = built(eactf.TwoNetworks, warm_up=1, loss_history=3)
    model.fit(images, given, batch_size=8, epochs=2, verbose=0)
    model.division = None  # as after `load_weights`
    model.fit(images, given, batch_size=8, initial_epoch=2, epochs=3, verbose=0)
    assert len(model.division.ids) == 20
    model.fit(images[:10], given[:10], batch_size=8, initial_epoch=3, epochs=4, verbose=0)
    assert (model.division.epoch, len(model.division.ids)) == (4, 10)
    model.fit(images[:10], given[:10], batch_size=8, initial_epoch=7, epochs=8, verbose=0)
    assert model.division.epoch == 8


@pytest.mark.parametrize("other", ["images", "labels"])
def test_other_samples_of_the_same_number_are_divided_anew(eagerly, other):
    """Without ids there are only images and labels to tell them by."""
    images, given, _ = easy(20)
    settings = {"batch_size": 8, "initial_epoch": 2, "epochs": 3, "verbose": 0}
    model = built(eactf.TwoNetworks, warm_up=1)
    model.fit(images, given, **{**settings, "initial_epoch": 0, "epochs": 2})
    made, divide = [], model.divide
    model.divide = lambda rows, epoch: made.append(epoch) or divide(rows, epoch)
    state = model.state()
    model.fit(images.copy(), list(given), **settings)
    assert made == [3]
    model.restore(state)
    samples = {"images": images, "labels": given}
    samples[other] = samples[other][::-1]
    model.fit(*samples.values(), **settings)
    assert made == [3, 2, 3]


def test_callbacks_see_the_pass_between_epochs_and_may_stop_it(eagerly):
    class Watches(keras.callbacks.Callback):
        batches, steps = 0, ()

        def on_predict_batch_end(self, batch, logs=None):
            self.batches += 1
            if self.batches == 7:
                raise KeyboardInterrupt

        def on_epoch_end(self, epoch, logs=None):
            self.steps = (*self.steps, self.params["steps"])

    images, given, _ = easy(60)
    model, watches = built(eactf.TwoNetworks, warm_up=1), Watches()
    with pytest.raises(KeyboardInterrupt):
        model.fit(images, given, batch_size=16, epochs=9, callbacks=[watches], verbose=0)
    assert watches.batches == 7
    assert watches.steps[0] == 8  # of the epoch, not of the pass
    assert model.division.epoch == len(watches.steps)


def test_the_learning_rate_of_the_first_optimizer_is_that_of_both(eagerly):
    images, given, _ = easy(16)
    model = built(eactf.TwoNetworks, warm_up=1)
    halve = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 / 2**epoch)
    model.fit(images, given, batch_size=8, epochs=3, callbacks=[halve], verbose=0)
    rates = [float(one.learning_rate.numpy()) for one in model.optimizers]
    assert rates == pytest.approx([0.025, 0.025])


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_each_network_follows_a_schedule_by_its_own_steps(eagerly, precision):
    images, given, _ = easy(24)
    keras.config.set_dtype_policy(precision)
    try:
        model = eactf.TwoNetworks(network(1), network(2), warm_up=2)
    finally:
        keras.config.set_dtype_policy("float32")
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5, staircase=True)
    model.compile(optimizer=eactf.optimizers.SGD(schedule))
    model.fit(images, given, batch_size=8, epochs=1, verbose=0)
    assert [int(one.iterations) for one in model.optimizers] == [3, 3]
    assert [float(one.learning_rate) for one in model.optimizers] == pytest.approx([0.05] * 2)

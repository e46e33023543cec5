"""Co-teaching: who learns from whose choice, how much is left out, what is remembered."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import eactf
from eactf.schedules import forget_rates

RATE = 0.25


WITHOUT_GRAPHS = {"run_eagerly": True}  # building them takes longer than most of these steps


def built(classifier, rate=RATE, compiled=WITHOUT_GRAPHS, **settings):
    model = eactf.CoTeaching(classifier, **settings)
    model.compile(optimizer=eactf.optimizers.SGD(rate), **compiled)
    return model


def halves(model):
    """The trained variables of each network, a flat array each."""
    return [
        np.concatenate([v.numpy().ravel() for v in network.trainable_variables])
        for network in model.networks
    ]


def dataset(images, labels, ids, size):
    return tf.data.Dataset.from_tensor_slices((images, labels, ids)).batch(size)


def losses_of(model, images, labels):
    """The cross-entropy of each sample by each network, `(n, 2)`, in NumPy."""
    logits = model.predict_each(images, verbose=0).astype("float64")
    logs = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
    return -np.take_along_axis(logs, labels[:, None, None], axis=2)[:, :, 0]


def head_moves(network, images, labels, kept):
    """What a step on the `kept` labels alone does to the head of a network, derived by hand."""
    pooled = keras.Model(network.input, network.layers[-2].output)(images).numpy()
    pooled = pooled.astype("float64")[kept]
    kernel, bias = (v.numpy() for v in network.layers[-1].trainable_variables)
    logits = pooled @ kernel + bias
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    slope = (chances - np.eye(3)[labels[kept]]) / len(kept)
    return -RATE * pooled.T @ slope, -RATE * slope.sum(axis=0)


def test_with_nothing_left_out_it_is_two_runs_of_cross_entropy(tiny_classifier, faces):
    images, labels = faces(20)
    model = built(tiny_classifier(), forget_rate=0.0)
    alone = [keras.models.clone_model(network) for network in model.networks]
    for copy, network in zip(alone, model.networks, strict=True):
        copy.set_weights(network.get_weights())
    for copy in alone:
        single = eactf.CrossEntropy(copy, flip_probability=0.0, erasing=eactf.Erasing(0.0))
        single.compile(optimizer=eactf.optimizers.SGD(RATE), **WITHOUT_GRAPHS)
        single.fit(images, labels, batch_size=8, epochs=2, shuffle=False, verbose=0)
    model.fit(images, labels, batch_size=8, epochs=2, shuffle=False, verbose=0)
    for copy, network in zip(alone, model.networks, strict=True):
        for one, other in zip(copy.get_weights(), network.get_weights(), strict=True):
            np.testing.assert_allclose(other, one, rtol=1e-6, atol=1e-7)
    assert np.abs(np.subtract(*halves(model))).max() > 0.1


def test_each_network_is_moved_by_the_labels_that_the_other_one_trusts(tiny_classifier, faces):
    images, labels = faces(10)
    model = built(tiny_classifier(norm=False), ids=10, forget_rate=0.4, gradual=0)
    ranked = np.argsort(losses_of(model, images, labels), axis=0)
    trusted = ranked[:6].T
    assert set(trusted[0]) != set(trusted[1])
    pairs = list(zip(model.networks, trusted, trusted[::-1], strict=True))
    by_other = [head_moves(network, images, labels, other) for network, _, other in pairs]
    by_own = [head_moves(network, images, labels, own) for network, own, _ in pairs]
    before = [[v.numpy() for v in network.layers[-1].trainable_variables] for network, *_ in pairs]
    model.fit(dataset(images, labels, np.arange(10), 10), verbose=0)
    for (network, *_), starts, expected, wrong in zip(pairs, before, by_other, by_own, strict=True):
        for variable, start, move, other in zip(
            network.layers[-1].trainable_variables, starts, expected, wrong, strict=True
        ):
            np.testing.assert_allclose(variable.numpy() - start, move, atol=1e-5)
            assert np.abs(move - other).max() > 1e-3  # the choices swapped would show
    kept = [set(np.flatnonzero(column)) for column in model.selection.T]
    assert kept == [set(trusted[0]), set(trusted[1])]


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({}, [0.2, 0.4, 0.6, 0.6, 0.6]),
        ({"first_epoch": 0}, [0.0, 0.2, 0.4, 0.6, 0.6]),
        ({"gradual": 0}, [0.6] * 5),
        ({"exponent": 2.0}, [0.12, 0.24, 0.36, 0.6, 0.6]),
        ({"exponent_of": "epoch"}, [0.15, 0.3, 0.45, 0.6, 0.6]),
        ({"exponent_of": "epoch", "exponent": 0.5}, [0.15, 0.2121, 0.2598, 0.3, 0.3354]),
    ],
    ids=str,
)
def test_the_share_left_out_rises_from_epoch_to_epoch_in_one_graph(
    tiny_classifier, faces, settings, expected
):
    images, labels = faces(4)
    settings = {"forget_rate": 0.6, "gradual": 4} | settings
    model = built(tiny_classifier(), rate=0.0, compiled={}, **settings)
    traces, step = [], model.train_step
    model.train_step = lambda data: traces.append(1) or step(data)
    told = model.fit(images, labels, epochs=5, verbose=0).history["forget_rate"]
    assert told == pytest.approx(expected, abs=1e-4)
    assert len(traces) == 1


def test_a_slow_rise_of_the_papers_form_reaches_its_end(tiny_classifier):
    model = built(tiny_classifier(), exponent_of="epoch", exponent=0.5, gradual=12)
    published = forget_rates(200, 0.2, 12, 0.5, "epoch")
    for epoch in (0, 1, 100, 142, 143, 150, 198):
        model.epoch.assign(epoch)
        assert float(model.rate_of_the_epoch()) == pytest.approx(published[epoch + 1], rel=1e-12)
    assert published[143] < published[144] == 0.2
    flat = built(tiny_classifier(), exponent_of="epoch", exponent=0.01, gradual=12)
    flat.epoch.assign(10**6)
    assert 0 < float(flat.rate_of_the_epoch()) < 0.2


def test_of_any_batch_a_label_is_kept(tiny_classifier, faces):
    images, labels = faces(11)
    model = built(tiny_classifier(norm=False), ids=11, forget_rate=0.9, gradual=0)
    before = halves(model)
    model.fit(dataset(images, labels, np.arange(11), 10), verbose=0)
    # One of ten, where rounding would leave none, and the single one of the last batch.
    np.testing.assert_array_equal(model.selection.sum(axis=0), [2, 2])
    assert model.selection[10].all()
    assert all((after != start).any() for after, start in zip(halves(model), before, strict=True))


def test_what_the_last_whole_epoch_kept_is_known_by_id(tiny_classifier, faces):
    images, labels = faces(12)
    ids = np.array([70, 3, 900, 14, 22, 8, 41, 5, 66, 100, 7, 2**31 - 1])
    model = built(tiny_classifier(norm=False), rate=0.0, ids=ids, forget_rate=0.5, gradual=0)
    assert not model.selection.any()
    half = dataset(images[:6], labels[:6], ids[:6], 6)
    rest = dataset(images[6:], labels[6:], ids[6:], 6)
    model.fit(half.concatenate(rest), verbose=0)
    found = losses_of(model, images, labels)
    expected = np.zeros((12, 2), bool)
    for rows in (slice(0, 6), slice(6, 12)):
        places = np.argsort(found[rows], axis=0)[:3]
        np.put_along_axis(expected[rows], places, True, axis=0)
    np.testing.assert_array_equal(model.selection, expected[np.argsort(ids)])
    model.fit(half, verbose=0)  # what an epoch does not show it does not keep
    np.testing.assert_array_equal(model.selection[np.argsort(np.argsort(ids))[6:]].any(), False)
    np.testing.assert_array_equal(model.selection.sum(axis=0), [3, 3])


def test_a_sample_shown_twice_is_kept_where_the_last_showing_was(tiny_classifier, faces):
    images, labels = faces(4)
    model = built(tiny_classifier(norm=False), rate=0.0, ids=4, forget_rate=0.5, gradual=0)
    order = np.argsort(losses_of(model, images, labels)[:, 0])
    shown = np.array([order[0], order[3], order[1], order[0]])  # sample 0 first wins, then loses
    first = np.array([order[0], order[2], order[3], order[1]])
    rows = np.concatenate([first, shown])
    model.fit(dataset(images[rows], labels[rows], rows, 4), verbose=0)
    assert model.selection[order[0], 0]
    assert not model.selection[order[3], 0]


def test_ids_must_come_where_something_is_to_be_remembered(tiny_classifier, faces):
    images, labels = faces(4)
    model = built(tiny_classifier(), ids=4)
    with pytest.raises(ValueError, match=r"must yield \(image, label, id\), or give ids=None"):
        model.fit(images, labels, verbose=0)
    without = built(tiny_classifier())
    without.fit(images, labels, verbose=0)
    assert without.selection is None
    assert without.epoch_record(np.arange(4), labels, labels, "abc") == {}


def test_an_epochs_record_has_the_pure_ratio_of_each_network(tiny_classifier, faces):
    images, labels = faces(12)
    ids = np.arange(12)[::-1] + 50
    model = built(tiny_classifier(), ids=ids, forget_rate=0.5, gradual=0)
    model.fit(dataset(images, labels, ids, 12), verbose=0)
    truth = np.where(np.arange(12) % 3 == 0, (labels + 1) % 3, labels)
    truth[5] = -1  # not known
    record = model.epoch_record(ids, labels, truth, ("a", "b", "c"))
    known = truth >= 0
    for number in (1, 2):
        kept = model.selection[::-1, number - 1]  # from sorted ids back to the data's order
        right = labels == truth
        assert record[f"kept_{number}"] == 0.5
        assert record[f"precision_{number}"] == pytest.approx(right[kept & known].mean())
        assert record[f"recall_{number}"] == pytest.approx(kept[right].mean())
        counts = record[f"kept_per_class_{number}"]
        assert list(counts.values()) == np.bincount(labels[kept], minlength=3).tolist()
    unknown = model.epoch_record(ids, labels, None, ("a", "b", "c"))
    assert set(unknown) == {"kept_1", "kept_2", "kept_per_class_1", "kept_per_class_2"}


def test_labels_are_chosen_by_their_losses_and_averaged_by_their_weights(tiny_classifier, faces):
    images, labels = faces(8)
    weights = np.random.default_rng(1).uniform(0.5, 4, 8).astype("float32")
    model = built(tiny_classifier(norm=False), rate=0.0, forget_rate=0.5, gradual=0)
    found = losses_of(model, images, labels)
    trusted = np.argsort(found, axis=0)[:4].T
    weights[trusted[1][0]] = 0.0  # chosen all the same, in nobody else's place
    told = model.train_on_batch(images, labels, sample_weight=weights, return_dict=True)
    for name, own, rows in (("loss_1", 0, trusted[1]), ("loss_2", 1, trusted[0])):
        expected = np.average(found[rows, own], weights=weights[rows])
        assert told[name] == pytest.approx(expected, rel=1e-5)
    assert told["loss"] == pytest.approx((told["loss_1"] + told["loss_2"]) / 2, rel=1e-6)


def test_chosen_labels_that_all_weigh_nothing_teach_nothing(tiny_classifier, faces):
    images, labels = faces(8)
    model = built(tiny_classifier(norm=False), forget_rate=0.5, gradual=0)
    trusted = np.unique(np.argsort(losses_of(model, images, labels), axis=0)[:4])
    weights = np.ones(8, "float32")
    weights[trusted] = 0.0
    assert weights.any()
    before = halves(model)
    told = model.train_on_batch(images, labels, sample_weight=weights, return_dict=True)
    assert told["loss"] == 0.0
    for after, start in zip(halves(model), before, strict=True):
        np.testing.assert_array_equal(after, start)


def test_soft_labels_are_chosen_by_their_losses_too(tiny_classifier, faces):
    images, _ = faces(8)
    soft = np.random.default_rng(0).dirichlet(np.ones(3), 8).astype("float32")
    model = built(tiny_classifier(norm=False), rate=0.0, forget_rate=0.5, gradual=0)
    logits = model.predict_each(images, verbose=0).astype("float64")
    logs = logits - np.log(np.exp(logits).sum(axis=2, keepdims=True))
    found = -(soft[:, None] * logs).sum(axis=2)
    trusted = np.argsort(found, axis=0)[:4].T
    told = model.train_on_batch(images, soft, return_dict=True)
    assert told["loss_1"] == pytest.approx(found[trusted[1], 0].mean(), rel=1e-5)
    assert told["loss_2"] == pytest.approx(found[trusted[0], 1].mean(), rel=1e-5)


def test_agreement_is_the_share_of_images_that_both_predict_alike(tiny_classifier, faces):
    images, labels = faces(40)
    model = built(tiny_classifier(norm=False), rate=0.0, seed=3)
    guesses = model.predict_each(images, verbose=0).argmax(axis=2)
    told = model.fit(images, labels, batch_size=16, verbose=0).history
    assert told["agreement"][0] == pytest.approx((guesses[:, 0] == guesses[:, 1]).mean())
    assert 0 < told["agreement"][0] < 1


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_low_precision_takes_nearly_the_same_step(tiny_classifier, faces, dtype):
    images, labels = faces(16)
    moves = []
    for precision in ("float32", dtype):
        model = built(tiny_classifier(norm=False, dtype=precision), forget_rate=0.25, gradual=0)
        scales = [isinstance(o, keras.optimizers.LossScaleOptimizer) for o in model.optimizers]
        assert scales == [precision == "mixed_float16"] * 2
        before = halves(model)
        model.train_on_batch(images, labels)
        moves.append([after - start for after, start in zip(halves(model), before, strict=True)])
    for exact, rough in zip(*moves, strict=True):
        assert np.linalg.norm(rough - exact) < 0.05 * np.linalg.norm(exact)


def test_the_second_network_learns_at_the_rate_that_a_callback_gives_the_first(
    tiny_classifier, faces
):
    images, labels = faces(8)
    model = built(tiny_classifier())
    seen = []
    model.fit(
        images,
        labels,
        batch_size=4,
        epochs=3,
        callbacks=[
            keras.callbacks.LearningRateScheduler(lambda epoch: 0.5**epoch),
            keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda batch, logs: seen.append(
                    [float(one.learning_rate) for one in model.optimizers]
                )
            ),
        ],
        verbose=0,
    )
    assert seen == [[rate, rate] for rate in (1.0, 1.0, 0.5, 0.5, 0.25, 0.25)]


def test_a_step_may_be_compiled_with_xla(tiny_classifier, faces):
    images, labels = faces(8)
    ends = []
    for jit in (False, True):
        model = built(
            tiny_classifier(norm=False),
            compiled={"jit_compile": jit},
            forget_rate=0.5,
            gradual=0,
        )
        model.fit(images, labels, batch_size=8, shuffle=False, verbose=0)
        ends.append(halves(model))
    for one, other in zip(*ends, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)


def test_wrong_labels_are_left_out(tiny_classifier):
    """Brightness says the class; three labels of ten say another one."""
    numbers = np.random.default_rng(0)
    truth = numbers.integers(0, 3, 240)
    images = numbers.normal(40 + 80 * truth[:, None, None, None], 15, (240, 6, 6, 1))
    wrong = numbers.random(240) < 0.3
    labels = np.where(wrong, (truth + numbers.integers(1, 3, 240)) % 3, truth)
    model = eactf.CoTeaching(
        tiny_classifier(filters=8), ids=240, forget_rate=0.3, gradual=4, seed=1
    )
    model.compile(optimizer=eactf.optimizers.Adam(0.03))
    data = dataset(images.astype("float32"), labels, np.arange(240), 40)
    model.fit(data, epochs=12, verbose=0)
    record = model.epoch_record(np.arange(240), labels, truth, ("a", "b", "c"))
    assert min(record["precision_1"], record["precision_2"]) > 0.9 > 1 - wrong.mean()
    assert (model.predict(images, verbose=0).argmax(axis=1) == truth).mean() > 0.9


def test_the_settings_survive_the_configuration(tiny_classifier):
    model = eactf.CoTeaching(
        tiny_classifier(),
        ids=5,
        forget_rate=0.4,
        gradual=3,
        exponent=2.0,
        exponent_of="epoch",
        first_epoch=0,
        seed=5,
    )
    config = model.get_config()
    again = eactf.CoTeaching.from_config(model.get_config()).get_config()
    for one in (config, again):
        one.pop("classifier"), one.pop("second")
    assert again == config
    assert (config["forget_rate"], config["gradual"], config["first_epoch"]) == (0.4, 3, 0)


@pytest.mark.parametrize(
    "wrong, told",
    [
        ({"forget_rate": 1.0}, r"forget_rate must be in \[0, 1\)"),
        ({"forget_rate": -0.1}, r"forget_rate must be in \[0, 1\)"),
        ({"gradual": -1}, "gradual must be a whole number in"),
        ({"gradual": 1.5}, "gradual must be a whole number in"),
        ({"exponent": 0.0}, "exponent must be > 0"),
        ({"exponent_of": "step"}, "exponent_of must be 'rate' or 'epoch'"),
        ({"first_epoch": 2}, "first_epoch must be 0 or 1"),
        ({"ids": [1, 1]}, "ids must be unique"),
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(tiny_classifier, wrong, told):
    with pytest.raises(ValueError, match=told):
        eactf.CoTeaching(tiny_classifier(), **wrong)

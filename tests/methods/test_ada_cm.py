"""Ada-CM: its loss by hand, its average, its margins, and what may not matter to it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import eactf
from eactf.methods.training_rows import rows_of

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*:UserWarning"),
]
every_step_by_itself = pytest.mark.usefixtures("eagerly")

COUNT, BATCH, LABELLED = 14, 5, (0, 2, 3, 5, 8, 9, 11)


def built(classifier, optimizer=None, *, labelled=LABELLED, steps=1, **settings):
    cropped = eactf.Views(crop_padding=1)
    settings = {"augmentation": cropped, "strong_operations": 1, "scale": 3.0, **settings}
    model = eactf.AdaCM(classifier, labelled=labelled, steps_per_epoch=steps, **settings)
    model.compile(optimizer=optimizer or eactf.optimizers.Adam(0.01), metrics=["accuracy"])
    return model


def weights(*networks):
    return [np.array(variable.numpy()) for network in networks for variable in network.variables]


def forward(network, images, training_batch=True):
    """Pooled features of the tiny classifier in float64, batch statistics its own."""
    conv = next(layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D))
    norm = next(
        layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)
    )
    kernel = np.asarray(conv.kernel.numpy(), np.float64)
    x = (np.asarray(images, np.float64) - 100.0) / 50.0
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
    x = np.einsum("nyxchw,hwcf->nyxf", windows, kernel)
    x = (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + norm.epsilon)
    x = x * np.asarray(norm.gamma.numpy()) + np.asarray(norm.beta.numpy())
    return np.maximum(x, 0.0).mean((1, 2))


def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def contrast(first, second, temperature):
    """As SimCLR has it, row by row."""
    rows, n, total = np.concatenate([first, second]), len(first), 0.0
    for i in range(2 * n):
        similar = rows @ rows[i] / temperature
        others = [j for j in range(2 * n) if j != i]
        total += np.log(np.exp(similar[others]).sum()) - similar[(i + n) % (2 * n)]
    return total / (2 * n) if n else 0.0


@every_step_by_itself
@pytest.mark.parametrize("kind", ["contrastive", "kl", "none"])
def test_the_loss_of_a_step_is_the_one_computed_by_hand(tiny_classifier, faces, kind):
    images, labels = faces(COUNT)
    model = built(tiny_classifier(filters=4), dropout=0.0, low_confidence=kind)
    model.margins.assign([0.45, 0.55, 0.5])
    rows = rows_of(images, labels, batch_size=BATCH, seed=0)
    model.attach(rows)
    (phase,) = model.phases(0, rows)
    known, unknown = phase.labelled, phase.unlabelled
    assert set(known) <= set(LABELLED) and not set(unknown) & set(LABELLED)
    batches = [
        model.unpack((tf.constant(images[p]), tf.constant(labels[p]))) for p in (known, unknown)
    ]
    views = [model.views_of(batches[0])]
    views += [model.views_of(batches[1], view=number) for number in (1, 2)]
    views += [model.views_of(batches[1], model.strong, view=3)]
    unit = [forward(model.trained_classifier, view) for view in views]
    unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in unit]
    kernel, bias = model.head.get_weights()
    logits = [3.0 * rows @ kernel.astype(np.float64) + bias for rows in unit]
    logs = [log_softmax(rows) for rows in logits]
    mean = (np.exp(logs[1]) + np.exp(logs[2])) / 2
    guessed, confidence = mean.argmax(1), mean.max(1)
    sure = confidence >= np.array([0.45, 0.55, 0.5])[guessed]
    assert 0 < sure.sum() < BATCH
    labelled = -logs[0][range(BATCH), labels[known]].mean()
    unlabelled = -(sure * logs[3][range(BATCH), guessed]).sum() / BATCH
    unsure = ~sure
    low = {
        "contrastive": contrast(unit[1][unsure], unit[2][unsure], 0.07),
        "kl": ((np.exp(logs[1]) - np.exp(logs[3])) * (logs[1] - logs[3]))[unsure].sum(1).mean(),
        "none": 0.0,
    }[kind]
    expected = {
        "labelled": labelled,
        "unlabelled": unlabelled,
        "low_confidence": low,
        "sure": sure.mean(),
        "confidence": confidence.mean(),
        "loss": 0.5 * labelled + unlabelled + 0.1 * low,
        "accuracy": (logits[0].argmax(1) == labels[known]).mean(),
    }
    logs = model.fit(verbose=0).history
    assert logs.keys() == expected.keys()
    for name, value in expected.items():
        assert logs[name][0] == pytest.approx(value, rel=2e-4, abs=1e-6), name
    record = model.margin_record
    np.testing.assert_array_equal(record["guessed"], np.bincount(guessed, minlength=3))
    assert sum(n * (s or 0.0) for n, s in zip(record["guessed"], record["sure"], strict=True)) == (
        sure.sum()
    )


@every_step_by_itself
def test_the_average_follows_before_the_trained_weights_shrink(tiny_classifier, faces):
    images, labels = faces(COUNT)

    def model_of(share):
        optimizer = keras.optimizers.SGD(0.5)
        return built(tiny_classifier(), optimizer, shrink=share, ema=0.9, seed=3)

    plain, shrunk = model_of(0.0), model_of(0.1)
    start = weights(shrunk.classifier)
    for own, average in zip(weights(shrunk.trained_classifier), start, strict=True):
        np.testing.assert_array_equal(own, average)
    for epoch in range(2):
        before = weights(shrunk.classifier)
        plain.trained_classifier.set_weights(shrunk.trained_classifier.get_weights())
        for model in (plain, shrunk):
            model.fit(
                images, labels, batch_size=BATCH, initial_epoch=epoch, epochs=epoch + 1, verbose=0
            )
        stepped = weights(plain.trained_classifier)
        found = weights(shrunk.trained_classifier), weights(shrunk.classifier)
        for old, new, own, average in zip(before, stepped, *found, strict=True):
            np.testing.assert_allclose(average, 0.9 * old + 0.1 * new, rtol=1e-5, atol=1e-7)
            np.testing.assert_allclose(own, (1.0 - 0.1 * 0.5) * new, rtol=1e-5, atol=1e-7)
    moved = [(a != b).any() for a, b in zip(start, weights(shrunk.classifier), strict=True)]
    assert all(moved)  # batch statistics as well


@every_step_by_itself
def test_labels_of_unlabelled_images_change_nothing(tiny_classifier, faces):
    images, labels = faces(COUNT)
    others = np.setdiff1d(np.arange(COUNT), LABELLED)
    wrong = labels.copy()
    wrong[others] = (labels[others] + 1) % 3
    found = []
    for given in (labels, wrong):
        model = built(tiny_classifier(), steps=2)
        model.fit(images, given, batch_size=BATCH, epochs=2, verbose=0)
        found.append(weights(model.trained_classifier, model.classifier))
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@every_step_by_itself
def test_margins_start_at_the_floor_and_rise_with_the_averages_confidence(tiny_classifier, faces):
    images, labels = faces(COUNT)
    model = built(tiny_classifier(), scale=40.0, margin_views="plain", ema=0.0)
    seen = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(model.margin_record["margins"])
    )
    model.fit(images, labels, batch_size=BATCH, epochs=4, callbacks=[watch], verbose=0)
    places = np.array(LABELLED)
    probabilities = keras.ops.softmax(model.predict(images[places], verbose=0))
    expected = eactf.margins.confidence_margins(probabilities, labels[places], 4)
    assert seen[0] == [0.8, 0.8, 0.8]
    np.testing.assert_allclose(seen[3], expected, atol=1e-5)
    assert max(seen[3]) > 0.81
    assert min(min(levels) for levels in seen) >= 0.8


@every_step_by_itself
def test_no_image_is_unsure_below_a_margin_of_nought_and_none_sure_above_one(
    tiny_classifier, faces
):
    images, labels = faces(COUNT)
    model = built(tiny_classifier())
    for margin, sure in ((0.0, 1.0), (1.5, 0.0)):
        model.margins.assign([margin] * 3)
        logs = model.fit(images, labels, batch_size=BATCH, verbose=0).history
        assert logs["sure"] == [sure]
        assert (logs["unlabelled"][0] == 0.0) == (sure == 0.0)
        assert (logs["low_confidence"][0] == 0.0) == (sure == 1.0)


@every_step_by_itself
def test_the_record_judges_the_averages_guesses_where_the_truth_is_known(tiny_classifier, faces):
    images, labels = faces(COUNT)
    model = built(tiny_classifier(), ema=0.0, margin_floor=0.4, scale=20.0)
    model.fit(images, labels, batch_size=BATCH, verbose=0)
    truth = np.where(np.arange(COUNT) == 1, -1, np.roll(labels, 1))
    judged = np.setdiff1d(np.arange(COUNT), [1, *LABELLED])
    shares = eactf.margins.probabilities(model.predict(images[judged], verbose=0))
    guessed, right = shares.argmax(axis=1), shares.argmax(axis=1) == truth[judged]
    sure = shares.max(axis=1) >= np.array(model.margins)[guessed]
    assert sure.any()
    record = model.epoch_record(np.arange(COUNT), labels, truth, "abc")
    assert record["guess_accuracy"] == pytest.approx(right.mean())
    assert record["sure_accuracy"] == pytest.approx(right[sure].mean())
    assert record["sure_per_class"] == dict(zip("abc", model.margin_record["sure"], strict=True))
    assert "guess_accuracy" not in model.epoch_record(np.arange(COUNT), labels, None, "abc")


@every_step_by_itself
def test_all_labels_are_used_and_all_images_guessed_where_nothing_is_said(tiny_classifier, faces):
    images, labels = faces(COUNT)
    model = built(tiny_classifier(), labelled=None, steps=6)
    rows = rows_of(images, labels, batch_size=BATCH, seed=0)
    model.attach(rows)
    assert model.steps_in(0) == 6
    assert model.images_in(0) == 2 * 6 * BATCH
    (phase,) = model.phases(0, rows)
    for places in (phase.labelled, phase.unlabelled):
        assert set(np.bincount(places, minlength=COUNT)) == {2, 3}  # 30 of 14
    assert (phase.labelled != phase.unlabelled).any()


@every_step_by_itself
def test_a_run_taken_up_within_an_epoch_is_the_run_that_was_not_stopped(tiny_classifier, faces):
    images, labels = faces(COUNT)
    kept = {}

    class Keep(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            kept[int(self.model.optimizer.iterations)] = self.model.state()

    def model_of(seed):
        return built(tiny_classifier(), steps=3, labelled=None, labelled_per_class=2, seed=seed)

    whole, again = model_of(0), model_of(0)
    whole.fit(images, labels, batch_size=BATCH, epochs=2, callbacks=[Keep()], verbose=0)
    again.fit(images, labels, batch_size=BATCH, epochs=1, verbose=0)
    put_back = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: again.restore(kept[4])
    )
    place = {"initial_epoch": 1, "epochs": 2, "first_step": 1}
    again.fit(images, labels, batch_size=BATCH, **place, callbacks=[put_back], verbose=0)
    one, two = whole.state(), again.state()
    assert one.keys() == two.keys()
    for name, array in one.items():
        if name != "model/0002":  # how many steps this call of fit takes
            np.testing.assert_array_equal(array, two[name], err_msg=name)


@every_step_by_itself
def test_the_labels_of_a_run_taken_up_are_those_it_began_with(tiny_classifier, faces):
    """Whatever the file that named them says by now."""
    images, labels = faces(COUNT)
    model = built(tiny_classifier(), prior_adjustment=1.0, class_prior=[1, 1, 1])
    model.attach(rows_of(images, labels, batch_size=BATCH, seed=0))
    began_with = np.array([1, 4, 6, 7])
    model.restore_extra_state({"labelled": began_with})
    model.fit(verbose=0)
    np.testing.assert_array_equal(model.labelled_places, began_with)
    expected = np.bincount(labels[began_with], minlength=3)
    np.testing.assert_array_equal(model._labelled_prior, expected)


def test_two_devices_train_and_judge_as_one(tiny_classifier, faces, two_devices):
    images, labels = faces(COUNT)
    found = []
    for strategy in (tf.distribute.get_strategy(), two_devices):
        with strategy.scope():
            model = built(
                tiny_classifier(synchronized=True),
                eactf.optimizers.SGD(0.05, momentum=0.9),
                ema=0.5,
                steps=2,
                strong_operations=0,  # the graph is built twice as fast
            )
            model.margins.assign([0.45, 0.55, 0.5])
        start = np.concatenate([w.ravel() for w in weights(model.classifier)])
        logs = model.fit(images, labels, batch_size=BATCH, verbose=0).history
        moved = weights(model.classifier, model.trained_classifier)
        found.append((moved, logs, model.predict(images, verbose=0), model.margin_record))
        end = np.concatenate([w.ravel() for w in weights(model.classifier)])
        assert np.linalg.norm(end - start) > 1e-3
    (one, logs, expected, record), (two, other_logs, judged, other_record) = found
    assert 0.0 < logs["sure"][0] < 1.0
    for move, other in zip(one, two, strict=True):
        np.testing.assert_allclose(other, move, rtol=1e-4, atol=2e-6)
    for name, value in logs.items():
        assert other_logs[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name
    np.testing.assert_allclose(judged, expected, atol=1e-4)
    assert record["guessed"] == other_record["guessed"]
    np.testing.assert_allclose(other_record["margins"], record["margins"], atol=1e-4)


def test_xla_takes_the_step_of_a_graph(tiny_classifier, faces):
    ends = []
    for compiled in (False, True):
        model = built(tiny_classifier(), strong_operations=0)
        model.compile(optimizer=eactf.optimizers.SGD(0.05), jit_compile=compiled)
        model.margins.assign([0.45, 0.55, 0.5])
        model.fit(*faces(COUNT), batch_size=BATCH, verbose=0)
        ends.append(weights(model.classifier, model.trained_classifier))
    for one, other in zip(*ends, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-3, atol=1e-4)


def test_low_precision_trains_and_steps_of_all_epochs_share_a_graph(
    tiny_classifier, faces, monkeypatch
):
    images, labels = faces(COUNT)
    traced = []
    step = eactf.AdaCM.train_step
    monkeypatch.setattr(eactf.AdaCM, "train_step", lambda *a: traced.append(1) or step(*a))
    model = built(tiny_classifier(dtype="mixed_float16"), steps=2, strong_operations=0)
    logs = model.fit(images, labels, batch_size=BATCH, verbose=0).history
    before = len(traced)
    model.margins.assign([0.1, 0.2, 0.9])
    more = {"initial_epoch": 1, "epochs": 3, "verbose": 0}
    logs = model.fit(images, labels, batch_size=BATCH, **more).history
    assert len(traced) == before
    assert np.isfinite(logs["loss"]).all()
    assert model.predict(images, verbose=0).dtype == "float32"


@every_step_by_itself
@pytest.mark.parametrize("normalized", [True, False])
def test_the_method_and_what_it_keeps_are_saved_whole(tiny_classifier, faces, tmp_path, normalized):
    images, labels = faces(COUNT)
    given = tiny_classifier()
    model = built(given, normalized=normalized, scale=3.0 if normalized else None)
    model.fit(images, labels, batch_size=BATCH, epochs=2, verbose=0)
    expected = model.predict(images, verbose=0)
    model.save(tmp_path / "method.keras")
    model.classifier.save(tmp_path / "model.keras")
    kept = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(kept.predict(images, verbose=0), expected, atol=1e-5)
    assert all(kept.trainable_variables[n].trainable for n in range(len(kept.trainable_variables)))
    loaded = keras.models.load_model(tmp_path / "method.keras")
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), expected)
    one, other = ({**method.get_config(), "classifier": None} for method in (model, loaded))
    assert one == other
    # Both go on alike: the trained network, the optimizer and the margins came with it.
    for method in (model, loaded):
        method.fit(images, labels, batch_size=BATCH, initial_epoch=2, epochs=3, verbose=0)
    for one, other in zip(
        weights(model.trained_classifier), weights(loaded.trained_classifier), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    if not normalized:
        assert model.classifier is given


@every_step_by_itself
def test_the_logit_adjustment_counts_the_labels_that_are_used(tiny_classifier, faces):
    images, labels = faces(COUNT)
    model = built(tiny_classifier(), prior_adjustment=1.0, class_prior=[8.0, 4.0, 2.0])
    model.fit(images, labels, batch_size=BATCH, verbose=0)
    counts = np.bincount(labels[list(LABELLED)], minlength=3)
    expected = eactf.losses.adjusted_logits(np.zeros((1, 3)), counts)
    np.testing.assert_allclose(model.adjusted(np.zeros((1, 3))), expected, rtol=1e-6)
    assert model.class_prior == (8.0, 4.0, 2.0)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"labelled_per_class": 2}, "labelled_per_class and labelled each say which"),
        ({"scale": 2.0, "normalized": False}, "scale has no effect with normalized=False"),
        ({"temperature": 0.5, "low_confidence": "kl"}, "temperature has no effect"),
        ({"low_confidence": "entropy"}, "low_confidence must be"),
        ({"augmentation": eactf.Views(pixel_noise=0.1)}, "Ada-CM has no pixel noise"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\)"),
        ({"margin_floor": 1.2}, "margin_floor must be"),
        ({"steps_per_epoch": 0}, "steps_per_epoch must be a whole number >= 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tiny_classifier, settings, message):
    with pytest.raises(ValueError, match=message):
        eactf.AdaCM(tiny_classifier(), **{"labelled": [1, 2], **settings})

"""EAC's step against a derivation in NumPy, its views, its ramp."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from numeric_slope import slopes

import eactf

WEIGHT, RATE = 5.0, 0.25


class GivenViews(eactf.EAC):
    """EAC on views that the test chose."""

    def make_views(self, images):
        return tf.constant(self.chosen[0]), tf.constant(self.chosen[1])


def some_views():
    numbers = np.random.default_rng(4)
    return [numbers.integers(0, 256, (4, 6, 6, 1)).astype("float32") for _ in range(2)]


def convolve(images, kernel):
    windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(1, 2))
    return np.einsum("nhwcyx,yxco->nhwo", windows, kernel)


def normalised(x, gamma, beta):
    return gamma * (x - x.mean(axis=(0, 1, 2))) / np.sqrt(x.var(axis=(0, 1, 2)) + 1e-3) + beta


def eac_in_numpy(views, labels, parameters, frozen_kernel, *, batch_views, part):
    """(loss, cross-entropy, consistency, spread) by eq. 1 to 4, in float64.

    `part` are the samples that have a second view.
    """
    conv, gamma, beta, kernel, bias = parameters
    views = views[0], views[1][part]
    outputs = [convolve((view.astype("float64") - 100) / 50, conv) for view in views]
    if batch_views:
        features = np.split(normalised(np.concatenate(outputs), gamma, beta), [len(views[0])])
    else:
        features = [normalised(output, gamma, beta) for output in outputs]
    first, second = (np.maximum(feature, 0) for feature in features)
    logits = first.mean(axis=(1, 2)) @ kernel + bias
    exponentials = np.exp(logits)
    chosen = exponentials[np.arange(len(labels)), labels] / exponentials.sum(axis=1)
    cam, mirrored = first @ frozen_kernel, second @ frozen_kernel
    cross_entropy, consistency = (
        -np.log(chosen).mean(),
        np.mean((cam[part] - mirrored[:, :, ::-1]) ** 2),
    )
    spread = cam.std(axis=(1, 2)).mean()
    return cross_entropy + WEIGHT * consistency, cross_entropy, consistency, spread


@pytest.mark.parametrize("batch_views, share", [(False, 1), (True, 1), (False, 0.7), (True, 0.5)])
def test_a_step_has_the_loss_gradient_and_statistics_of_the_paper(
    tiny_classifier, batch_views, share
):
    model = GivenViews(tiny_classifier(), WEIGHT, batch_views=batch_views, consistency_share=share)
    model.chosen = views = some_views()
    labels = np.array([0, 2, 1, 2])
    model.compile(optimizer=eactf.optimizers.SGD(RATE))
    before = [v.numpy().astype("float64") for v in model.trainable_variables]
    # Without ids the samples' places in the first batch are the keys.
    part = model.compared_part(tf.zeros((4, 6, 6, 1)))
    part = np.arange(4) if share == 1 else part.numpy()
    assert len(part) == {1: 4, 0.7: 3, 0.5: 2}[share]
    assert [value.shape for value in before] == [(3, 3, 1, 2), (2,), (2,), (2, 3), (3,)]

    logs = model.train_step((tf.zeros((4, 6, 6, 1)), tf.constant(labels)))

    def derived(parameters):
        return eac_in_numpy(
            views, labels, parameters, before[3], batch_views=batch_views, part=part
        )

    expected = dict(
        zip(("loss", "cross_entropy", "consistency", "map_spread"), derived(before), strict=True)
    )
    assert expected["consistency"] > 0.01
    for name, value in expected.items():
        np.testing.assert_allclose(float(logs[name]), value, rtol=1e-4, err_msg=name)
    gradients = slopes(lambda parameters: derived(parameters)[0], before)
    for variable, value, gradient in zip(model.trainable_variables, before, gradients, strict=True):
        moved = (value - variable.numpy()) / RATE
        np.testing.assert_allclose(moved, gradient, rtol=1e-3, atol=2e-5, err_msg=variable.path)

    shown = views[0], views[1][part]
    passes = [convolve((view.astype("float64") - 100) / 50, before[0]) for view in shown]
    if batch_views:
        passes = [np.concatenate(passes)]
    mean, variance = np.zeros(2), np.ones(2)
    for rows in (output.reshape(-1, 2) for output in passes):
        mean = 0.9 * mean + 0.1 * rows.mean(axis=0)
        variance = 0.9 * variance + 0.1 * rows.var(axis=0, ddof=1)
    moving = {v.name: v.numpy() for v in model.classifier.non_trainable_variables}
    np.testing.assert_allclose(moving["moving_mean"], mean, rtol=1e-4)
    np.testing.assert_allclose(moving["moving_variance"], variance, rtol=1e-4)


def test_the_part_that_is_compared_is_drawn_by_epoch_and_id(tiny_classifier):
    model = eactf.EAC(tiny_classifier(), consistency_share=0.25)
    model.compile(optimizer=eactf.optimizers.SGD(RATE))
    drawn = []
    for epoch in range(80):
        model._start_epoch(epoch, 1)
        drawn.append(model.compared_part(tf.zeros((40, 6, 6, 1))).numpy())
    assert all(len(set(part)) == 10 for part in drawn)
    often = np.bincount(np.concatenate(drawn), minlength=40)
    assert often.min() >= 5 and often.max() <= 40  # 20 on average, deviation 4
    model._keys.bound = tf.range(39, -1, -1)  # the same samples in the opposite order
    mirrored = model.compared_part(tf.zeros((40, 6, 6, 1))).numpy()
    assert set(39 - mirrored) == set(drawn[-1])


def test_of_both_views_classified_the_second_has_the_labels_of_its_part(tiny_classifier, faces):
    images, labels = faces(6)
    model = eactf.EAC(
        tiny_classifier(norm=False),
        0.0,
        classify="both",
        consistency_share=0.5,
        erasing=eactf.Erasing(probability=0.0),
    )
    model.compile(optimizer=eactf.optimizers.SGD(RATE))
    part = model.compared_part(images).numpy()
    logits = model.predict(images, verbose=0), model.predict(images[part][:, :, ::-1], verbose=0)
    logs = model.train_step((tf.constant(images), tf.constant(labels)))
    expected = [
        -np.log(np.exp(z) / np.exp(z).sum(1, keepdims=True))[np.arange(len(z)), given].mean()
        for z, given in zip(logits, (labels, labels[part]), strict=True)
    ]
    assert float(logs["loss"]) == pytest.approx(np.mean(expected), rel=1e-5)


def test_the_dense_layer_gets_no_gradient_from_the_consistency(tiny_classifier):
    moves = []
    for weight in (0.0, 50.0):
        model = GivenViews(tiny_classifier(), weight)
        model.chosen = some_views()
        model.compile(optimizer=eactf.optimizers.SGD(RATE))
        model.train_step((tf.zeros((4, 6, 6, 1)), tf.constant([0, 2, 1, 2])))
        moves.append([variable.numpy() for variable in model.trainable_variables])
    for plain, weighted in zip(moves[0][3:], moves[1][3:], strict=True):
        np.testing.assert_allclose(plain, weighted, atol=1e-7)
    assert np.abs(moves[0][0] - moves[1][0]).max() > 0.01


def test_in_mirrored_pairs_the_second_view_is_the_mirror_of_the_first(tiny_classifier, faces):
    model = eactf.EAC(
        tiny_classifier(size=16), pair="mirrored", erasing=eactf.Erasing(probability=1.0)
    )
    images, _ = faces(32, size=16)
    first, second = (view.numpy() for view in model.make_views(images))
    np.testing.assert_array_equal(second, first[:, :, ::-1])
    assert (first != images).any(axis=(1, 2, 3)).all()


def test_in_independent_pairs_each_view_is_erased_by_itself(tiny_classifier, faces):
    model = eactf.EAC(
        tiny_classifier(size=16),
        pair="independent",
        erasing=eactf.Erasing(probability=1.0, fill=-1.0),
    )
    images, _ = faces(32, size=16)
    first, second = (view.numpy() for view in model.make_views(images))
    kept = second != -1
    np.testing.assert_array_equal(second[kept], images[:, :, ::-1][kept])
    same = ((first == -1) == (second[:, :, ::-1] == -1)).all(axis=(1, 2, 3))
    assert same.mean() < 0.1
    plain = eactf.EAC(
        tiny_classifier(size=16), pair="independent", erasing=eactf.Erasing(probability=0.0)
    )
    first, second = (view.numpy() for view in plain.make_views(images))
    np.testing.assert_array_equal(second, first[:, :, ::-1])


def test_blocks_are_filled_with_the_mean_that_the_classifier_takes_away(tiny_classifier, faces):
    model = eactf.EAC(tiny_classifier(size=16, channels=3), erasing=eactf.Erasing(probability=1.0))
    images, _ = faces(8, size=16, channels=3)
    first = model.make_views(images)[0].numpy()
    assert set(first[first != images]) == {100.0}


def test_the_ramp_grows_linearly_and_by_the_step(tiny_classifier, faces):
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            seen.append(float(self.model.ramped(WEIGHT, 2.0)))

    model = eactf.EAC(tiny_classifier(), WEIGHT, consistency_ramp=2.0)
    model.compile(optimizer=eactf.optimizers.SGD(0.01))
    model.fit(*faces(8), batch_size=4, epochs=3, callbacks=Watch(), verbose=0)
    np.testing.assert_allclose(seen, [0.0, 1.25, 2.5, 3.75, 5.0, 5.0])
    seen.clear()
    model.fit(*faces(8), batch_size=4, initial_epoch=1, epochs=2, callbacks=[Watch()], verbose=0)
    np.testing.assert_allclose(seen, [2.5, 3.75])
    assert eactf.EAC(tiny_classifier(), WEIGHT).ramped(WEIGHT, 0.0) == WEIGHT


def test_the_first_step_of_a_ramp_is_plain_cross_entropy(tiny_classifier):
    model = GivenViews(tiny_classifier(), WEIGHT, consistency_ramp=4.0)
    model.chosen = some_views()
    model.compile(optimizer=eactf.optimizers.SGD(RATE))
    model._start_epoch(0, 10)
    logs = model.train_step((tf.zeros((4, 6, 6, 1)), tf.constant([0, 2, 1, 2])))
    assert float(logs["loss"]) == float(logs["cross_entropy"])
    assert float(logs["consistency"]) > 0.01


@pytest.mark.parametrize(
    "settings",
    [
        {"pair": "both"},
        {"consistency_weight": -1.0},
        {"consistency_weight": float("nan")},
        {"consistency_ramp": -1.0},
        {"consistency_share": 0.0},
        {"consistency_share": 1.5},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused_at_once(tiny_classifier, settings):
    with pytest.raises(ValueError, match="must be"):
        eactf.EAC(tiny_classifier(), **settings)


def test_a_corruption_is_applied_before_erasing_to_both_views(tiny_classifier, faces):
    model = eactf.EAC(
        tiny_classifier(size=16),
        erasing=eactf.Erasing(probability=1.0, fill=-9.0),
        augmentation=eactf.Views(corruption=lambda x: x + 1),
    )
    images, _ = faces(4, size=16)
    first = model.make_views(images)[0].numpy()
    np.testing.assert_array_equal(first[first != -9], (images + 1)[first != -9])
    assert (first == -9).any()


def test_a_layer_of_keras_cv_serves_as_corruption_inside_a_step(tiny_classifier, faces):
    pytest.importorskip("keras_cv")
    from eactf.nn.corruptions import corruption

    corrupted = corruption(["GridMask", "RandomGaussianBlur"], seed=1)
    model = eactf.EAC(tiny_classifier(size=16), augmentation=eactf.Views(corruption=corrupted))
    model.compile(optimizer=eactf.optimizers.SGD(0.01))
    logs = model.fit(*faces(4, size=16), batch_size=4, verbose=0).history
    assert np.isfinite(logs["loss"]).all()


def test_the_method_comes_back_from_its_file_with_settings_and_optimizer(
    tiny_classifier, faces, tmp_path
):
    model = eactf.EAC(
        tiny_classifier(),
        3.0,
        consistency_ramp=2.0,
        consistency_share=0.5,
        pair="independent",
        erasing=eactf.Erasing(area=(0.1, 0.3)),
    )
    model.compile(optimizer=eactf.optimizers.Adam(0.01, coupled_weight_decay=1e-3))
    model.fit(*faces(8), batch_size=4, verbose=0)
    model.save(tmp_path / "method.keras")
    again = keras.models.load_model(tmp_path / "method.keras")
    config, other = model.get_config(), again.get_config()
    config.pop("classifier"), other.pop("classifier")
    assert other == config
    assert int(again.optimizer.iterations) == 2
    assert again.optimizer.coupled_weight_decay == 1e-3
    assert len(again.optimizer.variables) == len(model.optimizer.variables)
    for one, two in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())
    images, labels = faces(4, seed=9)
    np.testing.assert_array_equal(again(images).numpy(), model(images).numpy())
    data = (tf.constant(images), tf.constant(labels))
    assert float(again.train_step(data)["loss"]) > 0.0


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_low_precision_takes_the_step_of_float32(tiny_classifier, dtype):
    moves = []
    for policy in (None, dtype):
        model = GivenViews(tiny_classifier(dtype=policy), WEIGHT)
        model.chosen = some_views()
        model.compile(optimizer=eactf.optimizers.SGD(RATE))
        if policy == "mixed_float16":
            assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
        before = [variable.numpy() for variable in model.trainable_variables]
        model.train_step((tf.zeros((4, 6, 6, 1)), tf.constant([0, 2, 1, 2])))
        assert all(variable.dtype == "float32" for variable in model.trainable_variables)
        after = [variable.numpy() for variable in model.trainable_variables]
        moves.append(np.concatenate([(b - a).ravel() for a, b in zip(after, before, strict=True)]))
    assert np.linalg.norm(moves[0]) > 0.01
    error = np.linalg.norm(moves[1] - moves[0]) / np.linalg.norm(moves[0])
    assert error < (0.01 if dtype == "mixed_float16" else 0.05)


def test_xla_takes_the_step_of_eager_code(tiny_classifier, faces):
    results = []
    images, labels = faces(4)
    for compiled in (True, False):
        model = eactf.EAC(
            tiny_classifier(),
            WEIGHT,
            pair="independent",
            consistency_ramp=1.0,
            consistency_share=0.5,
        )
        model.compile(
            optimizer=eactf.optimizers.SGD(RATE), jit_compile=compiled, run_eagerly=not compiled
        )
        model.fit(images, labels, batch_size=2, shuffle=False, verbose=0)
        results.append([variable.numpy() for variable in model.classifier.variables])
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


def maps_of(model, images):
    kernel = model.head.kernel.numpy().astype("float64")
    return model.network(images)[0].numpy().astype("float64") @ kernel


def test_without_the_imbalanced_framework_both_views_are_classified(tiny_classifier, faces):
    images, labels = faces(4)
    logs = {}
    for classify in ("original", "both"):
        model = eactf.EAC(
            tiny_classifier(norm=False),
            0.0,
            classify=classify,
            erasing=eactf.Erasing(probability=0.0),
        )
        model.compile(optimizer=eactf.optimizers.SGD(RATE))
        logits = [model.predict(view, verbose=0) for view in (images, images[:, :, ::-1])]
        logs[classify] = model.train_step((tf.constant(images), tf.constant(labels)))
        first, second = (
            -np.log(np.exp(z) / np.exp(z).sum(1, keepdims=True))[np.arange(4), labels].mean()
            for z in logits
        )
        expected = first if classify == "original" else (first + second) / 2
        assert float(logs[classify]["loss"]) == pytest.approx(expected, rel=1e-5)


def test_a_quarter_turn_is_compared_turned_alike(tiny_classifier, faces):
    images, labels = faces(4)
    model = eactf.EAC(
        tiny_classifier(norm=False), transform="rotate", erasing=eactf.Erasing(probability=0.0)
    )
    model.compile(optimizer=eactf.optimizers.SGD(RATE))
    original, turned = (view.numpy() for view in model.make_views(tf.constant(images)))
    np.testing.assert_array_equal(turned, np.rot90(original, axes=(1, 2)))
    as_turned = np.rot90(maps_of(model, original), axes=(1, 2))
    expected = np.mean((as_turned - maps_of(model, turned)) ** 2)
    logs = model.train_step((tf.constant(images), tf.constant(labels)))
    assert float(logs["consistency"]) == pytest.approx(expected, rel=1e-5)


def test_scaled_views_are_compared_at_the_least_common_size(tiny_classifier, faces):
    images, labels = faces(4)
    model = eactf.EAC(
        tiny_classifier(norm=False), transform="scale", erasing=eactf.Erasing(probability=0.0)
    )
    model.compile(optimizer=eactf.optimizers.SGD(RATE))
    original, small = (view.numpy() for view in model.make_views(tf.constant(images)))
    assert small.shape == (4, 4, 4, 1)
    kernel = model.head.kernel.numpy().astype("float64")
    small_cam = model.second_network(small)[0].numpy().astype("float64") @ kernel
    repeated = small_cam.repeat(2, axis=1).repeat(2, axis=2)
    expected = np.mean((maps_of(model, original) - repeated) ** 2)
    logs = model.train_step((tf.constant(images), tf.constant(labels)))
    assert float(logs["consistency"]) == pytest.approx(expected, rel=1e-4)

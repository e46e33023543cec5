"""Attention consistency: its loss against NumPy at two and four views, its refusals."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

import eactf
from eactf.errors import UsageError
from eactf.recipe import load_recipe
from eactf.report.paper_tables import find_table
from eactf.training.build import build_method


def built(classifier, *arguments, **settings):
    model = eactf.AttentionConsistency(classifier, *arguments, **settings)
    # Without graphs, as SCN's: building them takes longer than all these steps.
    model.compile(optimizer=eactf.optimizers.SGD(0.25), metrics=["accuracy"], run_eagerly=True)
    return model


def cross_entropy(logits, labels):
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -logs[np.arange(len(labels)), labels].mean()


def expected_parts(model, images, labels, sizes):
    """Cross-entropy over all views and the distances of maps, from the feature maps."""
    kernel, bias = (v.numpy().astype("float64") for v in model.head.trainable_variables)
    losses, cams = [], []
    for network, size in zip(model.networks, sizes, strict=True):
        both = np.concatenate([images, images[:, :, ::-1]])
        both = tf.image.resize(both, (size, size), antialias=True).numpy()
        features = network(both)[0].numpy().astype("float64")
        logits = features.mean(axis=(1, 2)) @ kernel + bias
        losses += [cross_entropy(half, labels) for half in np.split(logits, 2)]
        cams.append(features @ kernel)
    flips = []
    for cam in cams:
        first, second = np.split(cam, 2)
        flips.append(np.mean((first - second[:, :, ::-1]) ** 2))
    return np.mean(losses), np.sum(flips), cams


@pytest.mark.parametrize("views", [2, 4])
def test_the_loss_is_that_of_the_paper(tiny_classifier, faces, views):
    images, labels = faces(4)
    model = built(tiny_classifier(norm=False), 3.0, views=views)
    sizes = [6, 4][: views // 2]  # a map of 4 x 4 and the next smaller: round(6 * 3 / 4)
    entropy, flips, cams = expected_parts(model, images, labels, sizes)
    scale = 0.0
    if views == 4:
        assert [cam.shape[1] for cam in cams] == [4, 2]
        scale = np.mean((cams[0] - cams[1].repeat(2, axis=1).repeat(2, axis=2)) ** 2)
    logs = model.train_step((tf.constant(images), tf.constant(labels)))
    assert float(logs["cross_entropy"]) == pytest.approx(entropy, rel=1e-5)
    assert float(logs["consistency"]) == pytest.approx(flips, rel=1e-5)
    if views == 4:
        assert float(logs["scale_consistency"]) == pytest.approx(scale, rel=1e-4)
    assert float(logs["loss"]) == pytest.approx(entropy + 3.0 * (flips + scale), rel=1e-5)


def test_the_dense_layer_learns_from_both_views_and_not_from_the_maps(tiny_classifier, faces):
    images, labels = faces(4)
    for weight in (0.0, 50.0):
        model = built(tiny_classifier(norm=False), weight)
        kernel, bias = (v.numpy().astype("float64") for v in model.head.trainable_variables)
        expected = np.zeros_like(kernel)
        for view in (images, images[:, :, ::-1]):
            pooled = model.network(view)[0].numpy().mean(axis=(1, 2))
            powers = np.exp(pooled @ kernel + bias)
            error = powers / powers.sum(axis=1, keepdims=True) - np.eye(3)[labels]
            expected += pooled.T @ error / 4 / 2
        model.train_step((tf.constant(images), tf.constant(labels)))
        moved = (kernel - model.head.kernel.numpy()) / 0.25
        np.testing.assert_allclose(moved, expected, atol=1e-5)


def test_images_are_not_erased(tiny_classifier, faces):
    images, _ = faces(50)
    (view,) = built(tiny_classifier()).make_views(tf.constant(images))
    np.testing.assert_array_equal(view, np.concatenate([images, images[:, :, ::-1]]))


def test_a_map_of_one_position_is_refused_with_the_way_out():
    network = eactf.build_classifier("resnet10", image_size=32, channels=1, classes=3, width=4)
    for method in (eactf.AttentionConsistency, eactf.EAC):
        with pytest.raises(ValueError, match=r"1 x 1.*Use larger images, or a stem") as refusal:
            method(network)
    assert "stem='small'" in str(refusal.value)


@pytest.mark.parametrize(
    "settings, message",
    [({"views": 3}, "views must be 2 or 4"), ({"consistency_weight": -1.0}, "must be >= 0")],
)
def test_settings_that_make_no_sense_are_refused(tiny_classifier, settings, message):
    with pytest.raises(ValueError, match=message):
        eactf.AttentionConsistency(tiny_classifier(), **settings)


def test_a_method_saved_whole_opens_again(tiny_classifier, faces, tmp_path):
    images, labels = faces(8)
    model = built(tiny_classifier(), views=4)
    model.fit(images, labels, epochs=1, verbose=0)
    model.save(tmp_path / "ac.keras")
    again = keras.models.load_model(tmp_path / "ac.keras")
    assert again.views == 4
    np.testing.assert_allclose(
        again.predict(images, verbose=0), model.predict(images, verbose=0), atol=1e-6
    )


@pytest.mark.parametrize("stem", ["imagenet", "small", "compact"])
def test_residual_networks_open_at_the_smaller_size(stem):
    network = eactf.build_classifier(
        "resnet10", image_size=96, channels=1, classes=3, width=4, stem=stem
    )
    model = built(network, views=4)
    side = model.map_size[0]
    assert model.networks[1].outputs[0].shape[1:3] == (side - 1, side - 1)


def test_the_weight_may_be_ramped(tiny_classifier, faces):
    images, labels = faces(4)
    model = built(tiny_classifier(norm=False), 3.0, consistency_ramp=2.0)
    logs = model.fit(images, labels, batch_size=4, epochs=2, verbose=0).history
    for epoch, weight in enumerate([0.0, 1.5]):
        entropy, distance = logs["cross_entropy"][epoch], logs["consistency"][epoch]
        assert logs["loss"][epoch] == pytest.approx(entropy + weight * distance, rel=1e-5)
    with pytest.raises(ValueError, match="consistency_ramp must be >= 0"):
        built(tiny_classifier(), consistency_ramp=-1.0)


def convolved(classifier, images):
    """What the tiny classifier's batch normalisation is given, in float64."""
    return classifier.layers[2](classifier.layers[1](images)).numpy().astype("float64")


def passed(maps):
    """Maps after batch normalisation by their own statistics and a ReLU."""
    mean, variance = maps.mean(axis=(0, 1, 2)), maps.var(axis=(0, 1, 2))
    return np.maximum((maps - mean) / np.sqrt(variance + 1e-3), 0.0)


@pytest.mark.parametrize("batch_views", [True, False])
def test_views_pass_as_one_batch_or_each_with_its_own_statistics(
    tiny_classifier, faces, batch_views
):
    images, labels = faces(4)
    images[:, :, :3] *= 0.25  # an image unlike its mirror image: other statistics
    classifier = tiny_classifier()
    model = built(classifier, 3.0, batch_views=batch_views)
    kernel, bias = (v.numpy().astype("float64") for v in model.head.trainable_variables)
    maps = [convolved(classifier, view) for view in (images, images[:, :, ::-1])]
    together = np.concatenate(maps)
    features = np.split(passed(together), 2) if batch_views else [passed(view) for view in maps]
    entropy = np.mean(
        [cross_entropy(f.mean(axis=(1, 2)) @ kernel + bias, labels) for f in features]
    )
    cams = [f @ kernel for f in features]
    distance = np.mean((cams[0] - cams[1][:, :, ::-1]) ** 2)
    mean, variance = np.zeros(2), np.ones(2)
    for rows in (batch.reshape(-1, 2) for batch in ([together] if batch_views else maps)):
        mean = 0.9 * mean + 0.1 * rows.mean(axis=0)
        variance = 0.9 * variance + 0.1 * rows.var(axis=0, ddof=1)

    logs = model.train_step((tf.constant(images), tf.constant(labels)))

    assert float(logs["cross_entropy"]) == pytest.approx(entropy, rel=1e-5)
    assert float(logs["consistency"]) == pytest.approx(distance, rel=1e-4)
    moving = {v.name: v.numpy() for v in classifier.non_trainable_variables}
    np.testing.assert_allclose(moving["moving_mean"], mean, rtol=1e-4)
    np.testing.assert_allclose(moving["moving_variance"], variance, rtol=1e-4)


def test_views_are_one_batch_unless_asked_for_otherwise(tiny_classifier):
    assert built(tiny_classifier()).batch_views


def test_four_views_pass_by_themselves_too(tiny_classifier, faces):
    images, labels = faces(4)
    logs = []
    for batch_views in (True, False):  # the same without batch statistics
        model = built(tiny_classifier(norm=False), views=4, batch_views=batch_views)
        logs.append(model.train_step((tf.constant(images), tf.constant(labels))))
    assert logs[0].keys() == logs[1].keys()
    for name, value in logs[0].items():
        assert float(logs[1][name]) == pytest.approx(float(value), rel=1e-5), name


def test_the_sizes_distance_has_a_weight_of_its_own_and_the_same_ramp(tiny_classifier, faces):
    images, labels = faces(4)
    settings = {"views": 4, "scale_weight": 0.8, "consistency_ramp": 2.0}
    model = built(tiny_classifier(norm=False), 0.6, **settings)
    logs = model.fit(images, labels, batch_size=4, epochs=2, verbose=0).history
    for epoch, ramp in enumerate([0.0, 0.5]):
        entropy, flips, scale = (
            logs[name][epoch] for name in ("cross_entropy", "consistency", "scale_consistency")
        )
        expected = entropy + ramp * (0.6 * flips + 0.8 * scale)
        assert logs["loss"][epoch] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"views": 4, "scale_weight": -0.1}, "scale_weight must be >= 0"),
        ({"views": 4, "scale_weight": float("nan")}, "scale_weight must be >= 0"),
        ({"scale_weight": 1.0}, "set views=4"),
    ],
    ids=str,
)
def test_a_weight_of_the_sizes_that_makes_no_sense_is_refused(tiny_classifier, settings, message):
    with pytest.raises(ValueError, match=message):
        built(tiny_classifier(), **settings)


def test_the_new_settings_survive_the_configuration(tiny_classifier):
    model = built(tiny_classifier(), views=4, scale_weight=0.8, batch_views=False)
    again = eactf.AttentionConsistency.from_config(model.get_config())
    assert (again.scale_weight, again.batch_views) == (0.8, False)


@pytest.mark.parametrize(
    "method, settings, without",
    [
        (eactf.AttentionConsistency, {"views": 4}, "views=2"),
        (eactf.EAC, {"transform": "scale"}, "transform='flip'"),
    ],
)
def test_a_smaller_view_with_a_map_of_one_position_is_refused(method, settings, without):
    network = eactf.build_classifier("resnet10", image_size=64, channels=1, classes=3, width=4)
    told = r"smaller view \(32 x 32 px\) is 1 x 1.*Use larger images, or a stem.*smaller view"
    with pytest.raises(ValueError, match=told) as refusal:
        method(network, **settings)
    assert without in str(refusal.value)
    method(network)  # its own map of 2 x 2 will do
    larger = eactf.build_classifier("resnet10", image_size=96, channels=1, classes=3, width=4)
    method(larger, **settings)


@pytest.mark.parametrize(
    "method, settings",
    [(eactf.AttentionConsistency, {"views": 4}), (eactf.EAC, {"transform": "scale"})],
)
def test_a_smaller_view_of_images_that_are_not_square_or_of_any_size_is_refused(method, settings):
    def classifier(height, width):
        inputs = keras.Input((height, width, 1))
        maps = keras.layers.Conv2D(2, 8, strides=8)(inputs)
        pooled = keras.layers.GlobalAveragePooling2D()(maps)
        return keras.Model(inputs, keras.layers.Dense(3)(pooled))

    with pytest.raises(ValueError, match=r"square images.*received images of 32 x 48.*4 x 6"):
        method(classifier(32, 48), **settings)
    with pytest.raises(ValueError, match=r"images of one size; this one takes None x None"):
        method(classifier(None, None), **settings)
    method(classifier(32, 48))  # without a smaller view any shape will do


@pytest.mark.parametrize("budget", ["paper", "small"])
def test_the_scaled_views_of_table_4_have_a_map_in_both_budgets(budget):
    table = find_table("table4")
    places = list(table.places(rows=["Scale"]))
    assert len(places) == 3
    recipe = load_recipe(table.base[budget], table.settings(places[0], budget)).recipe
    network = eactf.build_classifier(
        recipe.model.backbone,
        image_size=recipe.data.image_size,
        channels=recipe.data.channels,
        classes=7,
        stem=recipe.model.stem,
        width=4,
    )
    method = build_method(recipe, network, np.arange(4))
    assert (
        method.second_network.input_shape[1:3] == {"paper": (192, 192), "small": (40, 40)}[budget]
    )
    side = method.map_size[0]
    assert side == {"paper": 7, "small": 6}[budget]
    assert method.second_network.outputs[0].shape[1:3] == (side - 1, side - 1)


def test_the_settings_of_a_recipe_reach_the_method(tiny_classifier):
    def method(*settings):
        given = ("method.name=attention_consistency", *settings)
        recipe = load_recipe("quickstart", given).recipe
        return build_method(recipe, tiny_classifier(), np.arange(4))

    plain = method()
    assert (plain.views, plain.batch_views, plain.scale_weight) == (2, True, None)
    made = method("method.views=4", "method.batch_views=false", "method.scale_weight=0.8")
    assert (made.views, made.batch_views, made.scale_weight) == (4, False, 0.8)
    with pytest.raises(UsageError, match="scale_weight serves only views = 4"):
        method("method.scale_weight=0.8")


@pytest.mark.parametrize("budget", ["paper", "small"])
def test_table_3_compares_with_attention_consistency_that_passes_views_as_eac_does(budget):
    table = find_table("table3")
    (place,) = table.places(rows=["attention consistency"])
    settings = load_recipe(table.base[budget], table.settings(place, budget)).recipe.method
    assert (settings.name, settings.batch_views) == ("attention_consistency", False)

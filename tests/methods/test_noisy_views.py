"""Pixel noise in the methods: off by default, where it comes in, what it goes together with."""

from __future__ import annotations

import numpy as np
import pytest

import eactf
from eactf.errors import UsageError
from eactf.nn.counter_random import uniform
from eactf.nn.erasing import erase
from eactf.recipe import load_recipe
from eactf.training.build import build_method

WHOLE = {"erasing": eactf.Erasing(probability=0.0)}
ONE_VIEW = {
    "cross_entropy": (eactf.CrossEntropy, {}),
    "scn": (eactf.SCN, {"relabel_epoch": None}),
    "rul": (eactf.RUL, {"embedding": 4}),
    "co_teaching": (eactf.CoTeaching, {}),
    "dividemix": (eactf.DivideMix, {}),
    "two_networks": (eactf.TwoNetworks, {}),
}
every_one_view = pytest.mark.parametrize("method, settings", ONE_VIEW.values(), ids=ONE_VIEW)
EVERY = {"eac": (eactf.EAC, {}), **ONE_VIEW}
every_method = pytest.mark.parametrize("method, settings", EVERY.values(), ids=EVERY)


def tinted(count, size=8):
    """Images of whole numbers far from 0 and 255, each unlike its mirror image."""
    drawn = np.random.default_rng(2).integers(60, 200, (count, size, size, 1))
    return drawn.astype("float32")


def is_noisy(view, images):
    """Which rows of `view` are their images with noise on every pixel, `(n,)`."""
    away = np.abs(view - images)
    return (away > 0).any(axis=(1, 2, 3)) & (away.max(axis=(1, 2, 3)) < 40)


@pytest.mark.parametrize("pair", ["mirrored", "independent"])
def test_noise_is_on_the_view_classified_and_shared_by_mirrored_pairs_only(tiny_classifier, pair):
    images = tinted(400)
    model = eactf.EAC(
        tiny_classifier(size=8), pair=pair, augmentation=eactf.Views(pixel_noise=0.5), **WHOLE
    )
    first, second = (view.numpy() for view in model.make_views(images))
    noisy = is_noisy(first, images)
    assert 0.42 < noisy.mean() < 0.58
    np.testing.assert_array_equal(first[~noisy], images[~noisy])
    assert (first[noisy] - images[noisy] + 0.5).var() == pytest.approx(30, rel=0.05)
    shared = first if pair == "mirrored" else images
    np.testing.assert_array_equal(second, shared[:, :, ::-1])


@pytest.mark.parametrize("pair", ["mirrored", "independent"])
def test_blocks_are_erased_after_the_noise(tiny_classifier, pair):
    images = tinted(60, size=16)
    model = eactf.EAC(
        tiny_classifier(size=16),
        pair=pair,
        augmentation=eactf.Views(pixel_noise=1.0),
        erasing=eactf.Erasing(probability=1.0, fill=7.5),
    )
    plain = eactf.EAC(tiny_classifier(size=16), augmentation=eactf.Views(pixel_noise=1.0), **WHOLE)
    first = model.make_views(images)[0].numpy()
    whole = plain.make_views(images)[0].numpy()
    erased = first == 7.5
    assert erased.any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(first[~erased], whole[~erased])


@every_one_view
def test_an_image_is_mirrored_or_noisy_or_neither(tiny_classifier, method, settings):
    images = tinted(2000)
    model = method(
        tiny_classifier(size=8),
        flip_probability=0.25,
        augmentation=eactf.Views(pixel_noise=0.25),
        **WHOLE,
        **settings,
    )
    view = model.make_views(images).numpy()
    same = (view == images).all(axis=(1, 2, 3))
    mirrored = (view == images[:, :, ::-1]).all(axis=(1, 2, 3))
    noisy = is_noisy(view, images)
    assert (same.astype(int) + mirrored + noisy == 1).all()
    for share, expected in [(same, 0.5), (mirrored, 0.25), (noisy, 0.25)]:
        assert share.mean() == pytest.approx(expected, abs=0.05)


@every_one_view
def test_noise_leaves_the_images_that_are_mirrored_the_same(tiny_classifier, method, settings):
    images = tinted(300)
    flips = []
    for noise in (0.0, 0.5):
        model = method(
            tiny_classifier(size=8),
            flip_probability=0.5,
            augmentation=eactf.Views(pixel_noise=noise),
            **WHOLE,
            **settings,
        )
        view = model.make_views(images).numpy()
        flips.append((view == images[:, :, ::-1]).all(axis=(1, 2, 3)))
        if noise:
            assert (flips[-1] | is_noisy(view, images)).all()
    np.testing.assert_array_equal(*flips)


@every_one_view
def test_noise_comes_before_erasing(tiny_classifier, method, settings):
    images = tinted(60, size=16)
    both = {"flip_probability": 0.0, "augmentation": eactf.Views(pixel_noise=1.0), **settings}
    model = method(
        tiny_classifier(size=16), erasing=eactf.Erasing(probability=1.0, fill=7.5), **both
    )
    view = model.make_views(images).numpy()
    whole = method(tiny_classifier(size=16), **WHOLE, **both).make_views(images).numpy()
    assert is_noisy(whole, images).all()
    erased = view == 7.5
    assert erased.any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal(view[~erased], whole[~erased])


@every_one_view
def test_without_noise_the_view_is_erased_and_mirrored_as_ever(tiny_classifier, method, settings):
    images = tinted(200, size=16)
    plain = method(tiny_classifier(size=16), **settings)
    if plain.erasing.probability == 0.0:  # two networks: not unless they are told to
        if method is eactf.CoTeaching:
            np.testing.assert_array_equal(plain.make_views(images), images)
        settings = {"erasing": eactf.Erasing(), "flip_probability": 0.5}
    model = method(tiny_classifier(size=16), seed=3, **settings)
    assert model.augmentation == eactf.Views()

    def keys(stream):
        return np.stack([np.full(200, 3), np.full(200, stream), np.zeros(200), np.arange(200)], 1)

    erased = erase(images, keys(0).astype("int32"), fill=100.0).numpy()
    mirrored = uniform(keys(2).astype("int32"), 1).numpy()[:, 0] < 0.5
    expected = np.where(mirrored[:, None, None, None], erased[:, :, ::-1], erased)
    np.testing.assert_array_equal(model.make_views(images), expected)


@every_method
def test_no_two_draws_share_their_numbers(tiny_classifier, monkeypatch, method, settings):
    model = method(
        tiny_classifier(size=8),
        augmentation=eactf.Views(crop_padding=1, pixel_noise=0.4),
        **settings,
    )
    streams, keys = [], model.sample_keys
    monkeypatch.setattr(
        model, "sample_keys", lambda images, stream: streams.append(stream) or keys(images, stream)
    )
    getattr(model, "drawn", model.make_views)(tinted(4))
    assert len(set(streams)) == len(streams) >= 3


@every_method
def test_the_probability_survives_the_configuration_and_may_be_missing_there(
    tiny_classifier, method, settings
):
    model = method(tiny_classifier(), augmentation=eactf.Views(pixel_noise=0.125), **settings)
    assert method.from_config(model.get_config()).augmentation.pixel_noise == 0.125
    older = model.get_config()
    del older["augmentation"]
    assert method.from_config(older).augmentation.pixel_noise == 0.0


@pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan")])
@every_method
def test_a_probability_out_of_range_is_refused(tiny_classifier, method, settings, probability):
    with pytest.raises(ValueError, match=r"pixel.noise must be"):
        method(tiny_classifier(), augmentation=eactf.Views(pixel_noise=probability), **settings)


@every_one_view
def test_more_than_all_images_are_refused(tiny_classifier, method, settings):
    with pytest.raises(ValueError, match=r"flip_probability \+ pixel_noise must be at most 1"):
        method(
            tiny_classifier(),
            flip_probability=0.6,
            augmentation=eactf.Views(pixel_noise=0.5),
            **settings,
        )
    method(
        tiny_classifier(),
        flip_probability=0.6,
        augmentation=eactf.Views(pixel_noise=0.4),
        **settings,
    )


@pytest.mark.parametrize("name", EVERY)
def test_the_noise_of_a_recipe_reaches_its_method(tiny_classifier, name):
    for noise in (0.0, 0.25):
        settings = (f"method.name={name}", f"method.pixel_noise={noise}")
        recipe = load_recipe("quickstart", settings).recipe
        method = build_method(recipe, tiny_classifier(size=16), np.arange(32))
        assert method.augmentation.pixel_noise == noise


def test_a_recipe_that_asks_for_more_than_all_images_is_refused():
    settings = ("method.name=rul", "method.flip_probability=0.75", "method.pixel_noise=0.5")
    with pytest.raises(UsageError, match=r"must be at most 1; here 0\.75 \+ 0\.5"):
        load_recipe("quickstart", settings)


def test_a_noisy_step_trains(tiny_classifier, faces):
    images, labels = faces(8, size=8)
    model = eactf.CrossEntropy(
        tiny_classifier(size=8), flip_probability=0.25, augmentation=eactf.Views(pixel_noise=0.5)
    )
    model.compile(optimizer=eactf.optimizers.SGD(0.01))
    history = model.fit(images, labels, batch_size=4, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()

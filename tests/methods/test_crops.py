"""Random crops in the methods: all take them, of the corrupted image, one for all its views."""

from __future__ import annotations

import numpy as np
import pytest

import eactf

MEAN = 100.0  # of the tiny classifier's normalisation
WHOLE = {"erasing": eactf.Erasing(probability=0.0)}
PLAIN = {**WHOLE, "flip_probability": 0.0}
METHODS = {
    "eac": (eactf.EAC, WHOLE),
    "attention-consistency": (eactf.AttentionConsistency, {}),
    "cross-entropy": (eactf.CrossEntropy, PLAIN),
    "scn": (eactf.SCN, {**PLAIN, "relabel_epoch": None}),
    "rul": (eactf.RUL, {**PLAIN, "embedding": 4}),
    "dividemix": (eactf.DivideMix, PLAIN),
    "two-networks": (eactf.TwoNetworks, PLAIN),
    "co-teaching": (eactf.CoTeaching, PLAIN),
}
every_method = pytest.mark.parametrize("method, settings", METHODS.values(), ids=METHODS)


def first_view(model, images):
    views = model.make_views(images)
    first = views[0] if isinstance(views, (tuple, list)) else views
    return np.array(first)[: len(images)]


def offsets(images, crops, padding, fill=MEAN):
    """Where each crop was cut from its padded image, `(n, 2)`, found by trying every place."""
    size, found = images.shape[1], []
    for image, crop in zip(images, crops, strict=True):
        padded = np.pad(image, [(padding,) * 2] * 2 + [(0, 0)], constant_values=fill)
        places = [
            (top, left)
            for top in range(2 * padding + 1)
            for left in range(2 * padding + 1)
            if (padded[top : top + size, left : left + size] == crop).all()
        ]
        assert len(places) == 1
        found += places
    return np.array(found)


@every_method
def test_a_method_cuts_crops_out_of_the_image_padded_with_the_mean(
    tiny_classifier, faces, method, settings
):
    images, _ = faces(60, size=8, channels=3)
    model = method(
        tiny_classifier(size=8, channels=3), augmentation=eactf.Views(crop_padding=1), **settings
    )
    found = offsets(images, first_view(model, images), 1)
    assert len(np.unique(found, axis=0)) == 9


@every_method
def test_without_padding_nothing_is_cut(tiny_classifier, faces, method, settings):
    images, _ = faces(8, size=8)
    model = method(tiny_classifier(size=8), **settings)
    np.testing.assert_array_equal(first_view(model, images), images)


@every_method
def test_the_padding_survives_the_configuration_and_may_be_missing_there(
    tiny_classifier, method, settings
):
    model = method(tiny_classifier(), augmentation=eactf.Views(crop_padding=2), **settings)
    assert method.from_config(model.get_config()).augmentation == eactf.Views(crop_padding=2)
    older = model.get_config()  # anew: Keras empties the classifier's when it reads it
    del older["augmentation"]
    assert method.from_config(older).augmentation == eactf.Views()


@every_method
def test_no_two_draws_of_a_method_share_their_numbers(
    tiny_classifier, faces, monkeypatch, method, settings
):
    pair = {"pair": "independent"} if method is eactf.EAC else {}
    model = method(tiny_classifier(), augmentation=eactf.Views(crop_padding=2), **settings, **pair)
    streams, keys = [], model.sample_keys
    monkeypatch.setattr(
        model, "sample_keys", lambda images, stream: streams.append(stream) or keys(images, stream)
    )
    getattr(model, "drawn", model.make_views)(faces(4)[0])
    draws = {"attention_consistency": 1, "rul": 6}
    assert len(set(streams)) == len(streams) == draws.get(model.name, 3)


@pytest.mark.parametrize("padding", [-1, 1.5, True], ids=str)
@every_method
def test_a_padding_out_of_range_is_refused_at_once(tiny_classifier, method, settings, padding):
    with pytest.raises(ValueError, match="padding must be a whole number"):
        method(tiny_classifier(), augmentation=eactf.Views(crop_padding=padding), **settings)


@pytest.mark.parametrize("pair", ["mirrored", "independent"])
def test_both_views_of_eac_are_of_one_crop(tiny_classifier, faces, pair):
    images, _ = faces(16, size=8)
    model = eactf.EAC(
        tiny_classifier(size=8), pair=pair, augmentation=eactf.Views(crop_padding=2), **WHOLE
    )
    first, second = (view.numpy() for view in model.make_views(images))
    np.testing.assert_array_equal(second, first[:, :, ::-1])
    assert len(np.unique(offsets(images, first, 2), axis=0)) > 4


@pytest.mark.parametrize("pair", ["mirrored", "independent"])
def test_crops_are_erased_after_they_were_cut(tiny_classifier, faces, pair):
    images, _ = faces(32, size=16)
    model, uncut = (
        eactf.EAC(
            tiny_classifier(size=16),
            pair=pair,
            erasing=eactf.Erasing(probability, fill=-1.0),
            augmentation=eactf.Views(crop_padding=2),
        )
        for probability in (1.0, 0.0)
    )
    first, second = (view.numpy() for view in model.make_views(images))
    crops = first_view(uncut, images)
    second = second[:, :, ::-1]
    for view in (first, second):
        np.testing.assert_array_equal(view[view != -1], crops[view != -1])
        # Cut afterwards, some blocks would have left the image.
        assert (view == -1).any(axis=(1, 2, 3)).all()
    assert (pair == "mirrored") == np.array_equal(first, second)


def test_all_views_of_attention_consistency_are_of_one_crop(tiny_classifier, faces):
    images, _ = faces(16, size=8)
    model = eactf.AttentionConsistency(
        tiny_classifier(size=8), views=4, augmentation=eactf.Views(crop_padding=2)
    )
    full, small = (np.split(np.array(views), 2) for views in model.make_views(images))
    np.testing.assert_array_equal(full[1], full[0][:, :, ::-1])
    np.testing.assert_allclose(small[1], small[0][:, :, ::-1], atol=1e-3)
    assert (full[0] != images).any()


def test_the_corruption_comes_before_the_crop(tiny_classifier, faces):
    images, _ = faces(32, size=8)
    model = eactf.EAC(
        tiny_classifier(size=8),
        augmentation=eactf.Views(corruption=lambda x: x * 0 + 7, crop_padding=2),
        **WHOLE,
    )
    assert set(first_view(model, images).ravel()) == {7.0, MEAN}


def test_what_lies_outside_is_not_what_blocks_are_filled_with(tiny_classifier, faces):
    images, _ = faces(32, size=8)
    model = eactf.EAC(
        tiny_classifier(size=8),
        augmentation=eactf.Views(crop_padding=2),
        erasing=eactf.Erasing(0.0, fill=-1.0),
    )
    view = first_view(model, images)
    offsets(images, view, 2, fill=MEAN)
    assert (view != -1).all()


def test_a_samples_id_and_the_epoch_decide_its_crop(tiny_classifier, faces):
    images, labels = faces(24, size=8)
    ids = np.arange(50, 74)
    model = eactf.CrossEntropy(
        tiny_classifier(size=8), augmentation=eactf.Views(crop_padding=2), **PLAIN
    )
    model.compile(optimizer=eactf.optimizers.SGD(0.01))

    def crops(order):
        batch = model.unpack((images[order], labels[order], ids[order]))
        return model.views_of(batch).numpy()

    drawn = crops(ids - 50)
    np.testing.assert_array_equal(crops(np.arange(24)[::-1]), drawn[::-1])
    model.epoch.assign(1)
    later = crops(ids - 50)
    moved = (offsets(images, drawn, 2) != offsets(images, later, 2)).any(axis=1)
    assert moved.mean() > 0.8

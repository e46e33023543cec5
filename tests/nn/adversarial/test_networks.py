"""Encoder, decoder and discriminator: sizes, shapes, starts, files."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from eactf.evaluation.storage import open_classifier_file, save_classifier
from eactf.nn.adversarial import decoder, discriminator, encoder, score_names

FACES = {"expression": 7, "affect": 2}
CIFAR = {"first": 10, "second": 10, "third": 10}
NARROW = {"width": 1 / 8, "noise": 16}
RNG = np.random.default_rng(0)


def tuples(size, channels=3, labels=FACES):
    """Two tuples of random numbers; the image is the first of them."""
    rows = {name: RNG.normal(size=(2, width)) for name, width in {"noise": 16, **labels}.items()}
    return {"image": RNG.uniform(-1, 1, (2, size, size, channels)), **rows}


def code(given):
    return {name: value for name, value in given.items() if name != "image"}


@pytest.mark.parametrize(
    "build, size, labels, settings, expected",
    [
        (encoder, 64, FACES, {}, 16_094_397),
        (encoder, 32, CIFAR, {"features": 512}, 15_357_990),
        (decoder, 32, CIFAR, {}, 11_087_491),
        (decoder, 64, FACES, {}, 11_204_931),
        (decoder, 128, FACES, {}, 15_400_771),
        (discriminator, 64, FACES, {}, 31_424_710),
        (discriminator, 32, CIFAR, {}, 34_062_023),
    ],
)
def test_full_widths_have_as_many_parameters_as_published(build, size, labels, settings, expected):
    model = build(size, labels, **settings)
    counted = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    assert counted == expected


@pytest.mark.parametrize("size, channels", [(32, 3), (64, 1)])
def test_a_narrow_chain_of_all_three_has_the_shapes_of_its_names(size, channels):
    settings = {**NARROW, "channels": channels, "seed": 0}
    given = tuples(size, channels)
    image = decoder(size, FACES, **settings)(code(given), training=True)
    assert image.shape == given["image"].shape and np.abs(image).max() <= 1
    outputs = encoder(size, FACES, **settings)((image + 1) * 127.5)
    shapes = {name: tuple(output.shape) for name, output in outputs.items()}
    noise = {"mean": (2, 16), "log_variance": (2, 16)}
    assert shapes == {**noise, "expression": (2, 7), "affect": (2, 2)}
    scores = discriminator(size, FACES, **settings)({**given, "image": image.numpy()})
    assert scores.shape == (2, len(score_names(FACES)))


def test_the_largest_decoder_doubles_seven_times():
    made = decoder(128, CIFAR, width=1 / 32, noise=16)
    assert made.output_shape == (None, 128, 128, 3)
    assert len([layer for layer in made.layers if layer.name.endswith("_norm")]) == 6


def test_the_encoder_takes_pixels_and_sizes_that_do_not_halve_evenly():
    made = encoder(48, {"expression": 7}, channels=1, **NARROW)
    assert made.get_layer("flat").output.shape == (None, 2 * 2 * 64)
    scaled = keras.Model(made.input, made.get_layer("scaled").output)
    pixels = np.full((1, 48, 48, 1), 255, "uint8")
    np.testing.assert_allclose(scaled(pixels), 1.0, atol=1e-6)
    np.testing.assert_allclose(scaled(pixels * 0), -1.0, atol=1e-6)


def test_the_encoder_is_of_keras_own_layers():
    made = encoder(32, FACES, **NARROW)
    assert {type(layer).__module__.partition(".")[0] for layer in made.layers} == {"keras"}


def test_the_classifier_within_the_encoder_is_stored_and_opened_as_any_other(tmp_path):
    made = encoder(32, FACES, **NARROW, seed=0)
    classifier = keras.Model(made.input, made.output["expression"])
    save_classifier(tmp_path / "classifier.keras", classifier, {})
    opened = open_classifier_file(tmp_path / "classifier.keras")
    pixels = RNG.uniform(0, 255, (2, 32, 32, 3))
    np.testing.assert_allclose(opened.model(pixels), classifier(pixels), atol=1e-6)
    assert opened.classes == 7


def test_the_encoder_starts_as_published():
    made = encoder(32, FACES, width=0.5, seed=0)
    for name in ("stage3_2", "stage5_1"):
        kernel, bias = made.get_layer(name).get_weights()
        assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * kernel.shape[-1])), rel=0.02)
        assert not bias.any()
    for name in ("features1", "expression", "log_variance"):
        kernel, bias = made.get_layer(name).get_weights()
        bound = kernel.shape[0] ** -0.5
        assert 0.95 < np.abs(kernel).max() / bound <= 1.0 and 0 < np.abs(bias).max() <= bound


@pytest.mark.parametrize("build", [encoder, decoder, discriminator])
def test_the_seed_fixes_every_start_and_no_two_are_the_same(build):
    first, again, other = (build(32, FACES, **NARROW, seed=seed) for seed in (0, 0, 1))
    for variable, same, another in zip(
        first.variables, again.variables, other.variables, strict=True
    ):
        np.testing.assert_array_equal(variable, same)
        drawn = np.std(variable) > 0
        assert not drawn or np.abs(variable.numpy() - another.numpy()).max() > 0
    kernels = [v.numpy().ravel()[:4] for v in first.variables if v.name == "kernel"]
    ratios = {tuple(np.round(values / np.abs(values).max(), 4)) for values in kernels}
    assert len(ratios) == len(kernels)


def test_saved_networks_come_back(tmp_path):
    given = tuples(32)
    for build in (decoder, discriminator):
        model = build(32, FACES, **NARROW, seed=0)
        inputs = given if build is discriminator else code(given)
        model(inputs, training=True)
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        np.testing.assert_allclose(again(inputs), model(inputs), atol=1e-5)


def test_half_types_end_in_float32_close_to_it():
    given, dtype = tuples(32), "mixed_bfloat16"
    half, plain = (
        discriminator(32, FACES, **NARROW, seed=0, dtype=policy)(given, training=True)
        for policy in (dtype, None)
    )
    assert half.dtype == "float32"
    np.testing.assert_allclose(half, plain, atol=0.05)
    image = decoder(32, FACES, **NARROW, seed=0, dtype=dtype)(code(given), training=True)
    assert image.dtype == "float32" and np.isfinite(image).all()
    outputs = encoder(32, FACES, **NARROW, seed=0, dtype=dtype)(np.abs(given["image"]) * 255)
    assert all(output.dtype == "float32" for output in outputs.values())


def test_each_score_is_of_its_own_part_and_the_last_of_all():
    judge = discriminator(32, FACES, **NARROW, seed=0)
    given = tuples(32)
    for _ in range(5):
        before = judge(given, training=True)
    before = judge(given).numpy()
    names = score_names(FACES)
    assert names == ("image", "noise", "expression", "affect", "joint")
    for name in names[:-1]:
        after = judge({**given, name: given[name][::-1] * 0.5}).numpy()
        changed = np.abs(after - before).max(axis=0) > 1e-5
        assert [n for n, is_other in zip(names, changed, strict=True) if is_other] == [
            name,
            "joint",
        ]


def test_only_training_calls_move_what_the_kernels_are_divided_by():
    judge = discriminator(32, FACES, **NARROW, seed=0)
    given = tuples(32)
    directions = [v for v in judge.variables if v.name == "v"]
    before = [v.numpy() for v in directions]
    judge(given, training=False)
    for variable, value in zip(directions, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    judge.trainable = False
    judge(given, training=True)
    assert all((v.numpy() != value).any() for v, value in zip(directions, before, strict=True))


@pytest.mark.parametrize("build", [encoder, decoder, discriminator])
def test_what_is_out_of_range_is_refused(build):
    with pytest.raises(ValueError, match="labels must be names and sizes"):
        build(32, {})
    with pytest.raises(ValueError, match="none of them image"):
        build(32, {"noise": 3})
    with pytest.raises(ValueError, match="expression must be a whole number above 0; received 0"):
        build(32, {"expression": 0})
    with pytest.raises(ValueError, match="noise must be a whole number above 0; received -1"):
        build(32, FACES, noise=-1)
    for width in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="width must be a number above 0"):
            build(32, FACES, width=width)


def test_sizes_that_cannot_be_doubled_or_halved_to_are_refused():
    with pytest.raises(ValueError, match="image_size must be one of 32, 64, 128; received 48"):
        decoder(48, FACES)
    for size in (16, 48):
        with pytest.raises(ValueError, match="image_size must be 32, or 64 and more"):
            discriminator(size, FACES)

"""Machine noise: the published law, by class name, tempered, and drawn as it says."""

from __future__ import annotations

import numpy as np
import pytest

from eactf.errors import DataError, UsageError
from eactf.faces import drawn_face_dataset
from eactf.intake.readers.raf_db import CARD
from eactf.intake.votes import EMOTIONS
from eactf.noise import (
    BASIC_EXPRESSIONS,
    RAF_CLASSES,
    apply_noise,
    basic_expression,
    machine_law,
    machine_notices,
)
from eactf.noise.machine import MACHINE_COUNTS
from eactf.packed.records import Samples

COUNTS = np.array(MACHINE_COUNTS)
COUNT = 40_000


def faces(class_names, count=COUNT):
    given = np.arange(count) % len(class_names)
    return Samples(np.zeros((count, 1, 1, 1), np.uint8), np.arange(count), given)


def planted(class_names=BASIC_EXPRESSIONS, **settings):
    return apply_noise(faces(class_names), class_names, kind="machine", **settings)


def shares(samples, classes):
    """`(classes, classes)`: how often each true class (row) is given as each class."""
    counts = np.zeros((classes, classes))
    np.add.at(counts, (samples.clean, samples.given), 1)
    return counts / counts.sum(axis=1, keepdims=True)


def test_the_figures_are_raf_dbs_training_labels_of_which_the_machine_has_a_share_wrong():
    published = dict(zip(CARD.classes, CARD.class_counts["train"], strict=True))
    assert COUNTS.sum(axis=1).tolist() == [published[name] for name in BASIC_EXPRESSIONS]
    assert 1 - np.trace(COUNTS) / COUNTS.sum() == pytest.approx(0.227, abs=5e-4)


def test_the_law_at_full_strength_is_that_of_the_figures():
    law = machine_law(BASIC_EXPRESSIONS)
    assert (law.dtype, law.shape) == (np.float64, (7, 7))
    np.testing.assert_allclose(law, COUNTS / COUNTS.sum(axis=1, keepdims=True))
    assert law[5].round(5).tolist() == [
        0.16876,
        0.05997,
        0.12413,
        0.00697,
        0.03766,
        0.30962,
        0.29289,
    ]


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_strength_mixes_the_law_with_right_labels(strength):
    law = machine_law(RAF_CLASSES, strength)
    expected = (1 - strength) * np.eye(7) + strength * machine_law(RAF_CLASSES)
    np.testing.assert_allclose(law, expected, atol=1e-15)
    np.testing.assert_allclose(law.sum(axis=1), 1)


@pytest.mark.parametrize("names", [RAF_CLASSES, EMOTIONS[:7], sorted(BASIC_EXPRESSIONS)])
def test_the_law_goes_by_the_names_of_the_classes_in_any_order(names):
    order = [BASIC_EXPRESSIONS.index(name) for name in names]
    in_order = machine_law(BASIC_EXPRESSIONS)[np.ix_(order, order)]
    np.testing.assert_array_equal(machine_law(names), in_order)


@pytest.mark.parametrize(
    "names",
    [
        ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry"),
        ("0_Neutral", "1_Happy", "2_Sad", "3_Surprised", "4_Fearful", "5_Disgusted", "6_Angry "),
        ("NEUTRAL", "Joy", "Sadness", "Surprise", "Afraid", "Disgust", "Anger"),
    ],
)
def test_classes_are_known_under_their_other_names(names):
    assert tuple(map(basic_expression, names)) == BASIC_EXPRESSIONS
    np.testing.assert_array_equal(machine_law(names), machine_law(BASIC_EXPRESSIONS))
    assert machine_notices(names) == ()


@pytest.mark.parametrize("name", ["contempt", "unhappy", "happily surprised", "3", "", "airplane"])
def test_no_other_class_is_taken_for_an_expression(name):
    assert basic_expression(name) is None


def test_contempt_keeps_its_labels_and_takes_none_and_that_is_told():
    place = EMOTIONS.index("contempt")
    law = machine_law(EMOTIONS)
    alone = np.eye(8)[place]
    np.testing.assert_array_equal(law[place], alone)
    np.testing.assert_array_equal(law[:, place], alone)
    seven = np.delete(np.delete(law, place, 0), place, 1)
    np.testing.assert_array_equal(seven, machine_law(EMOTIONS[:place] + EMOTIONS[place + 1 :]))
    (notice,) = machine_notices(EMOTIONS)
    assert "no figures for contempt, whose labels stay as given" in notice


def test_where_expressions_are_missing_the_law_is_that_of_the_others_and_that_is_told():
    law = machine_law(("sad", "happy"))
    np.testing.assert_allclose(law, [[1416 / 1473, 57 / 1473], [59 / 4375, 4316 / 4375]])
    (notice,) = machine_notices(("sad", "happy"))
    assert "the data has no neutral, surprise, fear, disgust, anger" in notice


@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_labels_are_drawn_as_the_law_says(strength):
    noisy, manifest = planted(RAF_CLASSES, strength=strength, seed=3)
    law = machine_law(RAF_CLASSES, strength)
    deviation = np.sqrt(law * (1 - law) / (COUNT / 7))
    assert (np.abs(shares(noisy, 7) - law) < 4 * deviation).all()
    assert manifest.realised == pytest.approx(1 - np.diag(law).mean(), abs=0.01)
    assert (manifest.kind, manifest.requested, manifest.dropped) == ("machine", None, 0)


def test_on_raf_dbs_own_classes_the_requested_strength_has_the_published_share_wrong():
    truth = np.repeat(np.arange(7), COUNTS.sum(axis=1))
    images = np.zeros((len(truth), 1, 1, 1), np.uint8)
    samples = Samples(images, np.arange(len(truth)), truth)
    _, manifest = apply_noise(samples, BASIC_EXPRESSIONS, kind="machine", seed=1)
    assert manifest.realised == pytest.approx(0.227, abs=0.012)  # 3 deviations


def test_a_draw_depends_on_seed_and_id_only():
    whole, _ = planted(seed=11)
    some = np.random.default_rng(0).permutation(COUNT)[:500]
    part, _ = apply_noise(
        faces(BASIC_EXPRESSIONS).take(some), BASIC_EXPRESSIONS, kind="machine", seed=11
    )
    np.testing.assert_array_equal(part.given, whole.given[some])
    assert (planted(seed=12)[0].given != whole.given).any()


def test_a_lower_strength_changes_none_but_the_labels_that_a_higher_one_changes():
    low, high = (planted(strength=strength, seed=4)[0] for strength in (0.3, 0.8))
    changed = low.given != low.clean
    assert changed.any()
    assert (high.given != high.clean)[changed].all()
    assert planted(strength=0.0)[1].realised == 0


def test_drawn_faces_take_machine_noise():
    drawn = drawn_face_dataset(train=140, validation=1, test=0, size=16)
    assert machine_notices(drawn.class_names) == ()
    _, manifest = apply_noise(drawn.splits["train"], drawn.class_names, kind="machine")
    assert 0.2 < manifest.realised < 0.5  # classes are even: 34 % by the law


def test_classes_that_are_no_expressions_are_refused_with_what_to_do():
    cifar = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship")
    for names in (cifar, ("happy", "cat"), ("happy", "sad", *cifar), RAF_CLASSES[:0]):
        with pytest.raises(DataError, match=r"facial expressions only.*neutral, happiness") as told:
            machine_law(names)
        assert "noise.kind=matrix" in (told.value.hint or "")
    with pytest.raises(DataError, match="received airplane, automobile"):
        planted(cifar)


def test_two_classes_of_one_expression_are_refused():
    with pytest.raises(DataError, match="'Happy' and 'joy' both mean happiness"):
        machine_law(("Happy", "sad", "joy"))


@pytest.mark.parametrize("strength", [-0.1, 1.5, float("nan")])
def test_a_strength_out_of_range_is_refused(strength):
    with pytest.raises(UsageError, match="expected 0 <= strength <= 1"):
        machine_law(BASIC_EXPRESSIONS, strength)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "machine", "rate": 0.2}, "takes no rate"),
        ({"kind": "machine", "matrix": np.eye(7)}, "takes no matrix"),
        ({"kind": "machine", "count": "exact"}, "no meaning"),
        ({"kind": "symmetric", "rate": 0.2, "strength": 1.0}, "'symmetric' has no strength"),
    ],
)
def test_settings_of_other_kinds_are_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        apply_noise(faces(BASIC_EXPRESSIONS, 14), BASIC_EXPRESSIONS, **settings)

"""Machine noise on valence and arousal: the published figures, clipped, tempered, told by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eactf.errors import DataError, UsageError
from eactf.faces import EXPRESSIONS, drawn_face_dataset
from eactf.noise import BASIC_EXPRESSIONS, label_by_machine, machine_law, machine_values
from eactf.noise.machine_values import MACHINE_VALUES

COUNT = 70_000
LABELS = np.arange(COUNT) % 7


def drawn(labels=LABELS, class_names=BASIC_EXPRESSIONS, **settings):
    return machine_values(labels, class_names, np.arange(len(labels)), **settings)


@pytest.fixture
def faces():
    return drawn_face_dataset(train=300, validation=0, test=0, size=16).splits["train"]


@pytest.mark.parametrize("given", ["human", "machine"])
def test_each_class_has_the_mean_and_deviation_of_the_figures(given):
    values = drawn(given=given)
    for row, figures in enumerate(MACHINE_VALUES[given]):
        for name, mean, deviation in zip(values, figures[::2], figures[1::2], strict=True):
            here = values[name][row::7]
            assert np.median(here) == pytest.approx(mean, abs=0.02)
            # Quartiles, which clipping leaves alone: all of them lie within the scale.
            low, high = np.quantile(here, [0.25, 0.5])
            if high < 1:
                assert high - low == pytest.approx(0.6745 * deviation, abs=0.02)


def test_values_are_clipped_to_the_scale():
    arousal = drawn()["arousal"]
    assert arousal.dtype == np.float32
    assert arousal.max() == 1 and arousal.min() >= -1
    assert (arousal == 1).mean() > 0.05


def test_the_two_values_are_drawn_independently_within_a_class():
    values = drawn(np.zeros(COUNT, int))
    assert abs(np.corrcoef(values["valence"], values["arousal"])[0, 1]) < 0.02


def test_a_value_hangs_on_seed_and_id_alone():
    labels, ids = np.array([3, 1, 0, 5]), np.array([70, 3, 12, 9])
    values = machine_values(labels, BASIC_EXPRESSIONS, ids, seed=4)
    back = machine_values(labels[::-1], BASIC_EXPRESSIONS, ids[::-1], seed=4)
    other = machine_values(labels, BASIC_EXPRESSIONS, ids, seed=5)
    for name in values:
        np.testing.assert_array_equal(values[name], back[name][::-1])
        assert (values[name] != other[name]).all()


def test_classes_are_known_by_name_and_others_keep_their_true_values():
    labels = np.array([1, 0, 1, -1])
    true = {"valence": np.float32([0.5, 0.25, np.nan, -0.5])}
    values = drawn(labels, ["Happy", "contempt"], true=true)
    np.testing.assert_array_equal(values["valence"][[0, 2, 3]], np.float32([0.5, np.nan, -0.5]))
    assert np.isnan(values["arousal"][[0, 2, 3]]).all()
    happiness = BASIC_EXPRESSIONS.index("happiness")
    expected = drawn(np.array([0, happiness]))["arousal"][1]
    assert values["arousal"][1] == expected


def test_strength_mixes_the_true_values_in_and_missing_ones_are_drawn():
    labels = np.zeros(4, int)
    true = {"valence": np.float32([1, -1, 0, np.nan]), "arousal": np.zeros(4, np.float32)}
    full = drawn(labels, true=true)
    half = drawn(labels, true=true, strength=0.5)
    none = drawn(labels, true=true, strength=0.0)
    middle = (full["valence"] + true["valence"]) / 2
    np.testing.assert_allclose(half["valence"][:3], middle[:3], rtol=1e-6)
    np.testing.assert_array_equal(none["valence"][:3], true["valence"][:3])
    assert none["valence"][3] == half["valence"][3] == full["valence"][3]


@pytest.mark.parametrize(
    ("kind", "message", "settings"),
    [
        (UsageError, "expected human or machine", {"given": "people"}),
        (UsageError, "expected 0 <= strength <= 1", {"strength": 1.5}),
        (UsageError, "mixes in the true values, which are not here", {"strength": 0.5}),
        (DataError, "labels: expected -1 to 6, received 0 to 7", {"labels": np.array([0, 7])}),
    ],
)
def test_what_makes_no_sense_is_refused(kind, message, settings):
    with pytest.raises(kind, match=message):
        drawn(**settings)


def test_a_machines_labels_stand_beside_the_given_ones_and_the_true_values_are_kept(faces):
    seen = label_by_machine(faces, EXPRESSIONS, seed=1)
    np.testing.assert_array_equal(seen.given, faces.given)
    expected = 1 - np.diag(machine_law(EXPRESSIONS))[faces.given].mean()
    assert (seen.labels["machine"] != faces.given).mean() == pytest.approx(expected, abs=0.07)
    for name in ("valence", "arousal"):
        np.testing.assert_array_equal(seen.values[f"clean_{name}"], faces.values[name])
        assert (seen.values[name] != faces.values[name]).mean() > 0.9
    values = machine_values(
        seen.labels["machine"], EXPRESSIONS, faces.ids, seed=1, true=faces.values
    )
    np.testing.assert_array_equal(seen.values["valence"], values["valence"])


def test_no_strength_leaves_labels_and_values_as_they_were(faces):
    seen = label_by_machine(faces, EXPRESSIONS, strength=0.0)
    np.testing.assert_array_equal(seen.labels["machine"], faces.given)
    np.testing.assert_array_equal(seen.values["arousal"], faces.values["arousal"])


def test_a_machine_sees_the_true_class_whatever_label_is_given(faces):
    wrong = replace(faces, given=(faces.given + 1) % 7)
    seen, expected = (label_by_machine(s, EXPRESSIONS).labels["machine"] for s in (wrong, faces))
    np.testing.assert_array_equal(seen, expected)


def test_a_machine_that_has_labelled_the_samples_is_not_written_over(faces):
    seen = label_by_machine(faces, EXPRESSIONS)
    with pytest.raises(DataError, match="the label set 'machine' and the values 'clean_valence'"):
        label_by_machine(seen, EXPRESSIONS)

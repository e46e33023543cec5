"""Two networks that guess the labels set aside: Ada-CM's terms in the report's step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

import eactf
from eactf.division import Division
from eactf.methods.training_rows import rows_of

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*run_functions_eagerly.*:UserWarning"),
]
every_step_by_itself = pytest.mark.usefixtures("eagerly")

COUNT, BATCH = 13, 5


def built(classifier, **settings):
    settings = {"margin_floor": 0.4, "strong_operations": 0, **settings}
    model = eactf.TwoNetworks(classifier, unlabelled="ada_cm", **settings)
    model.compile(optimizer=eactf.optimizers.SGD(0.05, momentum=0.9))
    return model


def divided(model, images, labels):
    """The model after a warm-up that is left out: each network keeps other labels, seven of 13."""
    model.attach(rows_of(images, labels, batch_size=BATCH, seed=0))
    kept = np.zeros((COUNT, 2), bool)
    kept[:7, 0] = kept[6:, 1] = True
    model.division = Division(1, np.arange(COUNT), kept * 0.9, kept, np.full((2, 3), 0.5))
    return model


@every_step_by_itself
def test_a_step_adds_what_guesses_cost_to_what_kept_labels_cost(tiny_classifier, faces):
    model = divided(built(tiny_classifier()), *faces(COUNT))
    # The first network's phase has seven kept labels: two steps, the second of two samples.
    assert [phase.steps for phase in model.phases(1, model.rows)] == [2, 2]
    assert all(len(phase.unlabelled) == 2 * BATCH for phase in model.phases(1, model.rows))
    logs = model.fit(initial_epoch=1, epochs=2, verbose=0).history
    parts = {name: values[0] for name, values in logs.items()}
    costs = parts["cross_entropy"] + parts["penalty"] + parts["unlabelled"]
    assert parts["loss"] == pytest.approx(costs + 0.1 * parts["low_confidence"], rel=1e-5)
    assert 0.0 < parts["sure"] < 1.0
    assert min(parts["unlabelled"], parts["low_confidence"]) > 0.0


@every_step_by_itself
def test_margins_are_of_a_networks_own_predictions_of_what_it_is_trained_on(tiny_classifier, faces):
    images, labels = faces(COUNT)
    model = divided(built(tiny_classifier(), margin_floor=0.2), images, labels)
    division = model.division
    np.testing.assert_allclose(model.margins, 0.2)
    numbers = np.random.default_rng(0).normal(size=(COUNT, 2, 3)) * 3
    rows = model.rows
    model.divided(division, numbers, rows)  # after the warm-up of one epoch
    assert np.min(model.margins) >= 0.2
    early = np.array(model.margins)
    model.divided(Division(4, division.ids, division.clean, division.kept, None), numbers, rows)
    powers = np.exp(numbers)
    for number in (0, 1):
        kept = division.kept[:, 1 - number]
        own = powers[kept, number] / powers[kept, number].sum(axis=1, keepdims=True)
        expected = eactf.margins.confidence_margins(own, labels[kept], 3, 0.2)
        np.testing.assert_allclose(model.margins[number], expected, rtol=1e-5)
    assert (np.array(model.margins) >= early).all() and np.max(model.margins) > np.max(early)


@every_step_by_itself
def test_the_record_says_which_guesses_are_sure_and_how_many_are_right(tiny_classifier, faces):
    images, labels = faces(COUNT)
    model = built(tiny_classifier(), margin_floor=0.45, warm_up=1, least_of_each_class=0)
    model.fit(images, labels, batch_size=BATCH, verbose=0)
    truth = np.roll(labels, 1)
    record = model.epoch_record(np.arange(COUNT), labels, truth, "abc")
    for number, own in enumerate(model.networks):
        aside = np.setdiff1d(np.arange(COUNT), model.phases(1, model.rows)[number].labelled)
        shares = eactf.margins.probabilities(own(images).numpy()[aside])
        guessed, margins = shares.argmax(axis=1), np.array(model.margins)[number]
        sure, right = shares.max(axis=1) >= margins[guessed], guessed == truth[aside]
        assert record[f"guess_accuracy_{number + 1}"] == pytest.approx(right.mean())
        expected = right[sure].mean() if sure.any() else None
        assert record[f"sure_accuracy_{number + 1}"] == expected
        for label, share in enumerate(record[f"sure_per_class_{number + 1}"].values()):
            assert share == (sure[guessed == label].mean() if (guessed == label).any() else None)


@every_step_by_itself
def test_where_every_label_is_kept_the_labelled_images_are_guessed(tiny_classifier, faces):
    model = built(tiny_classifier(), thresholds="fixed", floor=0.0, least_of_each_class=COUNT)
    images, labels = faces(COUNT)
    model.attach(rows_of(images, labels, batch_size=BATCH, seed=0))
    for phase in model.phases(1, model.rows):
        assert len(phase.labelled) == COUNT
        assert set(phase.unlabelled) == set(range(COUNT))
    logs = model.fit(initial_epoch=1, epochs=2, verbose=0).history
    assert logs["confidence"][0] > 1 / 3


def test_two_devices_take_the_step_of_one_where_one_of_them_has_no_labelled_sample(
    tiny_classifier, faces, two_devices
):
    found = []
    for strategy in (tf.distribute.get_strategy(), two_devices):
        with strategy.scope():
            model = divided(
                built(tiny_classifier(synchronized=True), margin_floor=0.62), *faces(COUNT)
            )
        phase = model.phases(1, model.rows)[0]
        few = replace(phase, labelled=phase.labelled[:1], unlabelled=phase.unlabelled[:BATCH])
        before = [np.array(v.numpy()) for v in model.networks[0].variables]
        model.try_step(few)
        after = [np.array(v.numpy()) for v in model.networks[0].variables]
        parts = {name: float(part.result()) for name, part in model.part_trackers.items()}
        found.append((parts, [b - a for a, b in zip(before, after, strict=True)]))
    (one, moved), (two, others) = found
    assert 0.0 < one["sure"] < 1.0
    assert two == pytest.approx(one, rel=1e-4)
    for move, other in zip(moved, others, strict=True):
        np.testing.assert_allclose(other, move, rtol=1e-3, atol=1e-6)
    assert max(np.abs(move).max() for move in moved) > 1e-3


def test_xla_takes_the_step_of_a_graph(tiny_classifier, faces):
    ends = []
    for compiled in (False, True):
        model = divided(built(tiny_classifier(), margin_floor=0.62), *faces(COUNT))
        model.compile(optimizer=eactf.optimizers.SGD(0.05), jit_compile=compiled)
        model.try_step(model.phases(1, model.rows)[1])
        ends.append([np.array(variable.numpy()) for variable in model.networks[1].variables])
    for one, other in zip(*ends, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-5)


def test_settings_of_guesses_are_refused_where_nothing_is_guessed(tiny_classifier):
    with pytest.raises(ValueError, match="margin_floor has no effect with unlabelled='mixmatch'"):
        eactf.TwoNetworks(tiny_classifier(), unlabelled="mixmatch", margin_floor=0.5)
    with pytest.raises(ValueError, match="temperature has no effect with unlabelled='ada_cm'"):
        eactf.TwoNetworks(tiny_classifier(), unlabelled="ada_cm", temperature=0.3)
    model = built(tiny_classifier(), pseudo_label_weight=2.0)
    assert type(model).from_config(model.get_config()).pseudo_label_weight == 2.0

"""Folds, and what quick networks say of samples that they have not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from shallow_networks import shallow_resnets

from eactf.errors import UsageError
from eactf.faces import draw_faces
from eactf.noise.folds import assign_folds, copies_of
from eactf.packed.records import Samples
from eactf.training.out_of_fold import out_of_fold, quick_plan


def squares(count, *, size=16, seed=0):
    """A bright square in the left or right half: two classes that any network learns."""
    numbers = np.random.default_rng(seed)
    images = numbers.integers(0, 60, (count, size, size, 1)).astype(np.uint8)
    given = np.arange(count) % 2
    half = size // 2
    for row in range(count):
        images[row, :half, :half] += np.uint8(180 * given[row])
    return Samples(images=images, ids=np.arange(count) * 7 + 3, given=given)


def test_every_sample_is_in_one_fold_and_classes_are_dealt_evenly():
    samples = squares(103)
    fold = assign_folds(samples, 4)
    assert set(fold) == {0, 1, 2, 3}
    for label in (0, 1):
        counts = np.bincount(fold[samples.given == label])
        assert counts.max() - counts.min() <= 1


def test_folds_depend_on_seed_and_id_and_not_on_the_order():
    samples = squares(60)
    fold = assign_folds(samples, 3, seed=5)
    turned = np.arange(60)[::-1]
    assert (assign_folds(samples.take(turned), 3, seed=5) == fold[turned]).all()
    assert (assign_folds(samples, 3, seed=6) != fold).any()


def test_copies_fall_into_one_fold_whatever_their_labels():
    samples = squares(40)
    images = samples.images.copy()
    images[[5, 17, 30]] = images[2]
    samples = replace(samples, images=images)
    assert set(copies_of(samples)[[2, 5, 17, 30]]) == {2}
    fold = assign_folds(samples, 4)
    assert len(set(fold[[2, 5, 17, 30]])) == 1


def test_a_class_with_fewer_samples_than_folds_is_dealt_all_the_same():
    samples = squares(40)
    samples = replace(samples, given=np.where(np.arange(40) < 2, 2, samples.given))
    fold = assign_folds(samples, 5)
    assert len(set(fold[:2])) == 2


@pytest.mark.parametrize("folds", [1, 41])
def test_folds_that_cannot_be_are_refused(folds):
    with pytest.raises(UsageError, match="folds"):
        assign_folds(squares(40), folds)


@pytest.mark.parametrize(
    ("count", "side", "folds", "size", "epochs"),
    [(1500, 48, 4, 48, 35), (20_000, 28, 2, 28, 6), (300, 224, 4, 48, 40), (200, 8, 4, 16, 40)],
)
def test_the_plan_keeps_the_work_to_minutes(count, side, folds, size, epochs):
    images = np.broadcast_to(np.zeros(1, np.uint8), (count, side, side, 3))
    plan = quick_plan(Samples(images=images, ids=np.arange(count), given=np.arange(count) % 2))
    assert (plan.folds, plan.size, plan.epochs) == (folds, size, epochs)
    passes = plan.epochs * count * (folds - 1) / folds
    assert passes <= max(40_000, 6 * count)
    assert 16 <= plan.batch_size <= 128


@pytest.fixture(scope="module")
def predicted():
    samples = squares(96)
    given = samples.given.copy()
    given[:4] = 1 - given[:4]
    samples = replace(samples, given=given)
    plan = replace(quick_plan(samples, 2), epochs=6, steps=2 * 6 * 3)
    calls = []
    # A fixture of a module is made outside the networks that its tests have.
    with shallow_resnets():
        probabilities = out_of_fold(samples, 2, plan, progress=lambda *done: calls.append(done))
    return samples, plan, probabilities, calls


def test_what_is_predicted_are_probabilities_of_every_sample(predicted):
    samples, _, probabilities, _ = predicted
    assert probabilities.shape == (len(samples), 2)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(len(samples)), abs=1e-5)


def test_a_wrong_label_does_not_sway_its_own_prediction(predicted):
    samples, _, probabilities, _ = predicted
    right = np.arange(len(samples)) % 2
    assert np.mean(probabilities.argmax(axis=1) == right) > 0.9
    assert (probabilities.argmax(axis=1)[:4] == right[:4]).mean() >= 0.75


def test_progress_counts_every_step_to_the_end(predicted):
    *_, plan, _, calls = predicted
    assert [done for done, _ in calls] == list(range(1, plan.steps + 1))
    assert {total for _, total in calls} == {plan.steps}


def test_the_same_seed_gives_the_same_predictions(predicted):
    samples, plan, probabilities, _ = predicted
    again = out_of_fold(samples, 2, plan)
    assert again == pytest.approx(probabilities, abs=1e-3)


def test_colour_images_of_unequal_sides_are_taken_too():
    grey, given = draw_faces(60, size=20, difficulty=0.0)
    images = np.repeat(grey, 3, axis=3)[:, :, 2:]
    samples = Samples(images=images, ids=np.arange(60), given=given)
    plan = replace(quick_plan(samples, 2), epochs=1, steps=4)
    assert out_of_fold(samples, 7, plan).shape == (60, 7)

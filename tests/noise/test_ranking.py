"""Rankings: what is likelier wrong stands first, and what a run is believed for."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from eactf.noise.believed import believed
from eactf.noise.estimate import estimate_noise
from eactf.noise.latent import LatentFit, LatentModel
from eactf.noise.ranking import rank
from eactf.noise.run_ranking import RunEvidence, by_heart, rank_run
from eactf.noise.suspects import ANSWERS, HEADER, suspect_rows, write_suspects
from eactf.packed.records import Samples


def average_precision(score, wrong):
    """The mean of the precision at each wrong label, by a sort of its own."""
    hits = wrong[np.argsort(-score, kind="stable")]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def made(count=3000, classes=5, *, pair=False, seed=0):
    """Probabilities of a network that errs, and labels of which 30 % are wrong."""
    numbers = np.random.default_rng(seed)
    true = numbers.integers(0, classes, count)
    logits = numbers.normal(size=(count, classes)) * 1.5
    logits[np.arange(count), true] += 2.0
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    other = numbers.integers(1, classes, count) if not pair else 1
    given = np.where(numbers.random(count) < 0.3, (true + other) % classes, true)
    return probabilities, true, given


def test_the_quality_is_the_probability_of_the_label_and_a_half_the_limit():
    probability = np.array([[0.7, 0.2, 0.1], [0.4, 0.35, 0.25], [0.0, 1.0, 0.0]])
    found = rank(probability, np.array([0, 0, 0]))
    np.testing.assert_allclose(found.quality, [0.7, 0.4, 0.0], atol=1e-12)
    np.testing.assert_array_equal(found.likely, [1, 1, 1])
    np.testing.assert_array_equal(found.suspects(), [2, 1])
    np.testing.assert_array_equal(found.order(), [2, 1, 0])


@pytest.mark.parametrize(("pair", "gain"), [(False, -0.005), (True, 0.04)])
def test_labels_are_ranked_as_well_as_by_confidence_and_better_where_pairs_are_mixed_up(pair, gain):
    probabilities, true, given = made(pair=pair)
    wrong = true != given
    found = rank(estimate_noise(probabilities, given).probability, given)
    own = average_precision(-probabilities[np.arange(len(given)), given], wrong)
    assert average_precision(found.score, wrong) > own + gain


def test_rows_of_what_is_believed_sum_to_one_and_no_class_is_impossible():
    probabilities, _, given = made(400)
    model = LatentModel(probabilities, given, confusing=False)
    found = believed(model.fit_even(), model.fit_pairs(), given)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    assert (found > 0).all()


def test_what_networks_say_of_a_class_they_do_not_know_counts_for_less():
    numbers = np.random.default_rng(2)
    given = numbers.permutation(np.repeat([0, 1, 2], [900, 900, 200]))
    prior = np.full((2000, 3), 0.1)
    prior[np.arange(2000), np.where(given == 2, given % 2, given)] = 0.85
    prior[:, 2] = 0.1 * np.exp(numbers.normal(size=2000))  # whatever the label is
    prior /= prior.sum(axis=1, keepdims=True)
    noise = np.array([[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9]])
    fit = LatentFit(0.1, noise, prior, np.zeros((3, 3)), np.zeros(1), 0.0)
    plain = prior * noise[:, given].T
    plain /= plain.sum(axis=1, keepdims=True)
    of_it = given == 2
    found = believed(fit, fit, given)
    assert np.log(found[of_it, 2]).std() < 0.7 * np.log(plain[of_it, 2]).std()
    assert np.log(found[of_it, 2]).min() > np.log(plain[of_it, 2]).min() + 0.5


def shown(probabilities):
    rows = np.zeros(len(probabilities))
    return {"probabilities": probabilities, "loss": rows, "margin": rows, "agreement": rows}


def test_a_run_that_learnt_by_heart_is_believed_for_what_it_showed_on_the_way():
    given = np.array([0, 0])
    on_the_way = np.array([[0.9, 0.1], [0.2, 0.8]])
    in_the_end = np.array([[0.6, 0.4], [0.99, 0.01]])
    nothing = np.full(2, np.nan)
    evidence = RunEvidence(in_the_end, nothing, shown(on_the_way), validation_accuracy=0.5)
    assert by_heart(evidence, given) == 1.0
    np.testing.assert_array_equal(rank_run(evidence, given).suspects(), [1])
    np.testing.assert_allclose(rank_run(evidence, given).probability, on_the_way)


def test_a_run_that_did_not_is_believed_for_both_and_one_without_traces_for_its_end():
    given = np.array([0, 1])
    in_the_end = np.array([[0.1, 0.9], [0.2, 0.8]])
    evidence = RunEvidence(
        in_the_end, np.full(2, np.nan), shown(in_the_end[:, ::-1]), validation_accuracy=0.9
    )
    assert by_heart(evidence, given) == 0.0
    np.testing.assert_allclose(rank_run(evidence, given).probability, 0.5)
    alone = RunEvidence(in_the_end, np.full(2, np.nan))
    np.testing.assert_allclose(rank_run(alone, given).probability, in_the_end)


def test_a_sample_that_was_never_shown_is_judged_by_the_end_alone():
    in_the_end = np.array([[0.1, 0.9], [0.2, 0.8]])
    unseen = np.array([[np.nan, np.nan], [1.0, 0.0]])
    evidence = RunEvidence(in_the_end, np.full(2, np.nan), shown(unseen), validation_accuracy=0.5)
    found = rank_run(evidence, np.array([0, 1]))
    np.testing.assert_allclose(found.probability[0], in_the_end[0])


def test_suspects_have_the_columns_of_cleanlab_and_fiftyone_and_room_for_answers(tmp_path):
    samples = Samples(
        images=np.zeros((2, 4, 4, 1), np.uint8),
        ids=np.array([8, 9]),
        given=np.array([0, 1]),
        names=np.array(["a.png", "b.png"]),
    )
    found = rank(
        np.array([[0.2, 0.8], [0.1, 0.9]]),
        samples.given,
        evidence={"importance": np.array([0.123456, np.nan])},
    )
    rows = suspect_rows(found, samples, ("cat", "dog"), "train", everything=True)
    write_suspects(tmp_path / "suspects.csv", rows)
    with (tmp_path / "suspects.csv").open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert tuple(first) == (*HEADER, "importance", *ANSWERS)
    assert (first["given_label"], first["predicted_label"]) == ("cat", "dog")
    assert (first["is_label_issue"], second["is_label_issue"]) == ("True", "False")
    assert (first["label_score"], first["mistakenness"]) == ("0.2", "0.8")
    assert (first["importance"], second["importance"]) == ("0.1235", "")
    assert len(suspect_rows(found, samples, ("cat", "dog"), "train")) == 1

"""What the sections say, and that one without its facts is left out."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from run_folders import write_run
from subjects import evidence, finished_run, subject

from eactf.recipe import load_recipe
from eactf.report.page.blocks import Figure
from eactf.report.page.building import draw
from eactf.report.page.facts import read_facts
from eactf.report.page.sections.calibration import calibration
from eactf.report.page.sections.confusion import confusion
from eactf.report.page.sections.consistency import consistency
from eactf.report.page.sections.curves import curves, phases
from eactf.report.page.sections.features import plane
from eactf.report.page.sections.in_words import in_words
from eactf.report.page.sections.losses import losses
from eactf.report.page.sections.robustness import robustness
from eactf.report.page.sections.sample_scores import sample_scores
from eactf.report.page.subject import Subject, View


def words(section):
    return " ".join([*section.paragraphs, *section.missing])


def figures(section):
    return {block.name: block for block in section.blocks if isinstance(block, Figure)}


def names_of_phases(recipe, *settings):
    found = phases(load_recipe(recipe, settings).recipe)
    return {phase.name: (phase.start, phase.end) for phase in found}


def test_a_run_is_told_in_words_beside_its_baseline(tmp_path):
    about = subject(tmp_path, "cross_entropy", "eac")
    folder = about.views[1].facts.folder
    result = json.loads((folder / "result.json").read_text())
    better = {"accuracy": 0.9, "macro_recall": 0.9}
    (folder / "result.json").write_text(json.dumps({**result, "mean_of_last_epochs": better}))
    views = (about.views[0], View(1, read_facts(folder, "eac", "eac")))
    told = words(in_words(Subject(views)))
    assert "Of the 30 training labels 30.00% are wrong (symmetric noise)" in told
    assert "80.00% of 30 images" in told
    assert "learnt 25.0% as labelled" in told
    assert "10.0 points above the baseline, cross_entropy" in told


def test_runs_on_other_labels_are_not_set_beside_the_baseline(tmp_path):
    about = subject(tmp_path, "cross_entropy", "eac")
    noise = {**about.views[1].facts.noise, "sha256": "other"}
    facts = replace(about.views[1].facts, noise=noise)
    told = words(in_words(Subject((about.views[0], View(1, facts)))))
    assert "the baseline" not in told


def test_an_unfinished_run_is_told_with_what_it_lacks(tmp_path):
    facts = read_facts(write_run(tmp_path / "run", epoch=2), "mine", "mine")
    section = in_words(Subject((View(0, facts, None, "No network."),)))
    assert "after 2 epochs" in words(section)
    assert any("not finished" in sentence for sentence in section.missing)
    assert any("No network." in sentence for sentence in section.missing)


def test_a_page_of_an_unfinished_run_has_its_curves_alone(tmp_path):
    facts = read_facts(write_run(tmp_path / "run", epoch=2), "mine", "mine")
    sections = draw(Subject((View(0, facts, None, "No network."),)))
    assert [section.anchor for section in sections] == ["outcome", "curves"]


@pytest.mark.parametrize(
    ("recipe", "setting", "expected"),
    [
        ("quickstart", (), {"consistency rises": (0, 6)}),
        ("quickstart", ("train.epochs=4",), {"consistency rises": (0, 4)}),
        ("quickstart", ("method.name=cross_entropy",), {}),
        ("quickstart", ("method.name=scn",), {"labels are changed": (9, 30)}),
        (
            "quickstart",
            ("method.name=co_teaching",),
            {"more and more labels are left out": (0, 10)},
        ),
        (
            "quickstart",
            ("method.name=dividemix",),
            {"warm-up on all labels": (0, 10), "unlabelled part rises": (10, 26)},
        ),
        (
            "quickstart",
            ("method.name=cross_entropy", "data.balance=sqrt", "data.balance_from=5"),
            {"classes are balanced": (4, 30)},
        ),
    ],
)
def test_the_phases_of_a_training_are_those_of_its_method(recipe, setting, expected):
    assert names_of_phases(recipe, *setting) == expected


def test_curves_have_the_numbers_of_the_log(tmp_path):
    facts = read_facts(write_run(tmp_path / "run", epoch=2), "mine", "mine")
    found = figures(curves(Subject((View(0, facts),))))
    assert found["curve-accuracy"].numbers.rows == [
        ["mine", "validation", 1, 0.5],
        ["mine", "validation", 2, 0.5],
    ]


def test_a_confusion_matrix_tells_what_gives_way_to_what(tmp_path):
    section = confusion(subject(tmp_path, "eac"))
    matrix = figures(section)["confusion-eac"]
    assert matrix.numbers.rows[2] == ["sad", 4, 0, 6]
    assert "sad as calm (40%)" in matrix.alt
    table = section.blocks[-1]
    assert table.rows[0] == ["sad as calm", "4", "40.0%", "10.0%"]


def test_recalls_are_named_from_the_lowest_to_the_highest(tmp_path):
    recall = figures(confusion(subject(tmp_path, "eac")))["recall"]
    assert "from 60% (sad) to 100% (glad)" in recall.alt
    assert recall.numbers.rows == [["calm", 0.8], ["glad", 1.0], ["sad", 0.6]]


def test_of_many_classes_a_matrix_is_drawn_without_numbers(tmp_path):
    many = tuple(f"class {number}" for number in range(60))
    folder = finished_run(tmp_path / "run", names=many, confusion=np.eye(60, dtype=int))
    section = confusion(Subject((View(0, read_facts(folder, "mine", "mine")),)))
    assert len(figures(section)["confusion-mine"].numbers.rows) == 60


def test_losses_are_given_image_by_image(tmp_path):
    about = subject(tmp_path, "eac")
    (figure,) = figures(losses(about)).values()
    looks = about.seen[0][1].train
    assert len(figure.numbers.rows) == len(looks.losses)
    assert figure.numbers.rows[0][:2] == [100, pytest.approx(looks.losses[0], abs=1e-6)]
    assert "wrongly labelled, 14 images" in figure.alt


def test_maps_without_a_correlation_are_left_out_of_its_histogram(tmp_path):
    about = subject(tmp_path, "eac")
    agreement = about.seen[0][1].train.agreement
    agreement[:10] = np.nan
    (figure,) = figures(consistency(about)).values()
    assert f"Median {np.nanmedian(agreement):.3f}" in figure.caption


def test_without_evidence_there_is_nothing_of_single_images(tmp_path):
    facts = subject(tmp_path, "eac").views[0].facts
    about = Subject((View(0, facts, None, "gone"),))
    for section in (losses, consistency, calibration, robustness):
        assert section(about) is None


def test_the_place_whose_cover_costs_most_is_named(tmp_path):
    about = subject(tmp_path, "eac")
    shares = np.full((3, 3), 0.8)
    shares[2, 1] = 0.1
    about.seen[0][1].occluded = shares
    figure = figures(robustness(about))["covered-eac"]
    assert "10.0%, at the bottom centre" in figure.alt
    assert ["bottom centre", 0.1] in [list(row) for row in figure.numbers.rows]


def test_scores_of_single_images_are_told_apart_by_their_labels(tmp_path):
    folder = finished_run(tmp_path / "run", method="scn")
    (folder / "labels.csv").write_text(
        "id,given,clean,given_name,clean_name\n"
        "1,0,0,calm,calm\n2,1,0,glad,calm\n3,2,2,sad,sad\n4,0,-1,calm,\n"
    )
    (folder / "scores.csv").write_text(
        "id,given,importance\n1,calm,0.9\n2,glad,0.1\n3,sad,0.8\n4,calm,0.5\n"
    )
    (folder / "relabels.csv").write_text("epoch,id,from,to,evidence\n2,2,glad,calm,0.4\n")
    section = sample_scores(Subject((View(0, read_facts(folder, "mine", "mine")),)))
    found = figures(section)
    assert "in 100.0% of all pairs" in found["importance-mine"].caption
    assert "wrongly labelled, 1 images" in found["importance-mine"].alt
    assert found["relabels-mine"].numbers.rows == [[1, 0], [2, 1], [3, 0]]


def test_a_table_of_scores_that_is_none_is_told(tmp_path):
    folder = finished_run(tmp_path / "run", method="scn")
    (folder / "scores.csv").write_text("id,given,importance\n1,calm,much\n")
    section = sample_scores(Subject((View(0, read_facts(folder, "mine", "mine")),)))
    assert "scores.csv cannot be read" in section.missing[0]


def test_the_plane_is_the_same_for_the_same_features_and_groups_them():
    draws = np.random.default_rng(1)
    centres = np.repeat(np.array([[0.0] * 4, [9.0] * 4]), 12, axis=0)
    vectors = centres + draws.normal(size=centres.shape)
    places = plane(vectors)
    assert np.array_equal(places, plane(vectors))
    middle = places.reshape(2, 12, 2).mean(axis=1)
    spread = np.linalg.norm(places.reshape(2, 12, 2) - middle[:, None], axis=-1).max()
    assert np.linalg.norm(middle[0] - middle[1]) > spread


def test_remarks_on_the_images_are_told(tmp_path):
    facts = subject(tmp_path, "eac").views[0].facts
    found = evidence()
    found.remarks = ("Only half of the images were looked at.",)
    assert "Only half" in words(in_words(Subject((View(0, facts, found),))))

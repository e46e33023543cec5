"""What is read of a run's folder, whole or not."""

from __future__ import annotations

from run_folders import write_run
from subjects import CLASSES, finished_run

from eactf.report.page.building import draw
from eactf.report.page.facts import read_facts
from eactf.report.page.subject import Subject, View


def test_a_finished_run_is_read_whole(tmp_path):
    facts = read_facts(finished_run(tmp_path / "run"), "mine", "mine")
    assert facts.missing == ()
    assert facts.class_names == CLASSES
    assert facts.method == "eac"
    assert len(facts.epochs) == 3
    assert facts.noise["realised"] == 0.3


def test_an_unfinished_run_says_so_and_keeps_its_log(tmp_path):
    facts = read_facts(write_run(tmp_path / "run", epoch=2), "mine", "mine")
    assert "not finished" in " ".join(facts.missing)
    assert not facts.result
    assert len(facts.epochs) == 2


def test_a_damaged_log_is_read_up_to_the_damage(tmp_path):
    folder = finished_run(tmp_path / "run")
    with (folder / "metrics.jsonl").open("a") as log:
        log.write('{"epoch": 4, "acc')
    facts = read_facts(folder, "mine", "mine")
    assert len(facts.epochs) == 3
    assert facts.missing == ("metrics.jsonl is damaged from line 4 on.",)


def test_a_result_that_is_none_is_told_and_left_out(tmp_path):
    folder = finished_run(tmp_path / "run")
    (folder / "result.json").write_text("{}")
    facts = read_facts(folder, "mine", "mine")
    assert not facts.result
    assert "is not the result of a run" in facts.missing[0]


def test_a_result_of_before_recalls_were_counted_is_in_no_table(tmp_path):
    facts = read_facts(write_run(tmp_path / "run", state="finished"), "mine", "mine")
    assert facts.result
    about = Subject((View(0, facts),))
    assert about.finished == []
    assert [section.anchor for section in draw(about)] == ["outcome", "curves"]


def test_a_run_without_a_recipe_has_its_method_from_its_result(tmp_path):
    folder = finished_run(tmp_path / "run", method="scn")
    (folder / "recipe.yaml").unlink()
    facts = read_facts(folder, "mine", "mine")
    assert facts.recipe is None
    assert facts.method == "scn"
    assert facts.missing


def test_relative_files_are_looked_for_where_the_run_was_started(tmp_path):
    folder = write_run(tmp_path / "run", "data.path=faces.h5", "data.source=packed")
    about = (folder / "run.json").read_text()
    (folder / "run.json").write_text(about.replace('"started_in": "', '"started_in": "/there', 1))
    recipe = read_facts(folder, "mine", "mine").recipe
    assert recipe.data.path.startswith("/there")
    assert recipe.data.path.endswith("faces.h5")


def test_tables_of_single_samples_are_found(tmp_path):
    folder = finished_run(tmp_path / "run")
    (folder / "scores.csv").write_text("id,given,importance\n")
    assert list(read_facts(folder, "mine", "mine").tables) == ["scores"]

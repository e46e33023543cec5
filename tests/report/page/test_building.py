"""The main path of a report: what is a run, what it is called, how many are looked into."""

from __future__ import annotations

import json

import pytest
from subjects import finished_run

from eactf.errors import UsageError
from eactf.report.page.building import MOST_SEEN, make_report
from eactf.report.page.output import Place
from eactf.report.page.subject import MOST_SIDE_BY_SIDE


def made(folders, tmp_path):
    place = Place(tmp_path / "report.html")
    return make_report(folders, place), place.page.read_text(encoding="utf-8")


@pytest.fixture
def without_looking(monkeypatch):
    """Pages of folders alone, so that no TensorFlow is needed."""
    monkeypatch.setattr("eactf.report.page.building.MOST_SEEN", 0)


def test_runs_of_one_name_have_files_of_their_own(tmp_path, without_looking):
    folders = [finished_run(tmp_path / place / "run !") for place in ("a", "b")]
    report, text = made(folders, tmp_path)
    assert len(list(report.figures.glob("confusion-*.png"))) == 2
    assert all(str(folder) in text for folder in folders)


def test_the_runs_of_a_comparison_go_by_their_rows(tmp_path, without_looking):
    folder = tmp_path / "comparisons"
    finished_run(folder / "0123")
    entry = {"row": "eac, 10 % noise", "seed": 2, "arguments": [], "failure": ""}
    (folder / "index.json").write_text(json.dumps({"0123": entry}))
    _, text = made([folder], tmp_path)
    assert "eac, 10 % noise, seed 2" in text


def test_seeds_of_one_recipe_are_one_row_of_the_table(tmp_path, without_looking):
    folders = [finished_run(tmp_path / f"run{seed}", f"seed={seed}") for seed in (0, 1, 2)]
    _, text = made(folders, tmp_path)
    assert "run0 and 2 other seeds" in text
    assert "80.0 (0.0)" in text


def test_of_many_runs_the_networks_are_not_looked_into(tmp_path):
    folders = [
        finished_run(tmp_path / f"run{seed}", f"seed={seed}") for seed in range(MOST_SEEN + 1)
    ]
    report, text = made(folders, tmp_path)
    assert any("more than 6 runs" in sentence for sentence in report.missing)
    assert 'id="classes"' in text


def test_of_very_many_runs_there_is_a_table_and_no_figure_nobody_could_read(tmp_path):
    seeds = range(MOST_SIDE_BY_SIDE + 1)
    folders = [finished_run(tmp_path / f"run{seed}", f"seed={seed}") for seed in seeds]
    report, text = made(folders, tmp_path)
    assert report.count == 0
    assert len(report.missing) == 2
    assert "run0 and 8 other seeds" in text


def test_a_name_that_is_html_is_text(tmp_path, without_looking):
    _, text = made([finished_run(tmp_path / "<b>run&")], tmp_path)
    assert "<b>" not in text
    assert "&lt;b&gt;run&amp;" in text


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_a_folder_that_holds_no_run_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no folder of a run"):
        make_report([tmp_path / name], Place(tmp_path / "report.html"))
    assert not (tmp_path / "report.html").exists()

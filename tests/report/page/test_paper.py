"""The papers' tables and sweeps, filled from the folder of a comparison."""

from __future__ import annotations

import json

import pytest

from eactf.report.page.blocks import Figure, Table
from eactf.report.page.sections.paper import filled_tables, paper
from eactf.report.page.subject import Subject
from eactf.report.paper_tables import Place, find_table


def comparison(folder, name, data, accuracies, budget="small"):
    """A folder as `reproduce` leaves it: runs of places of a table with these accuracies."""
    table, index = find_table(name), {}
    for number, (place, accuracy) in enumerate(accuracies):
        run = folder / f"{number:016x}"
        run.mkdir(parents=True)
        figures = {"accuracy": accuracy, "macro_recall": accuracy, "recalls": {"sad": accuracy}}
        sections = ("last_epoch", "mean_of_last_epochs", "best_on_validation")
        facts = {"method": "eac", "judged_on": "test", "seconds": 1.0, "epochs": 1}
        (run / "result.json").write_text(json.dumps({**facts, **dict.fromkeys(sections, figures)}))
        settings = [word for one in table.settings(place, budget) for word in ("--set", one)]
        index[run.name] = {
            "row": f"{data}, {place.column}, {place.row}",
            "seed": number,
            "arguments": [
                "--recipe",
                table.recipe(budget, data),
                *settings,
                "--set",
                f"seed={number}",
            ],
            "failure": "",
        }
    (folder / "index.json").write_text(json.dumps(index))
    return folder


def blocks(folder, kind):
    section = paper(Subject((), (folder,)))
    return [block for block in section.blocks if isinstance(block, kind)]


def test_a_sweep_is_a_curve_with_the_mean_over_seeds(tmp_path):
    row = "30 % noise"
    steps = [(Place(row, "0.1"), 0.5), (Place(row, "5"), 0.8), (Place(row, "5"), 0.9)]
    folder = comparison(tmp_path / "c", "figure2-weight", "drawn-faces", steps)
    (curve,) = blocks(folder, Figure)
    assert curve.numbers.rows[0] == [row, "0.1", 0.5, None, 1]
    deviation = pytest.approx(0.0707, abs=1e-4)
    assert curve.numbers.rows[1] == [row, "5", pytest.approx(0.85), deviation, 2]
    assert "30 % noise is best at 5" in curve.alt


def test_sweeps_of_one_name_of_column_are_told_apart_by_their_settings(tmp_path):
    place = Place("30 % noise", "0.1")
    folder = comparison(tmp_path / "c", "figure2-probability", "drawn-faces", [(place, 0.5)])
    assert [filled.name for filled in filled_tables(folder)] == ["figure2-probability"]


def test_a_table_has_the_papers_number_beside_ours(tmp_path):
    table = find_table("table1")
    place = next(iter(table.places()))
    data = table.data_sets[0]
    folder = comparison(tmp_path / "c", "table1", data, [(place, 0.5)], budget="paper")
    (found, *_) = blocks(folder, Table)
    published = f"{100 * table.published(data, place):.2f}"
    assert found.columns == ["", place.column, "paper"]
    assert found.rows == [[place.row, "50.0", published]]


def test_a_run_that_failed_leaves_its_cell_empty(tmp_path):
    row = "30 % noise"
    steps = [(Place(row, "0.1"), 0.5), (Place("10 % noise", "5"), 0.8)]
    folder = comparison(tmp_path / "c", "figure2-weight", "drawn-faces", steps)
    (folder / f"{0:016x}" / "result.json").unlink()
    (table,) = blocks(folder, Table)
    assert table.rows == [["10 % noise", "80.0"]]


@pytest.mark.parametrize("index", [{}, {"a": 1}, {"a": {"row": "x", "seed": 0, "arguments": []}}])
def test_another_comparison_fills_no_table(tmp_path, index):
    (tmp_path / "index.json").write_text(json.dumps(index))
    assert paper(Subject((), (tmp_path,))) is None

"""The comparison's table: means, deviations, costs, what is told as missing."""

from __future__ import annotations

import csv
import io

import pytest

from eactf.report.table import Spread, tabulate


def result(accuracy, *, method="eac", seconds=20.0, recalls=None, best_on_test=None):
    return {
        "method": method,
        "judged_on": "test",
        "last_epoch": {
            "accuracy": accuracy + 0.01,
            "macro_recall": accuracy,
            "recalls": recalls or {"sad": accuracy, "happy": None},
        },
        "mean_of_last_epochs": {"accuracy": accuracy, "macro_recall": accuracy - 0.1},
        "best_on_validation": {"accuracy": accuracy + 0.02, "macro_recall": accuracy},
        "best_on_test": best_on_test,
        "seconds": seconds,
        "epochs": 10,
    }


def test_figures_are_mean_and_sample_deviation_over_the_seeds():
    table = tabulate([("mine", 0.8442, [result(0.8), result(0.84)], 0)])
    row = dict(zip(table.columns(), table.cells()[0], strict=True))
    assert row["mean of last"] == "82.0 (2.8)"  # sqrt(2 * 0.02^2) = 0.0283
    assert row["last epoch"] == "83.0 (2.8)"
    assert row["best on valid."] == "84.0 (2.8)"
    assert row["macro recall"] == "72.0 (2.8)"
    assert row["paper"] == "84.42"
    assert row["n"] == "2"


def test_one_run_has_no_deviation_and_a_class_without_images_no_recall():
    table = tabulate([("mine", None, [result(0.8)], 0)])
    assert "80.0" in table.cells()[0]
    assert table.recall_columns() == ["recall", "sad"]
    assert table.recall_cells() == [["mine", "80.0"]]
    assert Spread.of([]) is None


def test_cost_is_an_epoch_over_that_of_cross_entropy():
    runs = [
        ("plain", None, [result(0.7, method="cross_entropy", seconds=10.0)], 0),
        ("eac", None, [result(0.8, seconds=18.0), result(0.8, seconds=20.0)], 0),
    ]
    costs = [cells[-2] for cells in tabulate(runs).cells()]
    assert costs == ["1.00x", "1.90x"]
    assert tabulate(runs[1:]).cells()[0][-2] == "-"


def test_failed_runs_are_counted_and_do_not_vanish():
    table = tabulate([("broken", None, [], 2), ("half", None, [result(0.8)], 1)])
    assert [cells[1] for cells in table.cells()] == ["0 (2 failed)", "1 (1 failed)"]
    assert table.cells()[0][2:] == ["-"] * 7


def test_the_best_on_test_is_shown_only_when_asked_for_and_called_optimistic():
    runs = [("mine", None, [result(0.8, best_on_test={"accuracy": 0.9, "epoch": 3})], 0)]
    assert "90.0" not in tabulate(runs).cells()[0]
    table = tabulate(runs, optimistic=True)
    at = table.columns().index("best on test (optimistic)")
    assert table.cells()[0][at] == "90.0"


def test_the_csv_reads_back_with_full_figures():
    table = tabulate([("a, b", 0.5, [result(0.8), result(0.84)], 0)])
    (row,) = csv.DictReader(io.StringIO(table.csv()))
    assert row["name"] == "a, b"
    assert float(row["mean_of_last"]) == pytest.approx(0.82)
    assert float(row["mean_of_last_sd"]) == pytest.approx(0.0282843, rel=1e-4)
    assert float(row["recall_sad"]) == pytest.approx(0.82)
    assert float(row["seconds_an_epoch"]) == 2.0
    assert row["best_on_test"] == ""


def test_the_markdown_has_a_line_a_row_and_keeps_bars_apart():
    text = tabulate([("a|b", None, [result(0.8)], 0)]).markdown()
    lines = text.splitlines()
    assert lines[0].startswith("|  | n | judged on |")
    assert lines[2].startswith("| a\\|b | 1 | test | 81.0 | 80.0 |")
    assert "| recall | sad |" in lines

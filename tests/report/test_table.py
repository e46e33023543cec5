"""The comparison's table: means, deviations, costs, what is told as missing."""

from __future__ import annotations

import csv
import io

import pytest

from eactf.report.rows import Runs, Spread
from eactf.report.table import tabulate


def result(accuracy, *, method="eac", seconds=20.0, recalls=None, best_on_test=None, top5=None):
    many = {} if top5 is None else {"top5_accuracy": top5}
    return {
        "method": method,
        "judged_on": "test",
        "last_epoch": {
            "accuracy": accuracy + 0.01,
            "macro_recall": accuracy,
            "recalls": recalls or {"sad": accuracy, "happy": None},
        },
        "mean_of_last_epochs": {"accuracy": accuracy, **many, "macro_recall": accuracy - 0.1},
        "best_on_validation": {"accuracy": accuracy + 0.02, "macro_recall": accuracy},
        "best_on_test": best_on_test,
        "seconds": seconds,
        "epochs": 10,
    }


def test_figures_are_mean_and_sample_deviation_over_the_seeds():
    table = tabulate([Runs("mine", [result(0.8), result(0.84)], paper=0.8442)])
    row = dict(zip(table.columns(), table.cells()[0], strict=True))
    assert row["mean of last"] == "82.0 (2.8)"  # sqrt(2 * 0.02^2) = 0.0283
    assert row["last epoch"] == "83.0 (2.8)"
    assert row["best on valid."] == "84.0 (2.8)"
    assert row["macro recall"] == "72.0 (2.8)"
    assert row["paper"] == "84.42"
    assert row["n"] == "2"


def test_one_run_has_no_deviation_and_a_class_without_images_no_recall():
    table = tabulate([Runs("mine", [result(0.8)])])
    assert "80.0" in table.cells()[0]
    assert table.recall_columns() == ["recall", "sad"]
    assert table.recall_cells() == [["mine", "80.0"]]
    assert Spread.of([]) is None


def test_cost_is_an_epoch_over_that_of_cross_entropy():
    runs = [
        Runs("plain", [result(0.7, method="cross_entropy", seconds=10.0)]),
        Runs("eac", [result(0.8, seconds=18.0), result(0.8, seconds=20.0)]),
    ]
    costs = [cells[-1] for cells in tabulate(runs).cells()]
    assert costs == ["1.00x", "1.90x"]
    assert tabulate(runs[1:]).cells()[0][-1] == "-"


def test_an_ensemble_is_told_as_one_with_each_network_alone():
    networks = [{"mean_of_last_epochs": {"accuracy": value}} for value in (0.7, 0.72)]
    both = {**result(0.75, method="dividemix"), "networks": networks}
    table = tabulate([Runs("plain", [{**result(0.6), "networks": []}]), Runs("pair", [both])])
    (note,) = [line for line in table.notes() if "two networks" in line]
    assert note.startswith("pair: two networks together")
    assert note.endswith("alone 70.0 and 72.0")
    plain, pair = csv.DictReader(io.StringIO(table.csv()))
    assert (pair["network_1_alone"], pair["network_2_alone"]) == ("0.7", "0.72")
    assert plain["network_1_alone"] == ""


def test_failed_runs_are_counted_and_do_not_vanish():
    table = tabulate([Runs("broken", [], 2), Runs("half", [result(0.8)], 1)])
    assert [cells[1] for cells in table.cells()] == ["0 (2 failed)", "1 (1 failed)"]
    assert table.cells()[0][2:] == ["-"] * 6
    assert "paper" not in table.columns()


def test_the_best_on_test_is_shown_only_when_asked_for_and_called_optimistic():
    runs = [Runs("mine", [result(0.8, best_on_test={"accuracy": 0.9, "epoch": 3})])]
    assert "90.0" not in tabulate(runs).cells()[0]
    table = tabulate(runs, optimistic=True)
    at = table.columns().index("best on test (optimistic)")
    assert table.cells()[0][at] == "90.0"


def test_the_csv_reads_back_with_full_figures():
    table = tabulate([Runs("a, b", [result(0.8), result(0.84)], paper=0.5)])
    (row,) = csv.DictReader(io.StringIO(table.csv()))
    assert row["name"] == "a, b"
    assert float(row["mean_of_last"]) == pytest.approx(0.82)
    assert float(row["mean_of_last_sd"]) == pytest.approx(0.0282843, rel=1e-4)
    assert float(row["recall_sad"]) == pytest.approx(0.82)
    assert float(row["seconds_an_epoch"]) == 2.0
    assert row["best_on_test"] == ""


def test_the_markdown_has_a_line_a_row_and_keeps_bars_apart():
    text = tabulate([Runs("a|b", [result(0.8)])]).markdown()
    lines = text.splitlines()
    assert lines[0].startswith("|  | n | judged on |")
    assert lines[2].startswith("| a\\|b | 1 | test | 81.0 | 80.0 |")
    assert "| recall | sad |" in lines


def test_top5_stands_behind_the_mean_of_the_last_epochs_as_mean_and_deviation():
    table = tabulate([Runs("mine", [result(0.6, top5=0.8), result(0.6, top5=0.84)])])
    at = table.columns().index("top-5")
    assert table.columns()[at - 1] == "mean of last"
    assert table.cells()[0][at - 1 : at + 1] == ["60.0 (0.0)", "82.0 (2.8)"]
    assert table.rows[0].top5.n == 2
    assert "| 60.0 (0.0) | 82.0 (2.8) |" in table.markdown()


@pytest.mark.parametrize("optimistic", [False, True])
def test_a_row_without_top5_beside_one_that_has_it_shows_a_dash(optimistic):
    best = {"accuracy": 0.9, "epoch": 3}
    rows = [
        Runs("many", [result(0.6, top5=0.8, best_on_test=best)]),
        Runs("few", [result(0.7, best_on_test=best)]),
        Runs("failed", [], 1),
    ]
    table = tabulate(rows, optimistic=optimistic)
    shown = [dict(zip(table.columns(), cells, strict=True)) for cells in table.cells()]
    assert [row["top-5"] for row in shown] == ["80.0", "-", "-"]
    assert [row["best on valid."] for row in shown] == ["62.0", "72.0", "-"]
    assert [row.get("best on test (optimistic)") for row in shown[:2]] == (
        ["90.0", "90.0"] if optimistic else [None, None]
    )


def test_the_csv_has_top5_only_when_some_row_has_it():
    few = tabulate([Runs("few", [result(0.7)])])
    assert "top5" not in few.csv()
    assert "top5" not in few.as_dicts()[0]
    assert "top-5" not in few.columns()
    runs = [
        Runs("many", [result(0.6, top5=0.8), result(0.6, top5=0.84)]),
        Runs("few", [result(0.7)]),
    ]
    one, two = csv.DictReader(io.StringIO(tabulate(runs).csv()))
    assert float(one["top5"]) == pytest.approx(0.82)
    assert float(one["top5_sd"]) == pytest.approx(0.0282843, rel=1e-4)
    assert (two["top5"], two["top5_sd"]) == ("", "")
    assert list(one).index("top5") == list(one).index("mean_of_last_sd") + 1


def test_top5_survives_the_reckoning_of_costs():
    runs = [
        Runs("plain", [result(0.7, method="cross_entropy", top5=0.9)]),
        Runs("eac", [result(0.8, top5=0.95)]),
    ]
    assert [row["top5"] for row in tabulate(runs).as_dicts()] == [0.9, 0.95]


def test_cost_compares_epochs_of_one_network_alone():
    runs = [
        Runs("small, plain", [result(0.7, method="cross_entropy", seconds=10.0)], network="small"),
        Runs("small, again", [result(0.7, method="cross_entropy", seconds=30.0)], network="small"),
        Runs("small, eac", [result(0.8, seconds=30.0)], network="small"),
        Runs("large, plain", [result(0.7, method="cross_entropy", seconds=50.0)], network="large"),
        Runs("large, eac", [result(0.8, seconds=90.0)], network="large"),
        Runs("other, eac", [result(0.8, seconds=90.0)], network="other"),
    ]
    costs = [cells[-1] for cells in tabulate(runs).cells()]
    assert costs == ["0.50x", "1.50x", "1.50x", "1.00x", "1.80x", "-"]


def test_the_papers_top_5_stands_behind_its_accuracy():
    runs = [Runs("eac", [result(0.7)], paper=0.6059, paper_top5=0.8284)]
    assert tabulate(runs).cells()[0][-1] == "60.59 / 82.84"


def test_the_recalls_of_many_classes_are_in_the_csv_alone():
    many = {f"class {number}": 0.5 for number in range(21)}
    table = tabulate([Runs("eac", [result(0.7, recalls=many)])])
    assert table.recall_cells() == []
    assert "class 20" not in table.markdown()
    assert "recall_class 20" in table.csv()


def test_the_share_of_wrong_labels_learnt_is_shown_where_it_is_known():
    known = [{**result(0.7), "memorised_wrong_labels": share} for share in (0.1, 0.3)]
    table = tabulate([Runs("eac", known), Runs("clean", [result(0.9)])])
    at = table.columns().index("wrong learnt")
    assert [cells[at] for cells in table.cells()] == ["20.0 (14.1)", "-"]
    assert "wrong learnt" not in tabulate([Runs("clean", [result(0.9)])]).columns()


def judged(accuracy, lowest, classes, images=400):
    told = result(accuracy)
    told["last_epoch"]["count"] = images
    told["mean_of_last_epochs"] |= {"lowest_recall": lowest, "lowest_recall_classes": classes}
    return told


def test_the_lowest_recall_is_told_over_the_seeds_with_the_classes_that_have_it():
    runs = [judged(0.8, 0.1, ["fear"]), judged(0.8, 0.2, ["fear"]), judged(0.8, 0.3, ["anger"])]
    table = tabulate([Runs("eac", runs), Runs("plain", runs[:2])])
    at = table.columns().index("lowest recall")
    assert table.columns()[at - 1] == "macro recall"
    assert [cells[at] for cells in table.cells()] == ["20.0 (10.0)", "15.0 (7.1)"]
    assert "lowest recall of eac: fear (2 of 3 runs), anger (1 of 3 runs)" in table.notes()
    assert "lowest recall of plain: fear" in table.notes()
    assert "- lowest recall of plain: fear" in table.markdown().splitlines()


def test_the_figures_for_machines_have_balanced_accuracy_and_the_lowest_recall():
    (row,) = tabulate([Runs("eac", [judged(0.8, 0.1, ["fear"])] * 2)]).as_dicts()
    assert row["balanced_accuracy"] == row["macro_recall"] == pytest.approx(0.7)
    assert row["balanced_accuracy_sd"] == row["macro_recall_sd"]
    assert (row["lowest_recall"], row["lowest_recall_classes"]) == (0.1, "fear")
    assert row["images"] == 400
    ends = (row["mean_of_last_low"], row["mean_of_last_high"])
    assert ends == pytest.approx((0.7580, 0.8363), abs=1e-3)


def test_an_accuracy_of_few_images_is_told_with_its_interval():
    few = tabulate([Runs("eac", [judged(1.0, 1.0, ["fear"], images=3)])])
    told = "mean of last of eac: 100.00% of 3 images (95% interval 43.9 to 100.0%)"
    assert told in few.notes()
    many = tabulate([Runs("eac", [judged(1.0, 1.0, ["fear"], images=1000)])])
    assert not [note for note in many.notes() if "interval" in note]


def test_runs_from_before_recalls_were_kept_have_no_lowest_recall_and_no_images():
    table = tabulate([Runs("old", [result(0.8)])])
    assert "lowest recall" not in table.columns()
    (row,) = table.as_dicts()
    assert (row["lowest_recall"], row["images"], row["mean_of_last_low"]) == (None, None, None)
    both = tabulate([Runs("old", [result(0.8)]), Runs("new", [judged(0.8, 0.1, ["fear"])])])
    at = both.columns().index("lowest recall")
    assert [cells[at] for cells in both.cells()] == ["-", "10.0"]


def test_concordances_have_a_column_each_and_a_line_that_says_what_they_are():
    with_numbers = [result(0.8), result(0.84)]
    for one, valence in zip(with_numbers, (0.5, 0.6), strict=True):
        one["mean_of_last_epochs"]["concordance"] = {"valence": valence}
    table = tabulate([Runs("mine", with_numbers), Runs("other", [result(0.7)])])
    mine, other = (dict(zip(table.columns(), cells, strict=True)) for cells in table.cells())
    assert mine["valence"] == "0.550 (0.071)"
    assert other["valence"] == "-"
    assert "valence: concordance with the true values" in table.notes()
    assert table.as_dicts()[0]["concordance_valence"] == pytest.approx(0.55)

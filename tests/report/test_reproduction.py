"""A paper's table on a user's files: which data they are, which cells, and the grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eactf.errors import DataError, UsageError
from eactf.packed import write_packed
from eactf.packed.records import Dataset, Samples
from eactf.report.paper_tables import Place, find_table
from eactf.report.reproduction import (
    TableData,
    Work,
    chosen_names,
    grid,
    recognise,
    table_cells,
)
from eactf.report.rows import Runs
from eactf.report.table import tabulate

TABLE = find_table("table1")


def packed(path, source="a folder", classes=2, **notes):
    images = np.zeros((4, 8, 8, 1), np.uint8)
    part = Samples(images=images, ids=np.arange(4), given=np.array([0, 1, 0, 1]))
    names = tuple(f"class {number}" for number in range(classes))
    write_packed(path, Dataset(names, {"train": part}, source, notes))
    return path


@pytest.mark.parametrize(
    ("source", "notes", "name"),
    [
        ("FERPlus (majority of the votes, 8 classes)", {}, "ferplus"),
        ("/data/raf", {"dataset": "RAF-DB, basic expressions"}, "raf-db"),
        ("/data/c100", {"dataset": "CIFAR-100"}, "cifar-100"),
        ("my folder", {"dataset": "another"}, "mine"),
        ("my folder", {}, "mine"),
    ],
)
def test_a_packed_file_says_which_data_set_it_holds(tmp_path, source, notes, name):
    path = packed(tmp_path / "mine.h5", source, **notes)
    assert recognise(str(path)) == TableData(name, path)


def test_a_data_set_can_be_named_and_faces_can_be_drawn(tmp_path):
    path = packed(tmp_path / "mine.h5", classes=7)
    assert recognise(f"raf-db={path}") == TableData("raf-db", path)
    with pytest.raises(DataError, match="has 7 classes, CIFAR-100 has 100"):
        recognise(f"cifar-100={path}")
    assert recognise("drawn-faces") == TableData("drawn-faces", None)
    with pytest.raises(UsageError, match="there is no data set 'rafdb'") as caught:
        recognise(f"rafdb={path}")
    assert "raf-db" in str(caught.value)


def test_a_path_may_hold_an_equals_sign(tmp_path):
    path = packed(tmp_path / "a=b.h5")
    assert recognise(str(path)) == TableData("a=b", path)


@pytest.mark.parametrize("text", ["{0}/none.h5", "raf-db={0}/none.h5", "{0}/notes.txt"])
def test_what_is_not_packed_data_is_told_before_anything_runs(tmp_path, text):
    (tmp_path / "notes.txt").write_text("no data")
    with pytest.raises((DataError, UsageError)):
        recognise(text.format(tmp_path))


def test_the_cells_carry_settings_data_and_the_papers_number(tmp_path):
    path = packed(tmp_path / "raf.h5")
    work = Work(TABLE, "small", ("RUL",), ("20 %",), seeds=2, overrides=("train.epochs=2",))
    cells = table_cells(work, TableData("raf-db", path))
    assert [cell.seed for cell in cells] == [0, 1]
    assert {cell.row for cell in cells} == {"raf-db, 20 %, RUL"}
    assert {cell.paper for cell in cells} == {0.8432}
    arguments = " ".join(cells[0].arguments)
    assert arguments.startswith(f"--recipe ferplus-noise30-small --data {path.absolute()}")
    for setting in ("noise.rate=0.2", "method.name=rul", "train.epochs=2", "seed=0"):
        assert f"--set {setting}" in arguments


def test_the_whole_table_is_rows_times_columns_times_seeds():
    work = Work(TABLE, seeds=3)
    cells = table_cells(work, TableData("drawn-faces", None))
    assert len(cells) == 4 * 3 * 3
    assert len({cell.key for cell in cells}) == len(cells)
    assert all("data.source=drawn-faces" in cell.arguments for cell in cells)
    assert {cell.paper for cell in cells} == {None}


def test_weights_reach_our_networks_alone():
    work = Work(find_table("table2"), columns=("10 %",), weights=Path("face.weights.h5"))
    cells = table_cells(work, TableData("drawn-faces", None))
    given = {cell.row: "model.weights" in " ".join(cell.arguments) for cell in cells}
    assert given == {
        "drawn-faces, 10 %, MobileNet": False,
        "drawn-faces, 10 %, MobileNet + EAC": False,
        "drawn-faces, 10 %, ResNet-50": True,
        "drawn-faces, 10 %, ResNet-50 + EAC": True,
    }


def test_networks_of_one_table_have_costs_of_their_own():
    work = Work(find_table("table2"), columns=("10 %", "20 %"))
    cells = table_cells(work, TableData("drawn-faces", None))
    mobile = {cell.network for cell in cells if "MobileNet" in cell.row}
    ours = {cell.network for cell in cells if "ResNet" in cell.row}
    assert len(mobile) == len(ours) == 1
    assert mobile != ours


def test_a_row_that_the_table_lacks_is_told_with_those_it_has():
    assert chosen_names("--row", ["EAC", "eac"], TABLE.rows) == ("EAC",)
    assert chosen_names("--column", ["30%", "10 %"], TABLE.columns) == ("30 %", "10 %")
    with pytest.raises(UsageError, match="--row 'EAK': the table has no such name") as caught:
        chosen_names("--row", ["EAK"], TABLE.rows)
    assert "Baseline, SCN, RUL, EAC" in str(caught.value)


def ran(accuracy):
    figures = {"accuracy": accuracy, "macro_recall": accuracy}
    return {
        "method": "eac",
        "judged_on": "test",
        "last_epoch": {**figures, "recalls": {}},
        "mean_of_last_epochs": figures,
        "best_on_validation": figures,
        "best_on_test": None,
        "seconds": 1.0,
        "epochs": 1,
    }


def test_the_grid_sets_ours_beside_the_papers_and_leaves_out_what_failed():
    work = Work(TABLE, rows=("Baseline", "EAC"), columns=("10 %", "30 %"))
    data = TableData("ferplus", Path("ferplus.h5"))
    results = {
        Place("Baseline", "10 %"): [ran(0.7), ran(0.72)],
        Place("EAC", "10 %"): [ran(0.8)],
        Place("Baseline", "30 %"): [],
        Place("EAC", "30 %"): [ran(0.75)],
    }
    runs = [
        Runs(
            f"ferplus, {place.column}, {place.row}", found, paper=TABLE.published("ferplus", place)
        )
        for place, found in results.items()
    ]
    heads, lines = grid(work, data, tabulate(runs))
    assert heads == ["", "10 %", "paper", "30 %", "paper"]
    assert lines == [
        ["Baseline", "71.0 (1.4)", "83.29", "-", "79.77"],
        ["EAC", "80.0", "87.03", "75.0", "85.44"],
    ]
    heads, _ = grid(work, TableData("mine", None), tabulate(renamed(runs, "mine")))
    assert heads == ["", "10 %", "30 %"]


def renamed(runs, data):
    return [Runs(run.name.replace("ferplus", data), run.results) for run in runs]

"""The epochs of a comparison's runs side by side."""

from __future__ import annotations

import csv
import io
import json
from types import SimpleNamespace

import pytest

from eactf.report.curves import curves_csv, epoch_figures, settled


def outcome(folder, row, *, seed=0, losses=(), accuracies=(), result=True):
    """A cell's outcome whose run logged these losses and was judged so."""
    folder.mkdir()
    lines = [
        {"epoch": n, "joint_loss": loss, "joint": {"stopped": False}}
        for n, loss in enumerate(losses, 1)
    ]
    judged = [
        {"epoch": n, "accuracy": value, "recalls": {}, "concordance": {"valence": value / 2}}
        for n, value in enumerate(accuracies, 1)
    ]
    for name, content in (("metrics.jsonl", lines), ("judged.jsonl", judged)):
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in content))
    cell = SimpleNamespace(row=row, seed=seed)
    return SimpleNamespace(cell=cell, folder=folder, result={} if result else None)


def test_what_was_logged_and_what_was_judged_stand_in_one_line_an_epoch(tmp_path):
    run = outcome(tmp_path / "run", "a", losses=(3.0, 2.0), accuracies=(0.5, 0.6))
    first, second = epoch_figures(run.folder)
    assert first == {
        "epoch": 1,
        "joint_loss": 3.0,
        "test_accuracy": 0.5,
        "test_concordance_valence": 0.25,
    }
    assert second["test_accuracy"] == 0.6


def test_settled_figures_are_means_of_the_last_epochs_over_the_seeds(tmp_path):
    runs = [
        outcome(tmp_path / "1", "a", losses=(9.0, 2.0, 3.0)),
        outcome(tmp_path / "2", "a", seed=1, losses=(9.0, 4.0, 5.0)),
        outcome(tmp_path / "3", "b", accuracies=(0.5,)),
        outcome(tmp_path / "4", "c", losses=(1.0,), result=False),
    ]
    found = settled(runs, ["joint_loss", "discriminator_loss"], 2)
    assert found == {"a": {"joint_loss": pytest.approx(3.5)}}


def test_all_epochs_of_all_finished_runs_are_lines_of_one_csv(tmp_path):
    runs = [
        outcome(tmp_path / "1", "a", losses=(3.0, 2.0), accuracies=(0.5, 0.6)),
        outcome(tmp_path / "2", "b", losses=(1.0,)),
        outcome(tmp_path / "3", "c", losses=(1.0,), result=False),
    ]
    lines = list(csv.DictReader(io.StringIO(curves_csv(runs))))
    assert [(line["row"], line["epoch"]) for line in lines] == [("a", "1"), ("a", "2"), ("b", "1")]
    assert lines[1]["test_accuracy"] == "0.6"
    assert lines[2]["test_accuracy"] == ""

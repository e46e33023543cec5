"""`eactf reproduce`: tables listed, planned and run, mistakes told before anything runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from eactf.cli import cli


def call(*arguments):
    return CliRunner().invoke(cli, ["reproduce", *arguments])


def test_without_a_name_the_tables_are_listed():
    told = call()
    assert told.exit_code == 0, told.output
    for name in ("table1", "table6", "supplement-table1", "figure2-weight"):
        assert name in told.output
    events = [json.loads(line) for line in call("--json").stdout.splitlines()]
    assert {"table1": 12, "table2": 16}.items() <= {e["name"]: e["cells"] for e in events}.items()


def test_a_plan_prints_the_command_of_every_cell_and_runs_nothing(runs, tmp_path):
    told = call("table1", "--data", "drawn-faces", "--budget", "small", "--row", "EAC", "--plan")
    assert told.exit_code == 0, told.output
    commands = [line for line in told.stdout.splitlines() if line.startswith("eactf train")]
    assert len(commands) == 3
    assert "--set noise.rate=0.1" in commands[0]
    assert "--set data.source=drawn-faces" in commands[0]
    assert not runs
    assert not list(tmp_path.iterdir())


def test_cells_are_run_once_and_the_tables_are_written(runs, tmp_path):
    command = ["table1", "--data", "drawn-faces", "--budget", "small", "--seeds", "2"]
    command += ["--row", "EAC", "--row", "Baseline", "--column", "30 %"]
    told = call(*command, "--csv", "t.csv", "--markdown", "t.md")
    assert told.exit_code == 0, told.output
    assert [cell.seed for cell in runs] == [0, 1, 0, 1]
    assert "55.0 (7.1)" in told.stdout
    assert "the small budget is not the paper's protocol" in told.stderr
    assert "no numbers for drawn-faces" in told.stderr
    text = (tmp_path / "t.md").read_text()
    assert "| EAC | 55.0 (7.1) |" in text
    assert "drawn-faces, 30 %, Baseline" in text
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 3
    assert call(*command, "--csv", "t.csv").exit_code == 2
    assert call(*command).exit_code == 0
    assert len(runs) == 4


def test_a_table_of_pretrained_networks_says_so_when_none_are_given(runs):
    told = call("table1", "--data", "drawn-faces", "--row", "EAC", "--column", "10 %", "--plan")
    assert "pre-trained on faces" in told.stderr
    told = call("supplement-table1", "--data", "drawn-faces", "--plan")
    assert "pre-trained" not in told.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tabel1", "--data", "drawn-faces"], "did you mean table1"),
        (["table1"], "raf-db, ferplus, affectnet"),
        (
            ["table1", "--data", "drawn-faces", "--data", "drawn-faces"],
            "drawn-faces is there twice",
        ),
        (["table1", "--data", "drawn-faces", "--row", "E"], "it has: Baseline, SCN, RUL, EAC"),
        (
            ["table1", "--data", "drawn-faces", "--set", "noise.rate=0.5"],
            "the table itself settles noise.rate",
        ),
        (["table1", "--data", "notes.txt"], "is not packed data"),
        (["table1", "--data", "drawn-faces", "--set", "seeed=1"], "seeed"),
        (
            ["table1", "--data", "drawn-faces", "--budget", "small", "--weights", "w.h5"],
            "--weights goes with --budget paper",
        ),
    ],
)
def test_mistakes_are_told_before_anything_runs(runs, arguments, message):
    Path("notes.txt").write_text("no data")
    told = call(*arguments)
    assert told.exit_code == 2
    assert message in told.stderr
    assert not runs

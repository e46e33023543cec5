"""`eactf compare`: recipes and methods over seeds, finished runs, mistakes told at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from eactf.cli import cli


def call(*arguments):
    return CliRunner().invoke(cli, ["compare", *map(str, arguments)])


def table_rows(told):
    return [event for event in map(json.loads, told.stdout.splitlines()) if event["event"] == "row"]


def test_one_recipe_with_several_methods_has_a_row_a_method(runs):
    told = call("quickstart", "--methods", "cross_entropy, eac", "--seeds", 2, "--json")
    assert told.exit_code == 0, told.output
    assert [row["name"] for row in table_rows(told)] == ["cross_entropy", "eac"]
    assert [row["n"] for row in table_rows(told)] == [2, 2]
    assert [(cell.row, cell.seed) for cell in runs] == [
        *(("cross_entropy", 0), ("cross_entropy", 1)),
        *(("eac", 0), ("eac", 1)),
    ]
    assert {row["cost"] for row in table_rows(told)} == {1.0}


def test_several_recipes_keep_their_names(runs):
    subjects = ("quickstart", "ferplus-noise30-small")
    rows = table_rows(call(*subjects, "--json"))
    assert [row["name"] for row in rows] == [*subjects]
    rows = table_rows(call(*subjects, "--methods", "scn,rul", "--json"))
    assert [row["name"] for row in rows] == [
        *("quickstart, scn", "quickstart, rul"),
        *("ferplus-noise30-small, scn", "ferplus-noise30-small, rul"),
    ]


def test_values_of_keys_are_varied_in_every_combination(runs):
    vary = ("--vary", "data.balance=none, sqrt", "--vary", "method.prior_adjustment=0,1")
    rows = table_rows(call("quickstart", "--methods", "scn,eac", *vary, "--json"))
    of_scn = [f"scn, balance={b}, prior_adjustment={p}" for b in ("none", "sqrt") for p in (0, 1)]
    assert [row["name"] for row in rows] == [
        *of_scn,
        *(name.replace("scn", "eac") for name in of_scn),
    ]
    assert "data.balance=sqrt" in runs[2].arguments
    rows = table_rows(call("quickstart", "--vary", "train.epochs=1,2", "--json"))
    assert [row["name"] for row in rows] == ["epochs=1", "epochs=2"]


@pytest.mark.parametrize("text", ["data.balance", "data.balance=none,none", "=1,2", "a=1,,2"])
def test_a_key_that_varies_without_different_values_is_refused(runs, text):
    told = call("quickstart", "--vary", text)
    assert told.exit_code == 2 and "--vary" in told.stderr


def test_what_is_finished_is_not_run_again_and_the_files_are_written(runs, tmp_path):
    command = ("quickstart", "--seeds", 3, "--csv", "t.csv", "--markdown", "t.md")
    assert call(*command).exit_code == 0
    refused = call(*command)
    assert refused.exit_code == 2
    assert "t.csv exists and is not overwritten" in refused.stderr
    assert call(*command, "--overwrite").exit_code == 0
    assert len(runs) == 3
    assert "| quickstart | 3 | test |" in (tmp_path / "t.md").read_text()
    assert (
        (tmp_path / "t.csv").read_text().splitlines()[1].startswith("quickstart,eac,test,3,0,0.6")
    )


def test_finished_runs_that_differ_in_the_seed_alone_are_one_row(runs, tmp_path):
    assert call("quickstart", "--methods", "cross_entropy,eac", "--seeds", 2).exit_code == 0
    index = json.loads((tmp_path / "comparisons" / "index.json").read_text())
    told = call(*(f"comparisons/{name}" for name in index), "--json")
    assert told.exit_code == 0, told.output
    assert [(row["method"], row["n"]) for row in table_rows(told)] == [
        ("cross_entropy", 2),
        ("eac", 2),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["quickstart", "--methods", "eac,,scn"], "a name is missing"),
        (["quickstart", "--methods", ""], "a name is missing"),
        (["quickstart", "--methods", "eac,eac"], "a name is there twice"),
        (["quickstart", "--methods", "cros_entropy"], "did you mean cross_entropy?"),
        (["quickstart", "--csv", "new/t.csv"], "there is no folder new"),
        (["quickstart", "--folder", "file"], "--folder file is a file"),
        (["quickstart", "quickstart"], "a recipe is named twice"),
        (["quickstrat"], "did you mean quickstart"),
        (["quickstart", "--set", "train.epocs=3"], "train.epochs"),
    ],
)
def test_mistakes_are_told_before_anything_runs(runs, arguments, message):
    Path("file").write_text("mine")
    told = call(*arguments)
    assert told.exit_code == 2
    assert message in told.stderr
    assert not runs


def test_runs_take_no_options_of_recipes_and_do_not_mix_with_them(runs):
    assert call("quickstart", "--methods", "cross_entropy,eac").exit_code == 0
    names = json.loads(Path("comparisons/index.json").read_text())
    folders = [f"comparisons/{name}" for name in names]
    for arguments, message in (
        ([*folders, "--seeds", 3], "--seeds has no effect"),
        ([*folders, "--set", "train.epochs=3"], "--set has no effect"),
        ([*folders, "--methods", "eac"], "--methods has no effect"),
        (["quickstart", *folders], "is a run, not all the others are"),
        ([folders[0], folders[0] + "/"], "a run is named twice"),
    ):
        told = call(*arguments)
        assert told.exit_code == 2
        assert message in told.stderr
    Path(folders[0], "result.json").unlink()
    told = call(*folders)
    assert told.exit_code == 3
    assert "holds no result of a finished run" in told.stderr

"""One small training run through the console script, shared by the tests of the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fresh_processes import fresh_environment

from eactf.recipe import load_recipe

SMALL = (
    "data.drawn.train=60",
    "data.drawn.validation=21",
    "data.drawn.test=30",
    "data.drawn.size=32",
    "data.drawn.difficulty=1",
    "schedule.kind=exponential",
    "schedule.gamma=0.5",
    "model.width=4",
    "train.epochs=2",
    "train.batch_size=16",
)


@pytest.fixture(scope="session")
def small():
    """The `--set` arguments that make the quickstart recipe a matter of seconds."""
    return [word for setting in SMALL for word in ("--set", setting)]


@pytest.fixture(scope="session")
def eactf():
    """Runs the installed console script in a process of its own."""
    script = Path(sys.executable).with_name("eactf")
    start = [str(script)] if script.is_file() else [sys.executable, "-m", "eactf"]

    def run(*arguments, cwd):
        return subprocess.run(
            [*start, *map(str, arguments)],
            cwd=cwd,
            env=fresh_environment(),
            capture_output=True,
            text=True,
            timeout=200,
        )

    return run


@pytest.fixture(scope="session")
def trained(eactf, small, tmp_path_factory):
    """A finished run: (its process, its folder)."""
    place = tmp_path_factory.mktemp("trained")
    process = eactf("train", "--recipe", "quickstart", *small, cwd=place)
    assert process.returncode == 0, process.stdout + process.stderr
    return process, place / "runs" / "quickstart"


@pytest.fixture
def invoke():
    """Runs the command line in this process."""
    from click.testing import CliRunner

    from eactf.cli import cli

    def run(*arguments):
        return CliRunner().invoke(cli, [str(word) for word in arguments])

    return run


@pytest.fixture
def runs(monkeypatch, tmp_path):
    """Stands in for training: every cell gets a result; the cells that were run are kept."""
    trained = []

    def train(cell, folder):
        trained.append(cell)
        folder.mkdir(parents=True)
        figures = {"accuracy": 0.5 + cell.seed / 10, "macro_recall": 0.5}
        names = [word for word in cell.arguments if word.startswith("method.name=")]
        result = {
            "method": names[-1].removeprefix("method.name=") if names else "eac",
            "judged_on": "test",
            "last_epoch": {**figures, "recalls": {"sad": 0.25}},
            "mean_of_last_epochs": figures,
            "best_on_validation": figures,
            "best_on_test": None,
            "seconds": 2.0,
            "epochs": 1,
        }
        resolved = load_recipe(cell.arguments[1], [*cell.arguments[3::2]])
        (folder / "recipe.yaml").write_text(resolved.dump_yaml(), encoding="utf-8")
        (folder / "result.json").write_text(json.dumps(result))
        return 0, ""

    monkeypatch.setattr("eactf.report.comparison.train_cell", train)
    monkeypatch.chdir(tmp_path)
    return trained

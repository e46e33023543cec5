"""A training run small enough for a test, and the recipe of one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from shallow_networks import shallow_resnets

ROOT = Path(__file__).resolve().parents[2]

SMALL = (
    "data.drawn.train=32",
    "data.drawn.validation=16",
    "data.drawn.test=16",
    "data.drawn.size=16",
    "model.width=4",
    "train.epochs=2",
    "train.batch_size=16",
)


@pytest.fixture(autouse=True)
def shallow():
    """Networks of two stages, in this process."""
    with shallow_resnets():
        yield


@pytest.fixture
def recipe():
    """Makes a small recipe from `key=value` settings on top of the quickstart."""
    from eactf.recipe import load_recipe

    def make(*settings, name="quickstart", small=True):
        return load_recipe(name, (*(SMALL if small else ()), *settings))

    return make


@pytest.fixture
def start(tmp_path):
    """Starts `eactf train` on the small recipe in a process of its own; gives it and its folder."""
    started = []

    def begin(*settings):
        sets = [word for setting in (*SMALL, *settings) for word in ("--set", setting)]
        command = [sys.executable, "-m", "eactf", "train", "--recipe", "quickstart", *sets]
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process, tmp_path / "runs" / "quickstart"

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()

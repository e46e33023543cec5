"""The wizard with a step really timed, and its recipe really trained, each a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from fresh_processes import fresh_environment, on_x86


@pytest.fixture
def eactf(tmp_path):
    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "eactf", *map(str, arguments)],
            cwd=tmp_path,
            env=fresh_environment(),
            capture_output=True,
            text=True,
            timeout=280,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_what_the_wizard_writes_is_timed_and_trains(eactf, folder, tmp_path):
    told = eactf("wizard", folder(count=12, size=(32, 32)), "--yes")
    assert "measured:" in told
    assert "next:\n  eactf train --recipe my-data.yaml" in told
    told = eactf("train", "--recipe", "my-data.yaml", "--set", "train.epochs=1")
    assert "on test" in told
    run = tmp_path / "runs" / "my-data"
    assert (run / "model.keras").is_file()
    kernels = json.loads((run / "environment.json").read_text())["kernels"]
    assert kernels["TF_ENABLE_ONEDNN_OPTS"] == ("1" if on_x86() else None)

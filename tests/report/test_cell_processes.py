"""The runs of a comparison, each in a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest
from fresh_processes import fresh_environment, on_x86

from eactf.errors import Interrupted, UsageError
from eactf.report.cells import make_cell
from eactf.report.comparison import run_cells


def test_a_cell_in_a_process_of_its_own_says_why_it_failed(tmp_path):
    overrides = ["model.backbone=keras_applications:NoSuchNet"]
    cell = make_cell("mine", "quickstart", 0, overrides=overrides)
    with pytest.raises(UsageError, match=r"model\.backbone = keras_applications:NoSuchNet"):
        run_cells([cell], tmp_path)


def test_a_cell_that_the_time_stopped_is_finished_in_its_folder(tmp_path):
    small = ["data.drawn.train=32", "data.drawn.validation=16", "data.drawn.test=16"]
    small += ["data.drawn.size=16", "model.width=4", "train.epochs=1", "train.batch_size=16"]
    cell = make_cell("mine", "quickstart", 0, overrides=[*small, "train.stop_after=1s"])
    with pytest.raises(Interrupted, match=r"the time of train\.stop_after is over") as stop:
        run_cells([cell], tmp_path)
    assert stop.value.exit_code == 75
    cell = make_cell("mine", "quickstart", 0, overrides=small)
    (outcome,) = run_cells([cell], tmp_path)
    assert outcome.folder == tmp_path / cell.key
    assert outcome.result is not None


def test_an_interrupt_reaches_the_cell_in_its_own_process(tmp_path):
    """SIGTERM to the comparison alone: the cell ends too, and its folder says so."""
    settings = ["data.drawn.train=200", "model.width=4", "train.epochs=1000"]
    command = [sys.executable, "-m", "eactf", "compare", "quickstart", "--folder", str(tmp_path)]
    command += [word for setting in settings for word in ("--set", setting)]
    process = subprocess.Popen(
        command, env=fresh_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        status = wait_for(tmp_path)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=120)[1].decode()
    finally:
        process.kill()
    assert process.returncode == 143
    assert "the same command goes on with this one" in said
    assert json.loads(status.read_text())["state"] == "interrupted"
    kernels = json.loads(status.with_name("environment.json").read_text())["kernels"]
    assert kernels["TF_ENABLE_ONEDNN_OPTS"] == ("1" if on_x86() else None)


def wait_for(folder):
    """The status file of the one run in `folder`, once an epoch of it is done."""
    for _ in range(600):
        for status in folder.glob("*/status.json"):
            try:
                if json.loads(status.read_text()).get("epoch", 0) >= 1:
                    return status
            except ValueError:
                pass
        time.sleep(0.2)
    raise AssertionError("no epoch was trained")

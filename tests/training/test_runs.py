"""Whole runs: the same twice, broken off, and gone wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import time

import numpy as np
import pytest

from eactf.errors import TrainingError

# Keras 3.15 reads its variables in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def weights(path):
    from eactf.evaluation.storage import open_classifier_file

    return open_classifier_file(path).model.get_weights()


def run(resolved, folder):
    from eactf.training.run import train

    return train(resolved, run_dir=folder, command=["eactf", "train"])


def test_the_same_recipe_and_seed_give_the_same_weights_to_the_bit(recipe, tmp_path):
    settings = ("train.epochs=1", "seed=3", "optimizer.learning_rate=0.01")
    for name in ("one", "two"):
        run(recipe(*settings), tmp_path / name)
    one, two = (weights(tmp_path / name / "model.keras") for name in ("one", "two"))
    for left, right in zip(one, two, strict=True):
        np.testing.assert_array_equal(left, right)
    labels = [(tmp_path / name / "labels.csv").read_bytes() for name in ("one", "two")]
    assert labels[0] == labels[1]


def test_a_loss_that_is_no_number_fails_the_run_and_says_where(recipe, tmp_path):
    with pytest.raises(TrainingError, match=r"epoch 1, step \d") as caught:
        run(recipe("optimizer.learning_rate=1e30"), tmp_path / "run")
    assert caught.value.exit_code == 4
    status = read_json(tmp_path / "run" / "status.json")
    assert status["state"] == "failed"
    assert status["exit_code"] == 4
    assert "epoch 1" in status["reason"]
    assert not (tmp_path / "run" / "result.json").exists()


def wait_for(condition, process, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.05)


def test_an_interrupt_finishes_the_step_saves_and_exits_with_130(start):
    process, folder = start("train.epochs=5000")
    log = folder / "metrics.jsonl"
    wait_for(lambda: log.is_file() and log.stat().st_size > 0, process)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted in epoch" in told
    assert "Traceback" not in told
    status = read_json(folder / "status.json")
    assert status["state"] == "interrupted"
    assert status["exit_code"] == 130
    facts = read_json(folder / "checkpoints" / "interrupted.json")
    assert facts["epoch"] >= 1
    assert (folder / "checkpoints" / "interrupted.weights.h5").stat().st_size > 1000
    assert len(weights(folder / "model.keras")) > 10
    assert not list(folder.rglob(".writing*"))


def test_an_interrupt_at_the_start_leaves_no_half_run(start):
    # Drawing this many faces takes far longer than the test waits.
    process, folder = start("data.drawn.train=200000", "data.drawn.size=64")
    time.sleep(3)
    process.send_signal(signal.SIGINT)
    try:
        _, told = process.communicate(timeout=8)
    except subprocess.TimeoutExpired:
        # It came while TensorFlow was being imported, which may swallow it. A user tries again.
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in told
    assert not folder.parent.exists()


def test_a_failure_before_the_first_step_is_recorded_in_the_status(recipe, tmp_path, monkeypatch):
    from eactf.training import run as module

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(module, "announce", fail)
    with pytest.raises(OSError, match="no space"):
        run(recipe(), tmp_path / "run")
    assert read_json(tmp_path / "run" / "status.json")["state"] == "failed"

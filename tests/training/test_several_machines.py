"""Several real processes over loopback train as one, and a run outlives any of them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from loopback import free_addresses
from several_workers import trained

from eactf.cluster import Cluster
from eactf.errors import DataError, UsageError

SCRIPT = Path(__file__).parents[1] / "several_workers.py"
ALL = (
    *("eac", "cross_entropy", "attention_consistency", "scn", "rul", "co_teaching"),
    *("two_networks", "dividemix", "ada_cm"),
)
SMALL = (
    "data.drawn.train=480",
    "data.drawn.validation=16",
    "data.drawn.test=9",
    "data.drawn.size=16",
    "model.width=4",
    "train.epochs=2",
    "method.name=cross_entropy",
    "train.batch_size=16",
    "report.last_epochs=1",
)


@pytest.fixture
def start(tmp_path):
    """Starts so many workers of the script with the same words; they work in `tmp_path`."""
    started = []

    def begin(count, *words):
        addresses = free_addresses(count)
        for index in range(count):
            # A collective operation waits in a thread; with a single one all would wait.
            own = {"TF_CONFIG": Cluster(addresses, index).tf_config()}
            own |= {"TF_NUM_INTEROP_THREADS": "2"}
            started.append(
                subprocess.Popen(
                    [sys.executable, str(SCRIPT), *words],
                    cwd=tmp_path,
                    env={**os.environ, **own},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
        return started[-count:]

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        for stream in (process.stdout, process.stderr):
            stream.close()
        process.wait()


@pytest.fixture(scope="module")
def one():
    """What one process makes of every method."""
    from eactf.training.workers import ALONE

    return trained(ALONE, ALL)


@pytest.mark.timeout(600)  # the graphs of every method, twice: minutes on a machine that is busy
@pytest.mark.parametrize("count, names", [(2, ALL), (3, ("scn",))])
def test_several_processes_train_and_judge_as_one(start, tmp_path, one, count, names):
    for process in start(count, "methods", "out.npz", *names):
        told = process.communicate(timeout=400)
        assert process.returncode == 0, told[1][-2000:]
    with np.load(tmp_path / "out.npz") as found:
        several = dict(found)
    assert set(several) == {key for key in one if key.partition("/")[0] in names}
    for key, array in several.items():
        if key.endswith("moved"):
            assert np.linalg.norm(array - one[key]) <= 1e-5 * np.linalg.norm(one[key]), key
            assert np.linalg.norm(array) > 0.01, key
        elif array.dtype.kind == "f":
            np.testing.assert_allclose(array, one[key], rtol=1e-4, atol=1e-5, err_msg=key)
        else:
            np.testing.assert_array_equal(array, one[key], err_msg=key)
    assert len(several["scn/ledger/epochs"]) > 0
    assert "co_teaching" not in names or several["co_teaching/selection"].any()


def test_of_a_run_whose_worker_is_killed_the_others_end_and_all_take_it_up(start, tmp_path):
    sets = [word for setting in SMALL for word in ("--set", setting)]
    run = tmp_path / "runs" / "quickstart"
    chief, other = start(2, "eactf", "train", "--recipe", "quickstart", *sets)
    first = run / "checkpoints" / "last.npz"
    end = time.monotonic() + 150
    while not first.exists() and time.monotonic() < end and chief.poll() is None:
        time.sleep(0.05)
    other.kill()
    killed = time.monotonic()
    out, err = chief.communicate(timeout=100)
    assert chief.returncode == 4, err[-2000:]
    assert time.monotonic() - killed < 60
    assert "worker 1 at 127.0.0.1" in err
    assert "is gone" in err
    assert "eactf train --resume runs/quickstart" in err
    assert " 1/2 " in out
    assert json.loads((run / "status.json").read_text())["state"] == "failed"
    assert other.communicate()[0] == ""

    chief, other = start(2, "eactf", "train", "--resume", "runs/quickstart")
    out, err = chief.communicate(timeout=200)
    assert (chief.returncode, err) == (0, "")
    assert other.communicate() == ("", "")
    assert other.returncode == 0
    assert "2 CPUs of 2 workers" in out
    assert json.loads((run / "status.json").read_text())["state"] == "finished"
    rows = [json.loads(line)["epoch"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert rows == [1, 2]
    assert " 2/2 " in (run / "worker-1.log").read_text()
    result = json.loads((run / "result.json").read_text())
    assert result["last_epoch"]["count"] == 9


def test_a_signal_to_one_worker_stops_all_after_the_same_step(start, tmp_path):
    sets = [word for setting in (*SMALL, "train.epochs=400") for word in ("--set", setting)]
    chief, other = start(2, "eactf", "train", "--recipe", "quickstart", *sets)
    first = tmp_path / "runs" / "quickstart" / "checkpoints" / "last.npz"
    end = time.monotonic() + 150
    while not first.exists() and time.monotonic() < end and chief.poll() is None:
        time.sleep(0.05)
    other.send_signal(signal.SIGTERM)
    told = [process.communicate(timeout=100)[1] for process in (chief, other)]
    assert (chief.returncode, other.returncode) == (143, 143)
    assert told[0] == told[1]
    assert "saved in runs/quickstart" in told[0]


def test_other_labels_or_another_recipe_are_refused_by_name():
    from eactf.training.workers import refuse_differences

    cluster = Cluster(("a:1", "b:1"), 0)
    card = {"training labels": "1", "images and splits": "2", "devices": "1 CPU", "seed": 0}
    refuse_differences(cluster, [card, dict(card)])
    with pytest.raises(DataError, match="worker 1 at b:1: other training labels"):
        refuse_differences(cluster, [card, {**card, "training labels": "3"}])
    with pytest.raises(UsageError, match="seed = 4, the chief has 0"):
        refuse_differences(cluster, [card, {**card, "seed": 4}])
    with pytest.raises(UsageError, match="devices = 2 GPUs, the chief has 1 CPU") as caught:
        refuse_differences(cluster, [card, {**card, "devices": "2 GPUs"}])
    assert "train.devices" in str(caught.value)


def test_the_tasks_of_a_slurm_step_are_the_workers(monkeypatch):
    from eactf.training.slurm import slurm_cluster

    step = {
        "SLURM_STEP_NUM_TASKS": "3",
        "SLURM_STEP_NODELIST": "node[07-08],big1",
        "SLURM_STEP_TASKS_PER_NODE": "1(x3)",
        "SLURM_JOB_ID": "5",
        "SLURM_PROCID": "2",
    }
    for name, value in step.items():
        monkeypatch.setenv(name, value)
    cluster = slurm_cluster()
    assert cluster == Cluster(("node07:20320", "node08:20320", "big1:20320"), 2)
    monkeypatch.delenv("SLURM_STEP_NODELIST")
    with pytest.raises(UsageError, match="STEP_NODELIST"):
        slurm_cluster()

"""Who takes part in a run, by what the environment says."""

from __future__ import annotations

import json

import pytest

from eactf.cluster import Cluster, cluster_of, is_in_cluster
from eactf.errors import UsageError


def environment(cluster, role="worker", index=0):
    config = {"cluster": cluster, "task": {"type": role, "index": index}}
    return {"TF_CONFIG": json.dumps(config)}


def test_without_variables_there_is_no_cluster():
    assert cluster_of({}) is None
    assert not is_in_cluster({})


def test_one_worker_alone_is_no_cluster():
    assert cluster_of(environment({"worker": ["a:1"]})) is None


def test_a_chief_comes_before_the_workers():
    cluster = cluster_of(environment({"worker": ["b:1", "c:1"], "chief": ["a:1"]}, index=1))
    assert cluster == Cluster(("a:1", "b:1", "c:1"), 2)
    assert not cluster.leads
    assert cluster.named(0) == "worker 0, the chief, at a:1"


def test_what_a_cluster_writes_it_reads():
    cluster = Cluster(("a:1", "[::1]:2"), 1)
    assert cluster_of({"TF_CONFIG": cluster.tf_config()}) == cluster


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "no JSON"),
        ("[]", "no object"),
        ('{"cluster": []  , "task": 3}', "must be objects"),
        (environment({"worker": ["a:1", "b"]})["TF_CONFIG"], "host:port"),
        (environment({"worker": ["a:1", "b:1"], "ps": ["c:1"]})["TF_CONFIG"], "roles ps"),
        (environment({"worker": ["a:1", "b:1"]}, index=2)["TF_CONFIG"], "none of the cluster's"),
        (environment({"worker": ["a:1", "b:1"]}, "chief")["TF_CONFIG"], "none of the cluster's"),
    ],
)
def test_a_text_of_another_form_is_refused_with_an_example(text, message):
    with pytest.raises(UsageError, match=message) as caught:
        cluster_of({"TF_CONFIG": text})
    assert "expected: {" in str(caught.value)


def test_a_step_of_slurm_with_several_tasks_is_a_cluster_and_a_batch_script_is_none():
    assert is_in_cluster({"SLURM_STEP_NUM_TASKS": "2"})
    assert not is_in_cluster({"SLURM_STEP_NUM_TASKS": "1"})
    assert not is_in_cluster({"SLURM_NTASKS": "2", "SLURM_PROCID": "0"})

"""The workers of a run under Slurm: the tasks of a step that `srun` starts."""

from __future__ import annotations

import os

import tensorflow as tf

from eactf.cluster import Cluster
from eactf.errors import UsageError
from eactf.foreign import reason_of

__all__ = ["slurm_cluster"]

_FIRST_PORT = 20_000
_PORTS = 10_000


def slurm_cluster() -> Cluster:
    """The cluster of the Slurm step that this process belongs to; the port comes from the job.

    Which GPUs a task sees is left to Slurm: TensorFlow's resolver would count them with a program
    that a machine without GPUs does not have. Raises `UsageError` where Slurm does not say enough.
    """
    job = os.environ.get("SLURM_JOB_ID", "0")
    port = _FIRST_PORT + (int(job) if job.isdecimal() else 0) % (_PORTS // 64) * 64
    try:
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            port_base=port, gpus_per_node=64, gpus_per_task=1, auto_set_gpu=False
        )
        # Not its cluster_spec(): that sorts the machines by name, while Slurm numbers its tasks in
        # the order of its own list.
        tasks = resolver._task_configuration.items()
        addresses = tuple(f"{host}:{port + n}" for host, count in tasks for n in range(count))
        return Cluster(addresses, int(os.environ["SLURM_PROCID"]))
    except (RuntimeError, ValueError, KeyError) as reason:
        raise UsageError(
            f"Slurm's variables do not describe the workers: {reason_of(reason)}",
            hint="start the workers with srun, one task a machine, or set TF_CONFIG",
        ) from reason

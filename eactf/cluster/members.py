"""Who takes part in a run on several machines: the addresses of its workers, and which one we are.

The environment says it: `TF_CONFIG` as TensorFlow documents it, or Slurm's variables of a step.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eactf.errors import UsageError
from eactf.foreign import reason_of

__all__ = ["Cluster", "cluster_of", "is_in_cluster", "is_slurm_step"]

_ROLES = ("chief", "worker")
_EXAMPLE = (
    '{"cluster": {"worker": ["first:20000", "second:20000"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


@dataclass(frozen=True)
class Cluster:
    """The workers of a run, `host:port` each, and the number of this process among them, from 0.

    Worker 0 is the chief: it alone writes, prints and judges.
    """

    addresses: tuple[str, ...]
    index: int

    @property
    def leads(self) -> bool:
        """Whether this process is the chief."""
        return self.index == 0

    def named(self, index: int) -> str:
        """A worker in words, with its address."""
        chief = ", the chief," if index == 0 else ""
        return f"worker {index}{chief} at {self.addresses[index]}"

    def tf_config(self) -> str:
        """The value of `TF_CONFIG` that describes this process."""
        task = {"type": "worker", "index": self.index}
        return json.dumps({"cluster": {"worker": list(self.addresses)}, "task": task})


def is_in_cluster(environment: Mapping[str, str]) -> bool:
    """Whether this process was started as one of several workers.

    >>> is_in_cluster({}), is_in_cluster({"SLURM_STEP_NUM_TASKS": "2"})
    (False, True)
    """
    return is_slurm_step(environment) or cluster_of(environment) is not None


def is_slurm_step(environment: Mapping[str, str]) -> bool:
    """Whether `srun` started this process as one of several, and no `TF_CONFIG` says otherwise."""
    tasks = environment.get("SLURM_STEP_NUM_TASKS", "")
    return not environment.get("TF_CONFIG") and tasks.isdecimal() and int(tasks) > 1


def cluster_of(environment: Mapping[str, str]) -> Cluster | None:
    """The cluster that `TF_CONFIG` describes; None where it is not set or names one worker alone.

    Raises `UsageError` for a text that is not of the documented form.

    >>> cluster_of({"TF_CONFIG": '''{"cluster": {"chief": ["a:1"], "worker": ["b:1"]},
    ...                              "task": {"type": "worker", "index": 0}}'''})
    Cluster(addresses=('a:1', 'b:1'), index=1)
    """
    text = environment.get("TF_CONFIG", "").strip()
    if not text:
        return None
    try:
        config = json.loads(text)
    except ValueError as reason:
        raise _refused(f"it is no JSON ({reason_of(reason)})") from None
    if not isinstance(config, dict):
        raise _refused("it is no object of JSON")
    jobs, task = config.get("cluster") or {}, config.get("task") or {}
    if not isinstance(jobs, dict) or not isinstance(task, dict):
        raise _refused("cluster and task must be objects")
    addresses = tuple(address for role in _ROLES for address in _addresses(jobs, role))
    if len(addresses) < 2:
        return None
    return Cluster(addresses, _index(jobs, task))


def _addresses(jobs: Mapping[str, Any], role: str) -> list[str]:
    others = sorted(set(jobs) - set(_ROLES) - {"evaluator"})
    if others:
        raise _refused(f"eactf has no use for the roles {', '.join(others)}")
    found = jobs.get(role, [])
    if not isinstance(found, list) or not all(_is_address(entry) for entry in found):
        raise _refused(f"the addresses of {role} must be a list of host:port; received {found!r}")
    return found


def _is_address(entry: object) -> bool:
    return isinstance(entry, str) and entry.rpartition(":")[2].isdecimal() and ":" in entry[1:]


def _index(jobs: Mapping[str, Any], task: Mapping[str, Any]) -> int:
    role, index = task.get("type"), task.get("index")
    count = len(jobs.get(role, [])) if role in _ROLES else 0
    if not isinstance(index, int) or not 0 <= index < count:
        raise _refused(f"the task {role!r} {index!r} is none of the cluster's")
    return index + (len(jobs.get("chief", [])) if role == "worker" else 0)


def _refused(reason: str) -> UsageError:
    return UsageError(
        f"TF_CONFIG cannot be used: {reason}",
        hint=f"expected: {_EXAMPLE}\n  or unset it to train on this machine alone",
    )

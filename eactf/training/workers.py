"""What the workers of a run tell each other while it goes on, and how one learns that another died.

All workers take the same way through a run, collective operation by collective operation: whatever
one of them alone knows, a signal, a loss that is no number, the name of the run's folder, it tells
the others here. On one machine there is one worker, and nothing here costs anything.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from eactf import __version__, console
from eactf.cluster import Cluster, cluster_of
from eactf.cluster.meeting import meet
from eactf.cluster.members import is_slurm_step
from eactf.data.pipeline import Share
from eactf.data.prepare import PreparedData
from eactf.data.run_record import record_of
from eactf.errors import DataError, TrainingError, UsageError
from eactf.foreign import reason_of
from eactf.quiet import held_back
from eactf.recipe import Recipe
from eactf.training.beginnings import PATHS, plain_values
from eactf.training.folder import ChiefsFolder
from eactf.training.slurm import slurm_cluster
from eactf.wording import counted

__all__ = [
    "ALONE",
    "WorkerGoneError",
    "Workers",
    "chiefs_folder",
    "connect",
    "join",
    "refuse_differences",
    "taking_part",
]

_OWN = (*PATHS, "train.devices", "train.stop_after")
"""Keys that may differ between workers: where files lie, and what is told otherwise."""

_CHUNK = 1 << 23
_DATA = ("images and splits", "training labels")


class WorkerGoneError(TrainingError):
    """Another worker of the run ended; once all are started again, the run can be gone on with."""


@dataclass(frozen=True)
class Workers:
    """The workers of a run, as one of them sees them; `cluster` is None for a run on one machine.

    Every method but `leads` is called by all workers or by none, in the same order.
    """

    cluster: Cluster | None = None
    strategy: Any = None
    _sum: Callable[[Any], Any] = field(default=lambda vector: vector, repr=False)

    @property
    def leads(self) -> bool:
        """Whether this worker writes, prints and judges."""
        return self.cluster is None or self.cluster.leads

    @property
    def count(self) -> int:
        """How many there are."""
        return 1 if self.cluster is None else len(self.cluster.addresses)

    def agree(self, number: int) -> int:
        """The largest `number` that any worker gave, 0 up to 2**24."""
        if self.cluster is None:
            return number
        own = np.zeros(self.count, np.float32)
        own[self.cluster.index] = number
        return int(np.max(self._sum(tf.constant(own)).numpy()))

    def told(self, content: bytes) -> bytes:
        """What the chief gave as `content`, whatever the others did."""
        if self.cluster is None:
            return content
        halves = np.frombuffer(content + b"\0" * (len(content) % 2), np.uint16)
        size = self.agree(len(content) >> 20 if self.leads else 0) << 20
        size += self.agree(len(content) & 0xFFFFF if self.leads else 0)
        # 16 bits a float32, which holds them exactly: adding noughts leaves them as they are.
        received = np.zeros(-(-size // 2), np.uint16)
        for start in range(0, len(received), _CHUNK):
            part = halves if self.leads else received
            part = part[start : start + _CHUNK].astype(np.float32)
            received[start : start + _CHUNK] = self._sum(tf.constant(part)).numpy()
        return received.tobytes()[:size]

    def told_arrays(self, arrays: Mapping[str, np.ndarray] | None) -> dict[str, np.ndarray]:
        """The chief's `arrays`, whatever the others gave."""
        if self.cluster is None:
            return dict(arrays or {})
        packed = io.BytesIO()
        if self.leads:
            named: dict[str, Any] = dict(arrays or {})
            np.savez(packed, **named)
        with np.load(io.BytesIO(self.told(packed.getvalue())), allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}

    def shared(
        self, batches: Callable[[Share | None], tf.data.Dataset], *, in_turn: bool = False
    ) -> Any:
        """The batches of a data set, of which each worker reads its share.

        A worker's devices get neighbouring parts, as the method takes them to; with `in_turn` the
        first device of every worker comes before the second of any, as Keras puts predictions
        together.
        """
        if self.cluster is None:
            return batches(None)
        local, of = len(self.strategy.extended.worker_devices), self.strategy.num_replicas_in_sync
        index, count = self.cluster.index, self.count
        parts = range(index, of, count) if in_turn else range(index * local, (index + 1) * local)
        share = Share(tuple(parts), of)
        return self.strategy.distribute_datasets_from_function(lambda context: batches(share))

    def part(self) -> None:
        """Wait for all at the end of a run; whoever has gone by then has done its part."""
        with suppress(tf.errors.OpError):
            self.agree(0)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Tell of a worker that is gone as the run's end: `TrainingError` that names it."""
        try:
            yield
        except tf.errors.OpError as failure:
            if self.cluster is None:
                raise
            raise WorkerGoneError(
                f"{_who_is_gone(self.cluster, failure)}, and this worker cannot go on alone",
                hint="its own log says why; all workers have to be started again",
            ) from failure


ALONE = Workers()
"""A run on one machine."""


@contextmanager
def taking_part() -> Iterator[Cluster | None]:
    """The cluster that the environment describes, None for a run on one machine; a context.

    Every worker but the chief writes what it has to say to a log of its own meanwhile:
    `chiefs_folder` opens it, and up to then it is kept.
    """
    cluster = _cluster_here()
    if cluster is None or cluster.leads:
        yield cluster
        return
    log = _Log()
    console.log_to(log)
    try:
        yield cluster
    finally:
        log.flush()
        if sys.exc_info()[0] is None:
            console.log_to(None)  # a failure is told in the log as well


def join(
    cluster: Cluster | None, recipe: Recipe, data: PreparedData, *, stands: str = "a new run"
) -> Workers:
    """Meet the other workers, and start TensorFlow's strategy over all of them.

    `stands` says where the run is. Raises `DataError` where a worker has other images or labels,
    `UsageError` where it has another recipe, version, number of devices or place in the run: the
    same on all workers. It must be called before TensorFlow computes anything in this process.
    """
    if cluster is None:
        return ALONE
    devices = _own_devices(recipe.train.devices)
    card = {
        "training labels": data.manifest.sha256,
        "images and splits": hashlib.sha256(record_of(data).csv_bytes()).hexdigest(),
        "weights": _digest(recipe.model.weights),
        "versions": f"eactf {__version__}, TensorFlow {tf.__version__}, Keras {keras.__version__}",
        "devices": devices,
        "the run": stands,
        **{key: value for key, value in plain_values(recipe).items() if key not in _OWN},
    }
    refuse_differences(cluster, meet(cluster, card))
    return connect(cluster)


def connect(cluster: Cluster) -> Workers:
    """Start TensorFlow's strategy over all workers of a cluster."""
    strategy = _started(cluster)
    return Workers(cluster, strategy, _summing(strategy))


def chiefs_folder(workers: Workers, path: Path) -> ChiefsFolder:
    """The run's folder as a worker has it that is not the chief; its log goes there.

    Where the folder is not to be seen from here, the log goes to the folder that we work in.
    """
    log, index = console.logs_to(), 0 if workers.cluster is None else workers.cluster.index
    if isinstance(log, _Log):
        log.open((path if path.is_dir() else Path()) / f"worker-{index}.log")
    return ChiefsFolder(path)


def refuse_differences(cluster: Cluster, cards: list[Mapping[str, Any]]) -> None:
    """Raise `DataError` or `UsageError` that names what a worker has otherwise than the chief."""
    found, kinds = [], set()
    for index, card in enumerate(cards):
        names = [name for name in {**cards[0], **card} if card.get(name) != cards[0].get(name)]
        kinds |= set(names)
        for name in names:
            own, chief = card.get(name), cards[0].get(name)
            told = f"{name} = {own}, the chief has {chief}"
            if name in (*_DATA, "weights"):
                told = f"other {name} than the chief's"
            found.append(f"{cluster.named(index)}: {told}")
    if not found:
        return
    of_data = kinds <= set(_DATA)
    raise (DataError if of_data else UsageError)(
        "the workers would not train the same run:\n  " + "\n  ".join(found),
        hint="give all workers the same data" + " and command" * (not of_data)
        if not kinds <= {"devices"}
        else "a step is as long as its slowest worker's: give all the same number of devices, or "
        "set train.devices to the smallest",
    )


class _Log(io.StringIO):
    """Keeps what is said until it has a file, and writes it there from then on."""

    def __init__(self) -> None:
        super().__init__()
        self._path: Path | None = None

    def open(self, path: Path) -> None:
        """Write what was kept to `path`, and all that follows."""
        self._path = path
        self.flush()

    def write(self, text: str) -> int:
        """Keep `text`, in the file where there is one."""
        written = super().write(text)
        self.flush()
        return written

    def flush(self) -> None:
        """Bring what is new into the file; a log that cannot be written stops no run."""
        text = self.getvalue()
        if self._path is None or not text:
            return
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError:
            return
        self.seek(0)
        self.truncate()


def _cluster_here() -> Cluster | None:
    return slurm_cluster() if is_slurm_step(os.environ) else cluster_of(os.environ)


def _own_devices(wanted: int | None) -> str:
    """The devices that this worker brings, in words; those beyond `train.devices` are hidden."""
    gpus = tf.config.list_physical_devices("GPU")
    if wanted is not None and wanted > max(len(gpus), 1):
        kind = "GPU" if gpus else "CPU device"
        raise UsageError(
            f"train.devices = {wanted}, but there is {counted(max(len(gpus), 1), kind)} in this "
            "worker",
            hint="on several machines train.devices is the number of GPUs of each",
        )
    if not gpus:
        return "1 CPU"
    if wanted is not None:
        tf.config.set_visible_devices(gpus[:wanted], "GPU")
    return counted(len(gpus[:wanted]), "GPU")


def _started(cluster: Cluster) -> Any:
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.addresses)}),
        task_type="worker",
        task_id=cluster.index,
        rpc_layer="grpc",
    )
    try:
        with held_back():
            return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except (RuntimeError, tf.errors.OpError) as reason:
        raise UsageError(
            f"the workers cannot be connected: {reason_of(reason)}",
            hint="in Python, train before TensorFlow has computed anything; else see that the "
            "ports in TF_CONFIG are free",
        ) from reason


def _summing(strategy: Any) -> Callable[[Any], Any]:
    """A function that adds up a float32 vector over all workers, each counted once."""
    local = len(strategy.extended.worker_devices)

    def add(vector: Any) -> Any:
        context = tf.distribute.get_replica_context()
        first = tf.equal(context.replica_id_in_sync_group % local, 0)
        return context.all_reduce("sum", tf.where(first, vector, tf.zeros_like(vector)))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def everywhere(vector: Any) -> Any:
        return strategy.experimental_local_results(strategy.run(add, args=(vector,)))[0]

    return everywhere  # type: ignore[no-any-return]


def _digest(path: Any) -> str:
    if path is None:
        return "none"
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _who_is_gone(cluster: Cluster, failure: Any) -> str:
    """Who does not answer any more, in words."""
    message = failure.message  # as TensorFlow has it; only looked at
    for index in range(len(cluster.addresses)):
        if f"/task:{index}" in message and index != cluster.index:
            return f"{cluster.named(index)} is gone"
    return "another worker is gone"

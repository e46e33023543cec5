"""One framework a process, kept alive and told over a pipe when to work."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

__all__ = ["MALLOC_TUNED", "NETWORKS", "Case", "Frame", "Network", "Reading", "Settings", "Worker"]

MALLOC_TUNED = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(16 * 2**30),
    "MALLOC_TOP_PAD_": str(256 * 2**20),
}
"""glibc told to keep what it has been given: page faults then end after the first steps."""


@dataclass(frozen=True)
class Network:
    """A residual network of basic blocks: how many a stage, channels of the first, its stem."""

    backbone: str
    blocks: int
    width: int
    stem: str


NETWORKS = {
    "resnet18": Network("resnet18", 2, 64, "imagenet"),
    "quickstart": Network("resnet10", 1, 16, "small"),
}
"""ResNet-18 as the paper trains it, and the network of the quickstart recipe."""


@dataclass(frozen=True, order=True)
class Case:
    """One kind of step: `eac` or `cross-entropy`, in `float32` or `bfloat16`.

    eactf also takes `eac of 0.5`: `consistency_share`.
    """

    method: str
    precision: str


@dataclass(frozen=True)
class Settings:
    """What every framework is given alike. `pixels` is the dtype of the images in memory."""

    size: int
    batch: int
    channels: int
    classes: int
    threads: int
    pixels: str
    cases: tuple[Case, ...]
    network: str = "resnet18"
    fused_adam: bool = False


@dataclass(frozen=True)
class Reading:
    """One step: seconds by the wall, seconds of CPU, page faults, the loss, and the seconds of
    CPU that the process spent since its last step, when it should have been asleep."""

    seconds: float
    cpu: float
    faults: int
    loss: float
    idle_cpu: float


class Frame(Protocol):
    """What a framework's module gives as `Framework(settings)`."""

    def step(self, case: Case) -> float:
        """Take one training step and return its loss."""

    def calibrate(self) -> float:
        """GFLOP/s of one large float32 matrix product."""

    def describe(self) -> dict[str, Any]:
        """Versions, threads and the number of parameters."""


class Worker:
    """A process that holds `Framework` of one module and takes single steps on request."""

    def __init__(self, module: str, settings: Settings, environment: Mapping[str, str]) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, module, settings), daemon=True)
        before = dict(os.environ)
        os.environ.update(environment)  # glibc and OpenMP read it when the process starts
        try:
            self._process.start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        theirs.close()
        self.about: dict[str, Any] = self._receive()

    def step(self, case: Case) -> Reading:
        return self._ask("step", case)

    def calibrate(self) -> float:
        return self._ask("calibrate")

    def close(self) -> None:
        self._pipe.close()
        self._process.join(timeout=10)
        if self._process.is_alive():
            self._process.terminate()

    def _ask(self, *request: Any) -> Any:
        self._pipe.send(request)
        return self._receive()

    def _receive(self) -> Any:
        try:
            answer = self._pipe.recv()
        except EOFError:
            self._process.join(timeout=10)
            code = self._process.exitcode
            raise SystemExit(f"a benchmark process ended by itself (exit code {code})") from None
        if isinstance(answer, BaseException):
            raise answer
        return answer


def _serve(pipe: Connection, module: str, settings: Settings) -> None:
    try:
        framework: Frame = importlib.import_module(module).Framework(settings)
        pipe.send(framework.describe())
        last = time.process_time()
        while True:
            kind, *arguments = pipe.recv()
            if kind == "calibrate":
                pipe.send(framework.calibrate())
            else:
                reading = _timed(framework, arguments[0], time.process_time() - last)
                pipe.send(reading)
            last = time.process_time()
    except (EOFError, KeyboardInterrupt):
        return
    except Exception:
        pipe.send(RuntimeError(f"in {module}:\n{traceback.format_exc()}"))


def _timed(framework: Frame, case: Case, idle_cpu: float) -> Reading:
    faults, cpu, start = _page_faults(), time.process_time(), time.perf_counter()
    loss = framework.step(case)
    return Reading(
        seconds=time.perf_counter() - start,
        cpu=time.process_time() - cpu,
        faults=_page_faults() - faults,
        loss=loss,
        idle_cpu=idle_cpu,
    )


def _page_faults() -> int:
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

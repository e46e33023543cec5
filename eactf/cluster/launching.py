"""`launch` starts the workers of a run on this machine, to try out what several machines do."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

from eactf import console
from eactf.cluster.members import Cluster
from eactf.errors import UsageError
from eactf.wording import counted

__all__ = ["launch"]

_GRACE = 30.0
"""Seconds that the others have to end by themselves once one has failed."""

_LAST_GRACE = 10.0


def launch(workers: int, arguments: Sequence[str]) -> int:
    """Run `eactf ARGUMENTS` as so many workers and give the exit code of the first that failed.

    Signals are passed on to all of them. GPUs are shared out evenly. Raises `UsageError` for fewer
    GPUs than workers.
    """
    ports = _free_ports(workers)
    addresses = tuple(f"127.0.0.1:{port}" for port in ports)
    visible = _shared_gpus(workers)
    started: list[subprocess.Popen[bytes]] = []
    with _Passing(started):
        try:
            for index in range(workers):
                own = {"TF_CONFIG": Cluster(addresses, index).tf_config(), **visible[index]}
                started.append(_start(arguments, own))
            return _wait(started)
        finally:
            _end(started)


class _Passing:
    """Passes signals on to the workers, which are no part of the terminal's group; a context."""

    def __init__(self, workers: Sequence[subprocess.Popen[bytes]]) -> None:
        self._workers = workers
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._pass)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)

    def _pass(self, number: int, frame: FrameType | None) -> None:
        for worker in self._workers:
            if worker.poll() is None:
                worker.send_signal(number)


def _start(arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "eactf", *arguments],
        env={**os.environ, **environment},
        start_new_session=True,  # Ctrl-C reaches the workers once, through us
    )


def _wait(workers: Sequence[subprocess.Popen[bytes]]) -> int:
    """Wait for all; the exit code of the first that failed, 0 where none did."""
    code, end = 0, float("inf")
    while any(worker.poll() is None for worker in workers) and time.monotonic() < end:
        time.sleep(0.1)
        failed = [worker.returncode for worker in workers if worker.poll()]
        if failed and not code:
            code, end = failed[0], time.monotonic() + _GRACE
            if code < 0:
                index = next(n for n, worker in enumerate(workers) if worker.returncode == code)
                console.warn(f"worker {index} was ended by {signal.Signals(-code).name}")
    failed = [worker.returncode for worker in workers if worker.returncode]
    return max(failed) if code < 0 and max(failed) > 0 else abs(code)


def _end(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    """End what is still there: it waits for somebody who does not come."""
    for worker in workers:
        if worker.poll() is None:
            worker.terminate()
    end = time.monotonic() + _LAST_GRACE
    for worker in workers:
        try:
            worker.wait(max(end - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens at now; all are held until all are found."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in held]
    for listener in held:
        listener.close()
    return ports


def _shared_gpus(workers: int) -> list[dict[str, str]]:
    """What each worker's environment says of GPUs; nothing where there are none."""
    gpus = _gpus()
    if not gpus:
        return [{}] * workers
    each = len(gpus) // workers
    if each == 0:
        raise UsageError(
            f"{counted(workers, 'worker')} cannot share {counted(len(gpus), 'GPU')}",
            hint="launch no more workers than GPUs, or try it on the CPU: CUDA_VISIBLE_DEVICES=-1",
        )
    shares = [gpus[index * each : (index + 1) * each] for index in range(workers)]
    return [{"CUDA_VISIBLE_DEVICES": ",".join(share)} for share in shares]


def _gpus() -> list[str]:
    """The GPUs that CUDA would show to a process, as `CUDA_VISIBLE_DEVICES` names them."""
    program, shown = shutil.which("nvidia-smi"), os.environ.get("CUDA_VISIBLE_DEVICES")
    if shown is not None:
        return [name for name in shown.split(",") if name.strip() not in ("", "-1")]
    if program is None:
        return []
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = listed.stdout.splitlines() if listed.returncode == 0 else []
    return [str(n) for n in range(sum(line.startswith("GPU ") for line in lines))]

"""A run's folder belongs to one process at a time: the lock of a run dies with its process.

The system's own lock does the work where the file system has locks, shared ones included; it is let
go however the process ends. Where there are none, a sign of life is written every few seconds, and
a run without one for some minutes counts as dead.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from eactf.errors import UsageError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["RunLock", "holder_of"]

NAME = "run.lock"

_BEAT = 20.0
_DEAD_AFTER = 300.0
_TRIES = 3
_HELD = (errno.EWOULDBLOCK, errno.EACCES, errno.EAGAIN)


class RunLock:
    """Holds a run's folder; a context. `UsageError` where another process holds it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self._descriptor: int | None = None
        self._gone = threading.Event()
        self._signs = threading.Thread(target=self._beat, name="sign of life", daemon=True)

    def __enter__(self) -> RunLock:
        holder = self._take()
        for _ in range(_TRIES):
            if holder is None:
                break
            time.sleep(0.05)  # it may have been somebody who only looked whether it is held
            holder = self._take()
        if holder is not None:
            raise UsageError(
                f"{self.path.parent} is still running: {holder} works on it",
                hint="wait for its end, or stop it",
            )
        self._write()
        self._signs.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._gone.set()
        self._signs.join()  # or it might write to a file that has got the same descriptor since
        if self._descriptor is not None:
            self.path.unlink(missing_ok=True)
            os.close(self._descriptor)  # and with it the system's lock
            self._descriptor = None

    def _take(self) -> str | None:
        """Take the lock, or say who has it."""
        holder = holder_of(self.path.parent)
        if holder is not None:
            return holder
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _lock(descriptor, self.path):
            os.close(descriptor)
            return "another process"
        self._descriptor = descriptor
        return None

    def _beat(self) -> None:
        while not self._gone.wait(_BEAT):
            try:
                self._write()
            except OSError:
                continue  # a full disk: the system's lock still says that we live

    def _write(self) -> None:
        assert self._descriptor is not None
        about = {"host": socket.gethostname(), "pid": os.getpid(), "alive": time.time()}
        content = json.dumps(about).encode().ljust(200) + b"\n"
        os.pwrite(self._descriptor, content, 0)


def holder_of(folder: Path) -> str | None:
    """Who holds a run's folder, as `process 123 on host`; None where nobody lives that does."""
    path = folder / NAME
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    except OSError:
        return "a process of somebody else"
    try:
        about = _about(descriptor)
        told = f"process {about.get('pid', '?')} on {about.get('host', 'an unknown machine')}"
        free = _try_lock(descriptor)
        if free is None:  # no locks here: go by the sign of life
            free = time.time() - float(about.get("alive", 0.0)) > _DEAD_AFTER
        return None if free else told
    finally:
        os.close(descriptor)


def _about(descriptor: int) -> dict[str, Any]:
    try:
        found = json.loads(os.pread(descriptor, 4096, 0) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _lock(descriptor: int, path: Path) -> bool:
    """Take the lock for good; False where somebody has it, or the file is another by now."""
    if _try_lock(descriptor) is False:
        return False
    # Between opening and locking the file may have been removed by the one who held it.
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _try_lock(descriptor: int) -> bool | None:
    """Whether the lock could be taken; None where the file system has none."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        return False if fault.errno in _HELD else None
    return True

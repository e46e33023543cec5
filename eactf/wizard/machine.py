"""This module finds out, without TensorFlow, what the machine has to train with."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from eactf.intake.parallel import usable_cores
from eactf.kernels import cpu_features
from eactf.wording import counted

__all__ = ["Gpu", "Machine", "look_at_machine", "read_gpus", "read_memory"]

_BFLOAT16_FLAGS = ("amx_bf16", "avx512_bf16")
_NVIDIA_SMI_SECONDS = 10


@dataclass(frozen=True)
class Gpu:
    """A GPU: its name, compute capability (8.0 and up have bfloat16) and memory."""

    name: str
    capability: float
    memory_bytes: int


@dataclass(frozen=True)
class Machine:
    """Cores this process may use, free memory, GPUs, and the CPU flag that speeds bfloat16 up."""

    cores: int
    memory_bytes: int
    gpus: tuple[Gpu, ...] = ()
    bfloat16: str = ""

    @property
    def described(self) -> str:
        """The devices that train, in a few words."""
        if not self.gpus:
            return counted(self.cores, "CPU core")
        count = f"{len(self.gpus)} x " if len(self.gpus) > 1 else ""
        return f"{count}{self.gpus[0].name}"


def look_at_machine() -> Machine:
    """This machine; what cannot be found out counts as not there."""
    features = cpu_features()
    return Machine(
        cores=usable_cores(),
        memory_bytes=read_memory(_text("/proc/meminfo")),
        gpus=read_gpus(_nvidia_smi()),
        bfloat16=next((flag for flag in _BFLOAT16_FLAGS if flag in features), ""),
    )


def read_memory(meminfo: str) -> int:
    """Bytes available by the text of `/proc/meminfo`; 0 where it does not say.

    >>> read_memory("MemTotal: 9 kB\\nMemAvailable:    4 kB\\n")
    4096
    """
    for line in meminfo.splitlines():
        key, _, value = line.partition(":")
        if key == "MemAvailable" and value.split()[:1] and value.split()[0].isdecimal():
            return int(value.split()[0]) * 1024
    return 0


def read_gpus(listing: str) -> tuple[Gpu, ...]:
    """GPUs by nvidia-smi's CSV of name, compute_cap and memory.total (in MiB, without units).

    >>> read_gpus("NVIDIA A100, 8.0, 40960\\n")[0].capability
    8.0
    """
    gpus = []
    for line in listing.splitlines():
        cells = [cell.strip() for cell in line.rsplit(",", 2)]
        try:
            gpus.append(Gpu(cells[0], float(cells[1]), int(float(cells[2])) * 2**20))
        except (IndexError, ValueError):
            continue  # "[N/A]", or a message in place of a row
    return tuple(gpus)


def _nvidia_smi() -> str:
    program = shutil.which("nvidia-smi")
    # An empty or negative list hides every GPU from CUDA, though nvidia-smi still shows them.
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1")
    if program is None or hidden:
        return ""
    query = ["--query-gpu=name,compute_cap,memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(
            [program, *query], capture_output=True, text=True, timeout=_NVIDIA_SMI_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""

"""Time a training step of eactf beside the same step in PyTorch, both on the CPU.

    python benchmarks/train_step.py                  # 64 px batch 128 and 224 px batch 16
    python benchmarks/train_step.py --size 64 --batch 128 --rounds 20 --json steps.json
    python benchmarks/train_step.py --network quickstart --precision float32

What the columns mean stands in benchmarks/README.md. Run it on a machine with nothing else to do.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import random
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from step_report import METHODS, PRECISIONS, Run, as_json, report
from workers import MALLOC_TUNED, NETWORKS, Case, Settings, Worker

from eactf.intake.parallel import usable_cores
from eactf.kernels import cpu_features

STANDARD_SHAPES = {"resnet18": ((64, 128), (224, 16)), "quickstart": ((40, 32),)}
WITHOUT_AVX512 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
"""Keeps oneDNN, in both frameworks, and PyTorch's own kernels from AVX-512. Matrix products of
PyTorch's BLAS and of Eigen are not held back: the calibration is the machine's own."""

SETTLE_SECONDS = 0.05
"""Pause before each step: thread pools spin for a few milliseconds after their last work."""


@click.command()
@click.option("--size", type=click.IntRange(32), help="Side of the images; 64 and 224 by default.")
@click.option("--batch", type=click.IntRange(2), help="Images a step; 128 below 128 px, else 16.")
@click.option("--channels", type=click.Choice(["1", "3"]), help="3 for resnet18, else 1.")
@click.option("--network", type=click.Choice(list(NETWORKS)), default="resnet18", show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=15, show_default=True)
@click.option("--warmup", type=click.IntRange(1), default=3, show_default=True)
@click.option("--precision", type=click.Choice([*PRECISIONS, "both"]), default="both")
@click.option("--only", type=click.Choice(METHODS), help="One method instead of both.")
@click.option("--input", "pixels", type=click.Choice(["uint8", "float32"]), default="uint8")
@click.option("--threads", type=click.IntRange(1), help="Of each framework; all cores by default.")
@click.option("--avx2", is_flag=True, help="Let neither side use AVX-512, where the CPU has it.")
@click.option("--no-torch", is_flag=True, help="Time eactf alone.")
@click.option(
    "--torch-fused-adam", is_flag=True, help="Give torch its fused Adam, not its default."
)
@click.option("--malloc-tuned", is_flag=True, help="Tell glibc to keep memory, for both sides.")
@click.option("--passive-wait", is_flag=True, help="OMP_WAIT_POLICY=PASSIVE: OpenMP never spins.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path))
def main(
    size: int | None,
    batch: int | None,
    channels: str | None,
    network: str,
    rounds: int,
    warmup: int,
    precision: str,
    only: str | None,
    pixels: str,
    threads: int | None,
    avx2: bool,
    no_torch: bool,
    torch_fused_adam: bool,
    malloc_tuned: bool,
    passive_wait: bool,
    json_path: Path | None,
) -> None:
    """Seconds of a training step of eactf and of PyTorch, stepped in turn."""
    with_torch = not no_torch
    if with_torch and importlib.util.find_spec("torch") is None:
        raise click.UsageError(
            "PyTorch is not installed. Install the peer with: pip install -e '.[bench]', or pass "
            "--no-torch."
        )
    threads = threads or usable_cores()
    precisions = PRECISIONS if precision == "both" else (precision,)
    cases = tuple(Case(m, p) for p in precisions for m in ([only] if only else METHODS))
    environment = worker_environment(threads, malloc_tuned, passive_wait)
    environment |= WITHOUT_AVX512 if avx2 else {}
    click.echo(f"{processor()}, {threads} threads; {environment}")
    planes = int(channels) if channels else (3 if network == "resnet18" else 1)
    runs = []
    for side, count in shapes(network, size, batch):
        settings = Settings(
            side, count, planes, 7, threads, pixels, cases, network, fused_adam=torch_fused_adam
        )
        run = measure(settings, environment, with_torch, rounds, warmup)
        report(run, cases, "AVX2" if avx2 else instructions())
        runs.append(run)
    if json_path is not None:
        json_path.write_text(json.dumps(as_json(runs, environment, pixels), indent=1) + "\n")


def instructions() -> str:
    """The widest instructions of this CPU that targets are set for."""
    return "AVX-512" if "avx512f" in cpu_features() else "AVX2"


def processor() -> str:
    """The CPU's name and those of its features that decide how fast it computes."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{next(named, name)} ({' '.join(cpu_features()) or 'features unknown'})"


def shapes(network: str, size: int | None, batch: int | None) -> Sequence[tuple[int, int]]:
    if size is None and batch is None:
        return STANDARD_SHAPES[network]
    size = size or 64
    return ((size, batch or (128 if size < 128 else 16)),)


def worker_environment(threads: int, malloc_tuned: bool, passive_wait: bool) -> dict[str, str]:
    """Environment variables that every worker starts with, the same for all."""
    environment = {
        name: str(threads)
        for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    }
    if malloc_tuned:
        environment |= MALLOC_TUNED
    if passive_wait:
        environment |= {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
    return environment


def measure(
    settings: Settings, environment: dict[str, str], with_torch: bool, rounds: int, warmup: int
) -> Run:
    """Step every case of every framework once a round, in random order, one at a time."""
    modules = {"eactf": "eactf_step"} | ({"torch": "torch_step"} if with_torch else {})
    workers = {name: Worker(module, settings, environment) for name, module in modules.items()}
    run = Run(settings.size, settings.batch, about=[worker.about for worker in workers.values()])
    try:
        check_parity(run.about)
        turns = [(name, case) for name in workers for case in settings.cases]
        order = random.Random(0)
        for number in range(-warmup, rounds):
            order.shuffle(turns)
            busy, cpu, start = busy_seconds(), 0.0, time.perf_counter()
            for name, case in turns:
                time.sleep(SETTLE_SECONDS)
                reading = workers[name].step(case)
                cpu += reading.cpu + reading.idle_cpu
                if number >= 0:
                    run.readings.setdefault((name, case), []).append(reading)
            if number >= 0:
                whole = (time.perf_counter() - start) * (os.cpu_count() or 1)
                run.others.append(max(0.0, busy_seconds() - busy - cpu) / whole)
            for name, worker in workers.items():
                time.sleep(SETTLE_SECONDS)
                speed = worker.calibrate()
                if number >= 0:
                    run.gigaflops.setdefault(name, []).append(speed)
    finally:
        for worker in workers.values():
            worker.close()
    return run


def busy_seconds() -> float:
    """CPU seconds that the whole machine has spent, stolen ones included; 0 where not Linux."""
    try:
        ticks = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    except OSError:
        return 0.0
    user, nice, system, _idle, _waiting, *interrupts_and_steal = map(int, ticks)
    return (user + nice + system + sum(interrupts_and_steal)) / os.sysconf("SC_CLK_TCK")


def check_parity(about: Iterable[dict[str, Any]]) -> None:
    """Print each side's number of trainable parameters; they must be the same."""
    counts = {one["name"]: one["parameters"] for one in about}
    for name, count in counts.items():
        click.echo(f"parameters, {name}: {', '.join(f'{c:,}' for c in count)}")
    if len({count for found in counts.values() for count in found}) != 1:
        raise SystemExit("the two networks are not the same size: the comparison means nothing")


if __name__ == "__main__":
    main()

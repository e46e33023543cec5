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
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
from workers import MALLOC_TUNED, NETWORKS, Case, Reading, Settings, Worker

from eactf.kernels import cpu_features

STANDARD_SHAPES = {"resnet18": ((64, 128), (224, 16)), "quickstart": ((40, 32),)}
METHODS = ("eac", "cross-entropy")
PRECISIONS = ("float32", "bfloat16")

FASTER_THAN_TORCH = {
    "AVX-512": {"float32": 1.08, "bfloat16": 1.0},
    "AVX2": {"float32": 1.3, "bfloat16": 1.0},
}
EAC_COST = 2.05
"""The targets: torch seconds / eactf seconds at least, by the instructions that both may use, and
EAC seconds / cross-entropy seconds at most."""

WITHOUT_AVX512 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
"""Keeps oneDNN, in both frameworks, and PyTorch's own kernels from AVX-512. Matrix products of
PyTorch's BLAS and of Eigen are not held back: the calibration is the machine's own."""

SETTLE_SECONDS = 0.05
"""Pause before each step: thread pools spin for a few milliseconds after their last work."""

DISTURBED = 0.85
"""A round whose calibration falls below this share of the run's median had less machine."""

OTHERS_ALLOWED = 0.05
"""Share of the cores that other processes may take. It hits the frameworks unequally: a
statically divided loop waits for its slowest thread, a shared queue does not."""


@dataclass
class Run:
    """Everything measured at one shape; one entry a round in every list."""

    size: int
    batch: int
    readings: dict[tuple[str, Case], list[Reading]] = field(default_factory=dict)
    gigaflops: dict[str, list[float]] = field(default_factory=dict)
    others: list[float] = field(default_factory=list)
    about: list[dict[str, Any]] = field(default_factory=list)

    def seconds(self, framework: str, case: Case) -> list[float]:
        return [reading.seconds for reading in self.readings[framework, case]]

    def ratios(self, above: tuple[str, Case], below: tuple[str, Case]) -> list[float] | None:
        """Seconds of `above` / seconds of `below`, round by round; None where one is missing."""
        if above not in self.readings or below not in self.readings:
            return None
        pairs = zip(self.seconds(*above), self.seconds(*below), strict=True)
        return [a / b for a, b in pairs]

    @property
    def flops(self) -> int:
        """Of one image's forward pass."""
        return int(self.about[0]["flops"])

    @property
    def kernels(self) -> str:
        """What TensorFlow computes with."""
        return str(self.about[0]["kernels"])

    def gigaflops_of(self, case: Case, seconds: float) -> float:
        """GFLOP/s of a step: the backward pass counts as two forward ones, EAC as two images."""
        views = 2 if case.method == "eac" else 1
        return 3 * views * self.flops * self.batch / seconds / 1e9

    def quiet(self) -> bool:
        """Whether other processes left the machine alone in most rounds."""
        return statistics.median(self.others) <= OTHERS_ALLOWED

    def disturbed(self) -> int:
        """Rounds in which a calibration was well below its median."""
        low = {name: DISTURBED * statistics.median(v) for name, v in self.gigaflops.items()}
        rounds = zip(*self.gigaflops.values(), strict=True)
        return sum(any(g < low[n] for n, g in zip(low, values, strict=True)) for values in rounds)


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
            "PyTorch is not installed. Install the peer with: pip install 'eactf[bench]' "
            "--extra-index-url https://download.pytorch.org/whl/cpu, or pass --no-torch."
        )
    threads = threads or available_cores()
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


def available_cores() -> int:
    """Cores this process may use, which may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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


def report(run: Run, cases: Sequence[Case], widest: str) -> None:
    rounds = len(next(iter(run.readings.values())))
    click.echo(f"\n{run.size} px, batch {run.batch}: medians over {rounds} rounds")
    click.echo(f"  {run.flops / 1e6:,.0f} MFLOP an image's forward pass; {run.kernels}")
    click.echo(
        "  framework  method         precision   s/step   images/s  GFLOP/s    cpu   idle    faults"
    )
    for (name, case), readings in sorted(run.readings.items()):
        click.echo(_row(run, name, case, readings))
    report_ratios(run, cases, widest)
    for name, values in run.gigaflops.items():
        low, middle, high = min(values), statistics.median(values), max(values)
        click.echo(f"  calibration, {name}: {middle:.0f} GFLOP/s ({low:.0f} to {high:.0f})")
    others = statistics.median(run.others)
    click.echo(
        f"  rounds with a calibration under {DISTURBED:.0%} of its median: {run.disturbed()}"
    )
    click.echo(f"  cores taken by other processes: {others:.1%} (median of the rounds)")
    if not run.quiet():
        click.echo("  THE MACHINE IS NOT QUIET: these figures are no comparison")


def _row(run: Run, name: str, case: Case, readings: Sequence[Reading]) -> str:
    def middle(value: Callable[[Reading], float]) -> float:
        return statistics.median(map(value, readings))

    seconds = middle(lambda r: r.seconds)
    return (
        f"  {name:<10} {case.method:<14} {case.precision:<9} {seconds:8.3f} "
        f"{run.batch / seconds:10.1f} {run.gigaflops_of(case, seconds):8.0f} "
        f"{middle(lambda r: r.cpu / r.seconds):6.2f} "
        f"{middle(lambda r: r.idle_cpu):6.3f} {middle(lambda r: r.faults):9,.0f}"
    )


def report_ratios(run: Run, cases: Sequence[Case], widest: str) -> None:
    click.echo("  ratios of seconds, median of the rounds (quartiles)")
    quiet = run.quiet()
    for case in cases:
        ratios = run.ratios(("torch", case), ("eactf", case))
        least = FASTER_THAN_TORCH[widest][case.precision]
        _ratio(
            f"torch / eactf, {case.method}, {case.precision}", ratios, least, quiet, at_least=True
        )
    for name in ("eactf", "torch"):
        for precision in PRECISIONS:
            eac, plain = (Case(method, precision) for method in METHODS)
            most = EAC_COST if name == "eactf" else None
            ratios = run.ratios((name, eac), (name, plain))
            _ratio(f"eac / cross-entropy, {name}, {precision}", ratios, most, quiet, at_least=False)


def _ratio(
    label: str,
    ratios: Sequence[float] | None,
    target: float | None,
    quiet: bool,
    *,
    at_least: bool,
) -> None:
    if ratios is None:
        return
    low, middle, high = quartiles(ratios)
    verdict = ""
    if target is not None:
        met = middle >= target if at_least else middle <= target
        bound = "at least" if at_least else "at most"
        said = ("met" if met else "MISSED") if quiet else "not judged"
        verdict = f"   target {bound} {target}: {said}"
    click.echo(f"    {label:<40} {middle:6.3f} ({low:.3f} to {high:.3f}){verdict}")


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def as_json(runs: Sequence[Run], environment: dict[str, str], pixels: str) -> dict[str, Any]:
    return {
        "environment": environment,
        "machine": platform.platform(),
        "python": platform.python_version(),
        "input": pixels,
        "runs": [
            {
                "size": run.size,
                "batch": run.batch,
                "about": run.about,
                "gigaflops": run.gigaflops,
                "disturbed_rounds": run.disturbed(),
                "others_share": run.others,
                "steps": [
                    {
                        "framework": name,
                        **asdict(case),
                        "median_seconds": statistics.median(run.seconds(name, case)),
                        "rounds": [asdict(reading) for reading in readings],
                    }
                    for (name, case), readings in run.readings.items()
                ],
            }
            for run in runs
        ],
    }


if __name__ == "__main__":
    main()

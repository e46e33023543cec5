"""Time a training step of eactf beside the same step in PyTorch, both on the CPU.

    python benchmarks/train_step.py                  # 64 px batch 128 and 224 px batch 16
    python benchmarks/train_step.py --size 64 --batch 128 --rounds 20 --json steps.json

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
from workers import MALLOC_TUNED, Case, Reading, Settings, Worker

STANDARD_SHAPES = ((64, 128), (224, 16))
METHODS = ("eac", "cross-entropy")
PRECISIONS = ("float32", "bfloat16")

FASTER_THAN_TORCH = {"float32": 1.08, "bfloat16": 1.0}
EAC_COST = 2.05
"""The targets: torch seconds / eactf seconds at least, EAC seconds / cross-entropy seconds at
most."""

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
@click.option("--channels", type=click.Choice(["1", "3"]), default="3", show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=15, show_default=True)
@click.option("--warmup", type=click.IntRange(1), default=3, show_default=True)
@click.option("--precision", type=click.Choice([*PRECISIONS, "both"]), default="both")
@click.option("--only", type=click.Choice(METHODS), help="One method instead of both.")
@click.option("--input", "pixels", type=click.Choice(["uint8", "float32"]), default="uint8")
@click.option("--threads", type=click.IntRange(1), help="Of each framework; all cores by default.")
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
    channels: str,
    rounds: int,
    warmup: int,
    precision: str,
    only: str | None,
    pixels: str,
    threads: int | None,
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
    click.echo(f"{platform.processor() or platform.machine()}, {threads} threads; {environment}")
    runs = []
    for side, count in shapes(size, batch):
        settings = Settings(
            side, count, int(channels), 7, threads, pixels, cases, fused_adam=torch_fused_adam
        )
        run = measure(settings, environment, with_torch, rounds, warmup)
        report(run, cases)
        runs.append(run)
    if json_path is not None:
        json_path.write_text(json.dumps(as_json(runs, environment, pixels), indent=1) + "\n")


def shapes(size: int | None, batch: int | None) -> Sequence[tuple[int, int]]:
    if size is None and batch is None:
        return STANDARD_SHAPES
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


def report(run: Run, cases: Sequence[Case]) -> None:
    rounds = len(next(iter(run.readings.values())))
    click.echo(f"\n{run.size} px, batch {run.batch}: medians over {rounds} rounds")
    click.echo("  framework  method         precision   s/step   images/s    cpu   idle    faults")
    for (name, case), readings in sorted(run.readings.items()):
        click.echo(_row(run, name, case, readings))
    report_ratios(run, cases)
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
        f"{run.batch / seconds:10.1f} {middle(lambda r: r.cpu / r.seconds):6.2f} "
        f"{middle(lambda r: r.idle_cpu):6.3f} {middle(lambda r: r.faults):9,.0f}"
    )


def report_ratios(run: Run, cases: Sequence[Case]) -> None:
    click.echo("  ratios of seconds, median of the rounds (quartiles)")
    quiet = run.quiet()
    for case in cases:
        ratios = run.ratios(("torch", case), ("eactf", case))
        least = FASTER_THAN_TORCH[case.precision]
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

"""What was measured of training steps, told as a table and ratios, or as JSON."""

from __future__ import annotations

import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import click
from workers import Case, Reading

__all__ = ["METHODS", "PRECISIONS", "Run", "as_json", "quartiles", "report"]

METHODS = ("eac", "cross-entropy")
PRECISIONS = ("float32", "bfloat16")

FASTER_THAN_TORCH = {
    "AVX-512": {"float32": 1.08, "bfloat16": 1.0},
    "AVX2": {"float32": 1.3, "bfloat16": 1.0},
}
EAC_COST = 2.05
"""The targets: torch seconds / eactf seconds at least, by the instructions that both may use, and
EAC seconds / cross-entropy seconds at most."""

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

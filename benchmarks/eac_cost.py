"""What EAC costs beside cross-entropy, by the share of the batch that has a second view.

python benchmarks/eac_cost.py
python benchmarks/eac_cost.py --network resnet18 --size 224 --batch 16 --avx2
"""

from __future__ import annotations

import random
import statistics
import time

import click
from step_report import quartiles
from train_step import SETTLE_SECONDS, WITHOUT_AVX512, processor, worker_environment
from workers import NETWORKS, Case, Settings, Worker

from eactf.intake.parallel import usable_cores

METHODS = ("cross-entropy", "eac", "eac of 0.5", "eac of 0.334")


@click.command()
@click.option("--network", type=click.Choice(list(NETWORKS)), default="quickstart")
@click.option("--size", type=click.IntRange(32), default=40, show_default=True)
@click.option("--batch", type=click.IntRange(2), default=32, show_default=True)
@click.option("--rounds", type=click.IntRange(1), default=15, show_default=True)
@click.option("--warmup", type=click.IntRange(1), default=3, show_default=True)
@click.option("--avx2", is_flag=True, help="Do not use AVX-512, where the CPU has it.")
def main(network: str, size: int, batch: int, rounds: int, warmup: int, avx2: bool) -> None:
    """Seconds of a float32 step, and how many steps of cross-entropy it is, round by round."""
    threads = usable_cores()
    environment = worker_environment(threads, False, False) | (WITHOUT_AVX512 if avx2 else {})
    cases = tuple(Case(method, "float32") for method in METHODS)
    channels = 3 if network == "resnet18" else 1
    settings = Settings(size, batch, channels, 7, threads, "uint8", cases, network)
    worker = Worker("eactf_step", settings, environment)
    try:
        seconds = measure(worker, cases, rounds, warmup)
    finally:
        worker.close()
    click.echo(f"{processor()}; {worker.about['kernels']}")
    click.echo(f"{network}, {size} px, batch {batch}: medians over {rounds} rounds (quartiles)")
    for case, taken in seconds.items():
        ratios = [a / b for a, b in zip(taken, seconds[cases[0]], strict=True)]
        low, middle, high = quartiles(ratios)
        told = f"{middle:6.2f} of cross-entropy ({low:.2f} to {high:.2f})"
        click.echo(f"  {case.method:<14} {statistics.median(taken):8.3f} s {told}")


def measure(
    worker: Worker, cases: tuple[Case, ...], rounds: int, warmup: int
) -> dict[Case, list[float]]:
    seconds: dict[Case, list[float]] = {case: [] for case in cases}
    order, turns = random.Random(0), list(cases)
    for number in range(-warmup, rounds):
        order.shuffle(turns)
        for case in turns:
            time.sleep(SETTLE_SECONDS)
            reading = worker.step(case)
            if number >= 0:
                seconds[case].append(reading.seconds)
    return seconds


if __name__ == "__main__":
    main()

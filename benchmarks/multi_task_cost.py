"""What a step of the joint method costs beside one of its encoder alone, the multi-task network.

The networks, faces and batches of `multi_task.py`; all methods take the same batches in turn, round
by round, in one process, and the first round, in which graphs are made, is told apart.

    python benchmarks/multi_task_cost.py --rounds 5
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import time
from typing import Any

from multi_task import (
    BATCH,
    FORMS,
    RATE,
    SIZE,
    VALUES,
    WIDTH,
    labels_of,
    network,
    pooled,
    splits,
)
from step_report import quartiles
from train_step import processor

import eactf
from eactf import console
from eactf.data.pipeline import ImageForm, training_batches
from eactf.kernels import describe_kernels
from eactf.methods.base import Method
from eactf.packed.records import Samples
from eactf.report.table import markdown_table

BASE = "multi-task"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    first, seconds = measured(
        prepared(), splits(0, FORMS["many"])["train"], options.rounds, options.steps
    )
    console.say(f"{processor()}; {describe_kernels()}; load {load:.1f} at the start")
    console.say(
        f"{SIZE} px, width {WIDTH:g}, batch {BATCH}; processor seconds, {options.rounds} rounds"
    )
    console.say(table(first, seconds, options.steps))


def prepared() -> dict[str, Method]:
    methods: dict[str, Method] = {
        BASE: eactf.MultiTask(network(0), values=VALUES),
        "Co-teaching": eactf.CoTeaching(pooled(network(0), 0), flip_probability=0.5),
        "joint": eactf.JointDistribution(network(0), values=VALUES),
        "joint, one step of the discriminator": eactf.JointDistribution(
            network(0), values=VALUES, discriminator_steps=1
        ),
    }
    for model in methods.values():
        model.compile(optimizer=eactf.optimizers.Adam(RATE))
    return methods


def measured(
    methods: dict[str, Method], samples: Samples, rounds: int, steps: int
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Processor seconds of each method's first round, and of every other one."""
    labels = labels_of(samples, clean=False)
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    order, turns = random.Random(0), list(methods)
    for number in range(rounds + 1):
        order.shuffle(turns)
        for name in turns:
            own = labels if isinstance(methods[name], eactf.MultiTask) else labels["expression"]
            seconds[name].append(timed(methods[name], samples, own, number, steps))
    return {name: s.pop(0) for name, s in seconds.items()}, seconds


def timed(model: Method, samples: Samples, labels: Any, number: int, steps: int) -> float:
    data = training_batches(
        samples, ImageForm(SIZE, 1), batch_size=BATCH, seed=0, first_epoch=number, labels=labels
    )
    begun = time.process_time()
    model.fit(data, epochs=1, steps_per_epoch=steps, verbose=0)
    return time.process_time() - begun


def table(first: dict[str, float], seconds: dict[str, list[float]], steps: int) -> str:
    rows = []
    for name, taken in seconds.items():
        ratios = [a / b for a, b in zip(taken, seconds[BASE], strict=True)]
        low, middle, high = quartiles(ratios)
        rows.append(
            [
                name,
                f"{1000 * statistics.median(taken) / steps:.0f} ms",
                f"{middle:.2f} ({low:.2f} to {high:.2f})",
                f"{first[name]:.1f} s",
            ]
        )
    return markdown_table(["", "a step", f"of {BASE}'s", f"first {steps} steps"], rows)


if __name__ == "__main__":
    main()

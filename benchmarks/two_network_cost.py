"""What an epoch of two networks costs beside one of cross-entropy, and what dividing the labels.

Every method trains the same small network on the same images in float32. Phases of steps are timed
in turn, round by round, in one process; an epoch is put together of them for a share rho of kept
labels, and stands beside what counting passes gives: a backward pass as two forward ones. The pass
that divides the labels, and the mixture that is fitted to its losses, are timed by themselves.

    python benchmarks/two_network_cost.py
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import keras
import numpy as np
from step_report import quartiles
from train_step import processor

import eactf
from eactf import console, mixture
from eactf.division import Division
from eactf.kernels import describe_kernels
from eactf.methods.base import Method
from eactf.methods.planned import PlannedMethod
from eactf.methods.training_rows import Phase, TrainingRows, rows_of
from eactf.report.table import markdown_table

CLASSES, STEPS = 8, 20
FULL = {"unlabelled_weight": 25.0, "unlabelled_ramp": 0.0}
AFTER_THE_WARM_UP = {
    "the report's variant": (2, eactf.TwoNetworks, {}),
    "with Ada-CM's terms": (8, eactf.TwoNetworks, {"unlabelled": "ada_cm"}),
    "DivideMix, lambda 0": (8, eactf.DivideMix, {}),
    "DivideMix, lambda 0, published guess": (8, eactf.DivideMix, {"guess": "training"}),
    "DivideMix, full": (12, eactf.DivideMix, FULL),
    "DivideMix, full, published guess": (12, eactf.DivideMix, {**FULL, "guess": "training"}),
}
"""By name: how many passes of cross-entropy over the kept labels the steps are, by counting."""

Work = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--size", type=int, default=40)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rho", type=float, default=0.8)
    options = parser.parse_args()
    cases = prepared(drawn(options.size, options.batch), options.rho)
    load = os.getloadavg()[0]
    seconds = measured(cases, options.rounds)
    console.say(f"{processor()}; {describe_kernels()}; load {load:.1f} at the start")
    console.say(
        f"{options.size} px, batch {options.batch}, rho {options.rho}: medians of "
        f"{options.rounds} rounds (quartiles)"
    )
    console.say(table(seconds, options.rho))
    an_image = statistics.median(seconds["division"]) / (STEPS * options.batch)
    console.say(mixtures(options.rounds, an_image))


def drawn(size: int, batch: int) -> TrainingRows:
    count = STEPS * batch
    images = np.random.default_rng(0).integers(0, 256, (count, size, size, 1)).astype("uint8")
    return rows_of(images, np.arange(count) % CLASSES, batch_size=batch, seed=0)


def prepared(rows: TrainingRows, rho: float) -> dict[str, Work]:
    """What is timed: steps alone, of as many labelled images as a pass of cross-entropy has."""
    plain = {"erasing": eactf.Erasing(probability=0.0)}
    warm, divides = (built(eactf.DivideMix, rows, warm_up=1) for _ in range(2))
    ada = built(eactf.AdaCM, rows, labelled_per_class=3, steps_per_epoch=STEPS)
    return {
        "cross-entropy": epoch_of(built(eactf.CrossEntropy, rows, **plain), rows),
        "Co-teaching": epoch_of(built(eactf.CoTeaching, rows), rows),
        "warm-up": phases_of(warm, warm.phases(0, rows)),
        "Ada-CM, as many steps": phases_of(ada, ada.phases(0, rows)),
        "division": lambda: divides.divide(rows, 1),
        **{
            name: after_the_warm_up(built(method, rows, warm_up=1, **settings), rows, rho)
            for name, (_, method, settings) in AFTER_THE_WARM_UP.items()
        },
    }


def built(method: type, rows: TrainingRows, **settings: object) -> Method:
    size = rows.take(np.arange(1))[0].shape[1]
    network = eactf.build_classifier(
        "resnet10", image_size=size, channels=1, classes=CLASSES, width=16, stem="small"
    )
    model = method(network, **settings)
    model.compile(optimizer=eactf.optimizers.SGD(1e-3, momentum=0.9))
    if isinstance(model, PlannedMethod):
        model.attach(rows)
    return model


def epoch_of(model: Method, rows: TrainingRows) -> Work:
    """An epoch of a method that takes batches as they come."""
    everyone = [Phase(0, np.arange(len(rows)), rows.batch_size)]
    data = rows.batches(everyone, 0, model.distribute_strategy)
    return lambda: model.fit(data, verbose=0)


def phases_of(model: PlannedMethod, phases: Sequence[Phase]) -> Work:
    """The steps of an epoch, without what stands between two epochs."""
    model.end_epoch = lambda epoch: None

    def work() -> None:
        told = keras.callbacks.CallbackList(add_history=True, model=model)
        model._fit_phases(phases, 1, 0, told, {}, sum(phase.steps for phase in phases))

    return work


def after_the_warm_up(model: PlannedMethod, rows: TrainingRows, rho: float) -> Work:
    """The steps of an epoch in which each network keeps the share `rho` of all labels."""
    kept = np.zeros((len(rows), 2), bool)
    kept[: round(rho * len(rows))] = True
    model.division = Division(1, rows.ids, kept * 0.9, kept, np.full((2, CLASSES), 0.5))
    return phases_of(model, model.phases(1, rows))


def measured(cases: dict[str, Work], rounds: int) -> dict[str, list[float]]:
    """Seconds of each case, round by round in an order of its own; the first is not kept."""
    seconds: dict[str, list[float]] = {case: [] for case in cases}
    order, turns = random.Random(0), list(cases)
    for number in range(-1, rounds):
        order.shuffle(turns)
        for case in turns:
            taken = timed(cases[case])
            if number >= 0:
                seconds[case].append(taken)
    return seconds


def table(seconds: dict[str, list[float]], rho: float) -> str:
    """Epochs beside cross-entropy's; those after the warm-up with the division that each needs."""
    counted = {"cross-entropy": "1", "Co-teaching": "2", "warm-up": "2", "division": "0.67"}
    counted["Ada-CM, as many steps"] = "4"
    rows = []
    for case, taken in seconds.items():
        told = counted.get(case, "")
        if case in AFTER_THE_WARM_UP:
            passes = AFTER_THE_WARM_UP[case][0]
            told = f"0.67 + {passes} rho = {2 / 3 + passes * rho:.1f}"
            taken = [a + b for a, b in zip(taken, seconds["division"], strict=True)]
        ratios = [a / b for a, b in zip(taken, seconds["cross-entropy"], strict=True)]
        low, middle, high = quartiles(ratios)
        spread = f"{middle:.2f} ({low:.2f} to {high:.2f})"
        rows.append([case, f"{statistics.median(taken):.2f} s", spread, told])
    return markdown_table(["epoch", "time", "of cross-entropy", "by counting passes"], rows)


def mixtures(rounds: int, seconds_an_image: float) -> str:
    """What fitting both mixtures to the losses of so many samples costs beside the pass."""
    rows = []
    for count in (12_000, 300_000):
        numbers = np.random.default_rng(0)
        clean = numbers.uniform(size=count) < 0.8
        losses = np.where(clean, numbers.gamma(1.0, 0.2, count), numbers.gamma(6.0, 0.5, count))
        fit = partial(mixture.clean_probability, losses)
        fits = 2 * statistics.median(timed(fit) for _ in range(rounds))
        whole = seconds_an_image * count  # in proportion to the pass that was timed
        rows.append(
            [f"{count:,}", f"{whole:.0f} s", f"{1000 * fits:.0f} ms", f"{fits / whole:.3%}"]
        )
    return markdown_table(["samples", "division", "of it both mixtures", "share"], rows)


def timed(work: Work) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()

"""When two networks are worth their price: DivideMix, Co-teaching, the report's variant, Ada-CM.

Against cross-entropy, SCN and EAC, once over the same number of epochs and once with the same
number of updates' worth of compute (the unit is an image's forward and backward pass, two thirds of
it for the three forward passes of a guess: what DivideMix takes in those epochs, at the share of
labels it keeps). Without `--data` on drawn faces with planted noise; with it on part of a packed
file: FERPlus, trained on FER2013's labels and judged on the consensus of the voters, or CIFAR-10N,
trained on its worst labels. The two-network methods and cross-entropy are trained by SGD, SCN, EAC
and Ada-CM by Adam: what validation preferred on a seed that is not reported. Finished cells are
kept in the folder.

    python benchmarks/two_networks.py --noise symmetric --seeds 3
    python benchmarks/two_networks.py --data ferplus.h5 --noise fer2013 --seeds 1
    python benchmarks/two_networks.py --data cifar10n.h5 --noise worst --seeds 1
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from eactf import console
from eactf.report.cells import Cell, make_cell
from eactf.report.comparison import Outcome, run_cells
from eactf.report.table import markdown_table

EPOCHS, WARM_UP, KEPT = 20, 8, 0.69
"""As many for all; the share of labels kept is what DivideMix keeps on drawn faces."""

COMPUTE = 2 * WARM_UP + (EPOCHS - WARM_UP) * (0.67 + 8 * KEPT)
"""Epochs of cross-entropy that DivideMix's are worth (method card: 2 in the warm-up, two passes
forward and 8 of the kept share after it)."""

SGD = (
    "optimizer.name=sgd",
    "optimizer.learning_rate=0.05",
    "optimizer.coupled_weight_decay=5e-4",
)
DIVIDED = (*SGD, f"method.warm_up={WARM_UP}")
TWO = ("method.name=two_networks", *DIVIDED)
METHODS = {
    "cross-entropy": ("method.name=cross_entropy", *SGD),
    "SCN": ("method.name=scn",),
    "EAC": ("method.name=eac",),
    "Co-teaching": ("method.name=co_teaching", "method.flip_probability=0.5", *SGD),
    "report's variant": TWO,
    "report's variant, fixed thresholds": (*TWO, "method.thresholds=fixed"),
    "report's variant with consistency": (
        *TWO,
        "method.consistency_weight=2",
        f"method.consistency_ramp={EPOCHS}",
    ),
    "report's variant with Ada-CM's terms": (*TWO, "method.unlabelled=ada_cm"),
    "DivideMix": ("method.name=dividemix", *DIVIDED),
    "Ada-CM": (
        *("method.name=ada_cm", "method.labelled_per_class=100", "method.steps_per_epoch=38"),
        *("method.ema=0.99", "method.scale=8", "method.crop_padding=4"),
    ),
}
WITH_SAME_COMPUTE = {"cross-entropy": 1.0, "SCN": 1.0, "EAC": 2.0}
"""What an epoch of the single networks costs, in epochs of cross-entropy."""

COMMON = ("data.image_size=32", "schedule.kind=cosine", f"train.epochs={EPOCHS}")
DRAWN = (
    *("data.drawn.train=1200", "data.drawn.size=32", "schedule.kind=cosine"),
    *("model.width=8", "train.batch_size=32", f"train.epochs={EPOCHS}"),
)
NOISES = {
    "symmetric": ("quickstart", (*DRAWN, "noise.kind=symmetric", "noise.rate=0.3"), 0.3),
    "pair": ("quickstart", (*DRAWN, "noise.kind=pair", "noise.rate=0.3"), 0.3),
    "machine": ("quickstart", (*DRAWN, "noise.kind=machine"), 0.3),
    "fer2013": (
        "ferplus-human-small",
        (*COMMON, "data.train_limit=2000", "noise.labels=fer2013_as8", "train.batch_size=32"),
        0.35,
    ),
    "worst": (
        "cifar10n-worst-small",
        (*COMMON, "data.train_limit=2000", "train.batch_size=32"),
        0.4,
    ),
}
"""Recipe, settings, and the rate of wrong labels that Co-teaching is told."""


def main() -> None:
    options = parse_options()
    outcomes = run_cells(cells(options), options.folder)
    rows = list(dict.fromkeys(outcome.cell.row for outcome in outcomes))
    console.say(f"\nmean of the last 5 epochs, percent, {options.seeds} seed(s)\n")
    heads = ["", "accuracy", "macro recall", "wrong labels learnt", "area under curve", "minutes"]
    console.say(markdown_table(heads, [line(outcomes, row) for row in rows]))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--noise", choices=list(NOISES), default="symmetric")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--compute-seeds", type=int, default=3, help="of which so many with the same compute too"
    )
    parser.add_argument("--data", type=Path, help="a packed FERPlus or CIFAR-10N file")
    parser.add_argument("--method", action="append", choices=list(METHODS))
    parser.add_argument("--folder", type=Path, default=Path("comparisons"))
    return parser.parse_args()


def cells(options: argparse.Namespace) -> list[Cell]:
    recipe, settings, rate = NOISES[options.noise]
    found = []
    for seed in range(options.seeds):
        for name, own in METHODS.items():
            if options.method and name not in options.method:
                continue
            told = [*settings, *own]
            if name == "Co-teaching":
                told.append(f"method.forget_rate={rate}")
            found.append(make_cell(name, recipe, seed, data=options.data, overrides=told))
            if name in WITH_SAME_COMPUTE and seed < options.compute_seeds:
                epochs = round(COMPUTE / WITH_SAME_COMPUTE[name])
                row = f"{name}, compute of DivideMix"
                told = [*told, f"train.epochs={epochs}"]
                found.append(make_cell(row, recipe, seed, data=options.data, overrides=told))
    return found


def line(outcomes: list[Outcome], row: str) -> list[str]:
    found = [o.result for o in outcomes if o.cell.row == row and o.result is not None]
    figures = [
        [100 * result["mean_of_last_epochs"][name] for result in found]
        for name in ("accuracy", "macro_recall")
    ]
    learnt = [100 * (result["memorised_wrong_labels"] or np.nan) for result in found]
    areas = [
        network["area_under_curve"]
        for result in found
        if result.get("division")
        for network in result["division"]["networks"]
        if network.get("area_under_curve") is not None
    ]
    return [
        row,
        *(spread(values) for values in (*figures, learnt)),
        f"{np.mean(areas):.3f}" if areas else "",
        f"{np.median([result['seconds'] for result in found]) / 60:.1f}",
    ]


def spread(values: list[float]) -> str:
    """Mean and standard deviation, where there are several."""
    mean = f"{np.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.1f}"


if __name__ == "__main__":
    main()

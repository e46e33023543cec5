"""What rare classes gain by balanced epochs, adjusted logits and a lower consistency weight.

Without `--data` on drawn faces of which the commonest expression is 30 times as frequent as the
rarest, 20 % of the training labels wrong, judged on faces of all expressions alike. With it on
2,000 faces of a packed FERPlus file, trained on FER2013's own labels and judged on the consensus of
the voters. Finished cells are kept in the folder. Of the real faces a cell took two to seven
minutes on two cores with AVX2 that had other work as well.

    python benchmarks/rare_classes.py --seeds 3
    python benchmarks/rare_classes.py --seeds 3 --data ferplus.h5
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from eactf import console
from eactf.faces import drawn_face_dataset
from eactf.packed import write_packed
from eactf.packed.records import Dataset
from eactf.report.cells import Cell, make_cell
from eactf.report.comparison import Outcome, run_cells
from eactf.report.table import markdown_table

EAC: dict[str, tuple[str, ...]] = {
    "as it is": (),
    "balance sqrt": ("data.balance=sqrt",),
    "balance sqrt, late": ("data.balance=sqrt", "data.balance_from=16"),
    "balance class": ("data.balance=class",),
    "prior 0.5": ("method.prior_adjustment=0.5",),
    "prior 1": ("method.prior_adjustment=1.0",),
    "weight 2": ("method.consistency_weight=2.0",),
    "weight 2, balance sqrt, late": (
        *("method.consistency_weight=2.0", "data.balance=sqrt", "data.balance_from=16"),
    ),
}
CROSS_ENTROPY = {
    name: ("method.name=cross_entropy", *EAC[name])
    for name in ("as it is", "balance sqrt", "prior 1")
}
REMEDIES = {
    **{f"EAC, {name}": settings for name, settings in EAC.items()},
    **{f"cross-entropy, {name}": settings for name, settings in CROSS_ENTROPY.items()},
}
SMALL = ("data.image_size=32", "train.epochs=25")
FERPLUS = (*SMALL, "data.train_limit=2000", "noise.labels={labels}")
DRAWN = (*SMALL, "noise.kind=symmetric", "noise.rate=0.2", "noise.count=exact")
RAREST, DRAWN_TRAIN = 1 / 30, 4000


def main() -> None:
    options = parse_options()
    outcomes = run_cells(cells(options), options.folder)
    lines = [
        line(outcomes, name, f"{name.partition(',')[0]}, as it is") for name in wanted(options)
    ]
    console.say(
        f"\nmean of the last 5 epochs, percent (standard deviation over {options.seeds} seeds);"
        " behind it the difference to the same method as it is\n"
    )
    console.say(markdown_table(["", "accuracy", "macro recall", "recalls", "lowest"], lines))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", type=Path, help="a packed FERPlus file")
    parser.add_argument("--labels", default="fer2013", help="its label set to train on")
    parser.add_argument("--remedy", action="append", choices=list(REMEDIES))
    parser.add_argument("--folder", type=Path, default=Path("comparisons"))
    return parser.parse_args()


def cells(options: argparse.Namespace) -> list[Cell]:
    data = options.data or imbalanced_faces(options.folder)
    recipe = "ferplus-human-small" if options.data else "quickstart"
    settings = [one.format(labels=options.labels) for one in (FERPLUS if options.data else DRAWN)]
    return [
        make_cell(name, recipe, seed, data=data, overrides=[*settings, *REMEDIES[name]])
        for seed in range(options.seeds)
        for name in wanted(options)
    ]


def wanted(options: argparse.Namespace) -> list[str]:
    """Those asked for, and what they are held against."""
    return [
        name
        for name in REMEDIES
        if not options.remedy or name.endswith("as it is") or name in options.remedy
    ]


def imbalanced_faces(folder: Path) -> Path:
    """Drawn faces, packed, of which each expression is rarer than the one before it."""
    path = folder / "imbalanced.h5"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    drawn = drawn_face_dataset(
        train=DRAWN_TRAIN, validation=500, test=1400, size=40, difficulty=0.6
    )
    train = drawn.splits["train"]
    classes = len(drawn.class_names)
    largest = np.bincount(train.given).min()
    kept = np.concatenate(
        [
            np.flatnonzero(train.given == label)[
                : round(largest * RAREST ** (label / (classes - 1)))
            ]
            for label in range(classes)
        ]
    )
    splits = {**drawn.splits, "train": train.take(np.sort(kept))}
    write_packed(path, Dataset(drawn.class_names, splits, "drawn faces, some expressions rare"))
    return path


def line(outcomes: list[Outcome], row: str, plain: str) -> list[str]:
    found = [outcome.result for outcome in outcomes if outcome.cell.row == row]
    base = [outcome.result for outcome in outcomes if outcome.cell.row == plain]
    recalls = {
        name: np.mean([result["last_epoch"]["recalls"][name] or 0.0 for result in found])
        for name in found[0]["last_epoch"]["recalls"]
    }
    told = [f"{name} {100 * recall:.0f}" for name, recall in recalls.items()]
    return [
        row,
        shown(found, base, "accuracy"),
        shown(found, base, "macro_recall"),
        ", ".join(told),
        min(recalls, key=recalls.__getitem__),
    ]


def shown(found: list[dict], base: list[dict], figure: str) -> str:
    values = [100 * result["mean_of_last_epochs"][figure] for result in found]
    plain = [100 * result["mean_of_last_epochs"][figure] for result in base]
    text = f"{np.mean(values):.1f} ({np.std(values, ddof=1) if len(values) > 1 else 0:.1f})"
    return text if found == base else f"{text} {np.mean(values) - np.mean(plain):+.1f}"


if __name__ == "__main__":
    main()

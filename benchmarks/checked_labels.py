"""`eactf data noise --checked` replayed on labels whose truth is known: how far off, how sure.

Each replay draws labels, has them answered truly, and reads rate and interval from the answers. The
predictions are those that `noise_estimate.py --keep` left; nothing is trained here.

    python benchmarks/noise_estimate.py --data ../shared/data --keep predictions/
    python benchmarks/checked_labels.py --data ../shared/data --keep predictions/ --replays 1000
"""

from __future__ import annotations

import argparse
from pathlib import Path

import noise_estimate
import numpy as np

from eactf.noise.checked_rate import checked_rate
from eactf.noise.draw_checks import check_folds, draw_checks
from eactf.noise.wrong_chance import WrongChance

DESIGNS = ((100,), (200,), (100, 100))
NINE_IN_TEN = 1.645


def main() -> None:
    options = parse_options()
    print(HEAD, flush=True)
    for case in noise_estimate.all_cases(options):
        kept = noise_estimate.kept_at(case, options)
        if not kept.exists() or not any(word in case.name for word in options.only):
            continue
        labelled = case.make()
        with np.load(kept) as file:
            probabilities = file["probabilities"]
        wrong = (labelled.given != labelled.true).astype(float)
        for design in DESIGNS:
            print(row(case.name, labelled, probabilities, wrong, design, options), flush=True)


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of fashion_mnist.npz, cifar10n.npz, ...")
    parser.add_argument("--keep", type=Path, required=True, help="folder of predictions")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.0, 0.1, 0.2, 0.3, 0.4])
    parser.add_argument("--only", nargs="+", default=[""], help="parts of the cases' names")
    parser.add_argument("--folds", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--replays", type=int, default=1000)
    return parser.parse_args()


HEAD = (
    "| labels | wrong | checks | off on average | off (RMSE) | within 4 points | interval's width"
    " | holds the truth | even draw: off (RMSE) | within 4 points | width | holds |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


def row(
    name: str,
    labelled: noise_estimate.Labelled,
    probabilities: np.ndarray,
    wrong: np.ndarray,
    design: tuple[int, ...],
    options: argparse.Namespace,
) -> str:
    true = float(wrong.mean())
    drawn = replays(labelled, probabilities, wrong, design, options.replays)
    rates, low, high = drawn.T
    error = rates.std() / len(rates) ** 0.5
    cells = [
        name,
        f"{true:.1%}",
        " + ".join(map(str, design)),
        f"{100 * (rates.mean() - true):+.2f} ± {100 * error:.2f}",
        *figures(rates, low, high, true),
        *figures(*even_draws(wrong, sum(design), options.replays).T, true),
    ]
    return "| " + " | ".join(cells) + " |"


def figures(rates: np.ndarray, low: np.ndarray, high: np.ndarray, true: float) -> tuple[str, ...]:
    return (
        f"{100 * np.sqrt(np.mean((rates - true) ** 2)):.1f}",
        f"{np.mean(np.abs(rates - true) <= 0.04):.0%}",
        f"{100 * np.mean(high - low):.1f}",
        f"{np.mean((low <= true) & (true <= high)):.1%}",
    )


def replays(
    labelled: noise_estimate.Labelled,
    probabilities: np.ndarray,
    wrong: np.ndarray,
    design: tuple[int, ...],
    count: int,
) -> np.ndarray:
    """The unbiased rate and the interval `(count, 3)`."""
    model = WrongChance(probabilities, labelled.given)
    found = []
    for seed in range(count):
        rows, rounds = np.empty(0, np.int64), []
        for size in design:
            chance = model.learned(rows, wrong[rows])
            rounds.append(
                draw_checks(labelled.ids, labelled.given, chance, size, before=rows, seed=seed)
            )
            rows = np.concatenate([rows, rounds[-1].rows])
        fold = check_folds(labelled.ids, seed)
        read = checked_rate(model, fold, rounds, [wrong[each.rows] for each in rounds])
        found.append((read.unbiased, read.low, read.high))
    return np.array(found)


def even_draws(wrong: np.ndarray, checks: int, count: int) -> np.ndarray:
    """As `replays`, by as many labels drawn evenly, and Wilson's interval."""
    found = []
    for seed in range(count):
        share = np.random.default_rng(seed).choice(wrong, checks, replace=False).mean()
        squared = NINE_IN_TEN**2 / checks
        middle = (share + squared / 2) / (1 + squared)
        half = NINE_IN_TEN * np.sqrt(share * (1 - share) / checks + squared / 4 / checks)
        half /= 1 + squared
        found.append((share, middle - half, middle + half))
    return np.array(found)


if __name__ == "__main__":
    main()
